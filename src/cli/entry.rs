use std::collections::BTreeMap;

use anabranch::event::{Draft, EventError, Payload};
use anabranch::resolver::DocumentEdit;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::arguments::Record;
use super::failure::Failure;

/// What an event is called that only changes fields and was given no type.
const EDITED: &str = "edited";

/// One event to write, from the command line or from a line of stdin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    aggregate: String,
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// The content as it is.
    payload: Option<Value>,
    /// Fields to write, as a tree.
    fields: Option<Map<String, Value>>,
    /// Fields to write, by dotted path.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// Dotted paths to remove.
    #[serde(default)]
    remove: Vec<String>,
    /// Elements to add to sets, and to take out of them, by dotted path.
    #[serde(skip)]
    add: Vec<(String, Value)>,
    #[serde(skip)]
    discard: Vec<(String, Value)>,
    /// Steps to add to counters, by dotted path.
    #[serde(skip)]
    count: Vec<(String, i64)>,
    #[serde(default)]
    meta: BTreeMap<String, String>,
}

impl Entry {
    pub(super) fn from_arguments(arguments: &Record) -> Result<Self, Failure> {
        let mut entry = Self {
            aggregate: arguments.aggregate.clone(),
            event_type: arguments.event_type.clone(),
            remove: arguments.remove.clone(),
            ..Self::default()
        };
        if let Some(text) = &arguments.payload {
            entry.payload = Some(parsed(text, "the content")?);
        }
        if let Some(text) = &arguments.fields {
            let Value::Object(fields) = parsed(text, "--fields")? else {
                return Err(Failure::usage("--fields takes a JSON object"));
            };
            entry.fields = Some(fields);
        }
        for pair in &arguments.set {
            let (path, value) = split_pair(pair, "--set", "PATH=VALUE")?;
            entry.set.insert(path.into(), json_or_text(value));
        }
        for (pairs, option, elements) in [
            (&arguments.add, "--add", &mut entry.add),
            (&arguments.discard, "--discard", &mut entry.discard),
        ] {
            for pair in pairs {
                let (path, value) = split_pair(pair, option, "PATH=VALUE")?;
                elements.push((path.into(), json_or_text(value)));
            }
        }
        for pair in &arguments.count {
            let (path, step) = split_pair(pair, "--count", "PATH=STEP")?;
            let step = step.parse().map_err(|_| {
                Failure::usage(format!("--count takes a whole number, not {step:?}"))
            })?;
            entry.count.push((path.into(), step));
        }
        entry.meta = metadata(&arguments.meta)?;
        Ok(entry)
    }

    /// Reads a line of stdin: a JSON object, or `AGGREGATE path=value ...`, or
    /// `AGGREGATE TYPE JSON`.
    pub(super) fn from_line(line: &str) -> Result<Self, Failure> {
        let line = line.trim();
        if line.starts_with('{') {
            return serde_json::from_str(line)
                .map_err(|error| Failure::usage(format!("not an event: {error}")));
        }
        let (aggregate, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        let first = rest.split_whitespace().next().unwrap_or_default();
        let mut entry = Self {
            aggregate: aggregate.into(),
            ..Self::default()
        };
        if first.contains('=') {
            entry.set = assignments(rest)?;
        } else {
            let (event_type, payload) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if event_type.is_empty() || payload.trim().is_empty() {
                return Err(Failure::usage(
                    "write AGGREGATE PATH=VALUE ..., AGGREGATE TYPE JSON, or a JSON object",
                ));
            }
            entry.event_type = Some(event_type.into());
            entry.payload = Some(parsed(payload, "the content")?);
        }
        Ok(entry)
    }

    /// What the replica is given to write.
    pub(super) fn draft(&self) -> Result<Draft, Failure> {
        let event_type = self.event_type.as_deref();
        let draft = match (&self.payload, self.edits_fields()) {
            (Some(_), true) => {
                return Err(Failure::usage(
                    "an event has either a payload or fields to set and remove",
                ));
            }
            (Some(payload), false) => {
                let event_type = event_type.ok_or_else(|| Failure::usage("the type is missing"))?;
                Draft::new(self.aggregate.as_str(), event_type, payload)?
            }
            (None, true) => {
                let payload = Payload::encode(&self.edit()?).map_err(EventError::from)?;
                Draft::raw(
                    self.aggregate.as_str(),
                    event_type.unwrap_or(EDITED),
                    payload,
                )?
            }
            (None, false) => {
                return Err(Failure::usage("the event has no content").with_remedy(
                    "give it as JSON, or name fields with --set, --remove or --fields",
                ));
            }
        };
        let with = |draft: Draft, (key, value): (&String, &String)| draft.with_metadata(key, value);
        Ok(self.meta.iter().try_fold(draft, with)?)
    }

    pub(super) fn aggregate(&self) -> &str {
        &self.aggregate
    }

    /// A hint for the mistake that is made most: a plain object where an edit is expected.
    pub(super) fn hint(&self) -> Option<String> {
        let object = self.payload.as_ref()?.as_object()?;
        let is_edit = object.keys().all(|key| key == "set" || key == "remove");
        (!is_edit).then(|| {
            String::from(
                "nothing was written; under field merge the content is {\"set\":{...},\"remove\":[...]}: \
                 give plain fields with --fields, or as \"fields\" in a line of stdin",
            )
        })
    }

    fn edits_fields(&self) -> bool {
        let elements = !self.add.is_empty() || !self.discard.is_empty();
        let fields = self.fields.is_some() || !self.set.is_empty() || !self.remove.is_empty();
        fields || elements || !self.count.is_empty()
    }

    /// What a document takes; a record of fields takes the same where nothing is added or counted.
    fn edit(&self) -> Result<DocumentEdit, EventError> {
        let mut edit = DocumentEdit::new();
        for path in &self.remove {
            edit = edit.remove(path.split('.'));
        }
        if let Some(fields) = &self.fields {
            edit = edit.set(Vec::<String>::new(), fields)?;
        }
        for (path, value) in &self.set {
            edit = edit.set(path.split('.'), value)?;
        }
        for (path, element) in &self.add {
            edit = edit.add(path.split('.'), element)?;
        }
        for (path, element) in &self.discard {
            edit = edit.discard(path.split('.'), element)?;
        }
        for (path, step) in &self.count {
            edit = edit.count(path.split('.'), *step)?;
        }
        Ok(edit)
    }
}

/// What `--meta KEY=VALUE` says.
pub(super) fn metadata(pairs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |pair: &String| {
        let (key, value) = split_pair(pair, "--meta", "KEY=VALUE")?;
        Ok((key.to_owned(), value.to_owned()))
    };
    pairs.iter().map(pair).collect()
}

pub(super) fn parsed(text: &str, what: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!("{what} is not JSON: {error}"))
            .with_remedy("a text needs its quotes too, for example '\"dark\"'")
    })
}

