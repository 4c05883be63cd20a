//! The history as it would have been written under other rules: the same people, times and
//! knowledge, with payloads that say the same in another rule's words.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use anabranch::event::{AggregateId, Event, EventId, Payload, PayloadError, cbor};
use anabranch::merge::{Timeline, Unguarded};
use anabranch::resolver::{DocumentEdit, FieldMerge, FieldWrites, Manual, Route};
use serde_json::Value;

use crate::ancestry::Path;
use crate::authors::{Authors, Stamp};
use crate::data::{History, Telling};

/// In which words events say what they write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// The fields that are written, as they are in the history.
    Fields,
    /// The same; what its writer saw of a field is given up before it is claimed anew.
    Claims,
    /// The same; each value is the only element of a set.
    Sets,
    /// The whole record as its writer left it.
    Record,
    /// The same; what its writer saw of the record is given up before it is claimed anew.
    RecordClaims,
    /// The same, for the rule under which a person decides.
    RecordManual,
}

/// What an event of a line is to say instead.
type Say<'a> = &'a dyn Fn(usize, &Event) -> Result<Vec<Payload>, PayloadError>;

/// Records to be written anew.
pub(crate) struct Recast<'a> {
    history: &'a History,
    records: BTreeSet<AggregateId>,
    /// What each writer without decisions left, in canonical CBOR.
    left: BTreeMap<EventId, Payload>,
}

impl<'a> Recast<'a> {
    /// Prepares those records about which there was a decision.
    pub(crate) fn new(history: &'a History) -> Result<Self, Box<dyn Error>> {
        let settled = history.lines.iter().flat_map(|line| &line.settled);
        let records: BTreeSet<AggregateId> = settled.map(|of| of.record.clone()).collect();
        let left = left(history, &records)?;
        Ok(Self {
            history,
            records,
            left,
        })
    }

    /// The history as it is, of these records alone.
    pub(crate) fn as_told(&self) -> Result<Telling, Box<dyn Error>> {
        self.rewrite(&self.history.told, &|_, event| {
            Ok(vec![event.payload().clone()])
        })
    }

    /// The history without decisions in other words.
    pub(crate) fn unsettled(&self, style: Style) -> Result<Telling, Box<dyn Error>> {
        self.rewrite(&self.history.unsettled, &|_, event| self.say(style, event))
    }

    /// The history with the decisions, in the words of [`Rules`](anabranch::resolver::Rules).
    pub(crate) fn decided(&self) -> Result<Telling, Box<dyn Error>> {
        self.rewrite(&self.history.told, &|line, event| {
            let settled = self.history.lines.get(line).map(|line| &line.settled);
            let of_event = settled.into_iter().flatten();
            let of_event = of_event.filter(|settled| settled.record == *event.aggregate());
            let fields: BTreeSet<&Path> = of_event.map(|settled| &settled.field).collect();
            let mut edit = DocumentEdit::new();
            for (path, value) in fields_of(event)? {
                edit = match value {
                    Value::Null => edit.remove(path),
                    value if fields.contains(&path) => edit.resolve(path, &value)?,
                    value => edit.set(path, &value)?,
                };
            }
            Ok(vec![Payload::encode(&edit)?])
        })
    }

    fn say(&self, style: Style, event: &Event) -> Result<Vec<Payload>, PayloadError> {
        let left = || self.left.get(&event.id()).cloned();
        let nothing = || Payload::encode(&());
        Ok(match style {
            Style::Fields => vec![event.payload().clone()],
            Style::Claims | Style::Sets => {
                let mut edit = DocumentEdit::new();
                for (path, value) in fields_of(event)? {
                    edit = match (style, value) {
                        (_, Value::Null) => edit.remove(path),
                        (Style::Sets, value) => edit.set(path, &[value])?,
                        (_, value) => edit.remove(path.clone()).set(path, &value)?,
                    };
                }
                vec![Payload::encode(&edit)?]
            }
            Style::Record => left().into_iter().collect(),
            Style::RecordClaims => {
                let mut said = vec![nothing()?];
                said.extend(left());
                said
            }
            Style::RecordManual => {
                let value: Value = left().map_or(Ok(Value::Null), |left| left.decode())?;
                vec![Payload::encode(&Manual::write(&value)?)?]
            }
        })
    }

    fn rewrite(&self, telling: &Telling, say: Say<'_>) -> Result<Telling, Box<dyn Error>> {
        let mut authors = Authors::default();
        let mut rewritten = Telling::default();
        for number in 0..self.history.lines.len() {
            let Some(commit) = telling.commit(number) else {
                rewritten.push(None);
                continue;
            };
            let mut payloads = BTreeMap::new();
            let mut written_ms = 0;
            for event in commit.events() {
                written_ms = event.written_ms();
                if self.records.contains(event.aggregate()) {
                    payloads.insert(event.aggregate().clone(), say(number, event)?);
                }
            }
            let stamp = Stamp::Like(commit.timestamp(), written_ms);
            let lines = self.history.lines.get(..=number).unwrap_or_default();
            rewritten.push(authors.commit(lines, commit.replica(), stamp, &payloads)?);
        }
        Ok(rewritten)
    }
}

/// What an event writes, field by field; null is what it removes.
fn fields_of(event: &Event) -> Result<Vec<(Path, Value)>, PayloadError> {
    let writes = FieldWrites::read(event.payload())?;
    let mut fields = Vec::new();
    for path in writes.removals() {
        fields.push((path.iter().map(ToString::to_string).collect(), Value::Null));
    }
    let mut leaves: Vec<(Path, &[u8])> = Vec::new();
    writes.for_each_leaf(&mut |path, value| {
        leaves.push((path.iter().map(ToString::to_string).collect(), value));
    });
    for (path, value) in leaves {
        fields.push((path, cbor::from_slice(value)?));
    }
    Ok(fields)
}

/// The record as each writer left it: what they had seen and their own edit, merged field by field.
fn left(
    history: &History,
    records: &BTreeSet<AggregateId>,
) -> Result<BTreeMap<EventId, Payload>, Box<dyn Error>> {
    let mut events: BTreeMap<&AggregateId, Vec<(usize, &Event)>> = BTreeMap::new();
    for line in 0..history.lines.len() {
        let commit = history.unsettled.commit(line);
        for event in commit
            .into_iter()
            .flat_map(anabranch::event::Commit::events)
        {
            if records.contains(event.aggregate()) {
                events
                    .entry(event.aggregate())
                    .or_default()
                    .push((line, event));
            }
        }
    }
    let mut left = BTreeMap::new();
    for (record, events) in events {
        for (line, event) in &events {
            let past = history.lines.get(*line).ok_or("no such line")?;
            let mut timeline = Timeline::new(record.clone(), Some(Route::new(FieldMerge)));
            let seen = events.iter().filter(|(line, _)| past.past.contains(*line));
            for (_, seen) in seen {
                timeline.integrate((*seen).clone(), None);
            }
            timeline.fold(&Unguarded);
            let state = timeline.present().ok_or("a record cannot be folded")??;
            left.insert(event.id(), Payload::from_bytes(state.into())?);
        }
    }
    Ok(left)
}