fn split_pair<'a>(pair: &'a str, option: &str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    pair.split_once('=')
        .ok_or_else(|| Failure::usage(format!("{option} takes {form}, not {pair:?}")))
}

/// `18` is a number, `milk` is text.
fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}

/// `path=value path="two words"`: a value that begins like a JSON text, list or object ends where
/// that ends, any other at the next space.
fn assignments(mut rest: &str) -> Result<BTreeMap<String, Value>, Failure> {
    let mut set = BTreeMap::new();
    while !rest.is_empty() {
        let (path, value) = split_pair(rest, "each change", "PATH=VALUE")?;
        if path.chars().any(char::is_whitespace) {
            return Err(Failure::usage(format!(
                "each change takes PATH=VALUE, not {path:?}"
            )));
        }
        let (value, after) = if value.starts_with(['"', '[', '{']) {
            first_json(value)?
        } else {
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            let (word, after) = value.split_at(end);
            (json_or_text(word), after)
        };
        set.insert(path.into(), value);
        rest = after.trim_start();
    }
    Ok(set)
}

fn first_json(text: &str) -> Result<(Value, &str), Failure> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(Failure::usage(format!("a value is not JSON: {error}"))),
        None => Value::Null,
    };
    Ok((value, text.get(values.byte_offset()..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(line: &str) -> Value {
        let draft = Entry::from_line(line).unwrap().draft().unwrap();
        super::super::json::from_cbor(draft.payload.decode().unwrap())
    }

    #[test]
    fn a_line_is_an_object_or_words() {
        let edit = r#"{"set":{"a":{"b":1},"t":"two words"}}"#;
        assert_eq!(payload(r#"note/1 a.b=1 t="two words""#).to_string(), edit);
        let line = r#"{"aggregate":"note/1","fields":{"a":{"b":1},"t":"two words"}}"#;
        assert_eq!(payload(line).to_string(), edit);
        let line = r#"{"aggregate":"note/1","set":{"a.b":1,"t":"two words"}}"#;
        assert_eq!(payload(line).to_string(), edit);
        assert_eq!(payload(r#"setting/theme chosen "dark""#), "dark");
        assert_eq!(payload("meter/1 read -5"), -5);
        let draft = Entry::from_line("  note/1 a=milk ")
            .unwrap()
            .draft()
            .unwrap();
        assert_eq!(draft.event_type.as_str(), "edited");
    }

    #[test]
    fn what_is_no_event_is_told() {
        for line in [
            "",
            "note/1",
            "note/1 edited",
            "note/1 edited nonsense",
            "note/1 a=1 nonsense",
            "note/1 a=\"open",
            "{}",
            r#"{"aggregate":"note/1","typo":1}"#,
        ] {
            assert!(Entry::from_line(line).is_err(), "{line}");
        }
        let both = r#"{"aggregate":"note/1","type":"x","payload":1,"remove":["a"]}"#;
        assert!(Entry::from_line(both).unwrap().draft().is_err());
        assert!(Entry::from_line("note a=1").unwrap().draft().is_err());
    }
}
