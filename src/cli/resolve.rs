use anabranch::event::{Digest, Draft, EventError, Payload};
use anabranch::merge::{ExplainedPiece, Explanation, RaceQuery, WhichRaces};
use anabranch::replica::Replica;
use anabranch::resolver::{DocumentEdit, Key, Manual};
use ciborium::Value as Cbor;
use serde_json::{Value, json};

use super::arguments::Resolve;
use super::explain::{named, person};
use super::failure::{Failure, Kind};
use super::json::{from_bytes, from_cbor};
use super::names::Names;
use super::output::Output;
use super::place::Opened;
use super::record::sent;
use super::text::{escaped, escaped_json};

/// What a decision is called that was given no type.
const RESOLVED: &str = "resolved";
/// Digits of the token that stands for what was shown.
const TOKEN_DIGITS: usize = 12;

/// Shows what is open in an aggregate, or settles it.
pub(super) async fn run(arguments: &Resolve, output: Output) -> Result<(), Failure> {
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    if arguments.take.is_none() && arguments.value.is_none() {
        let choices = Choices::of(&opened.replica, arguments).await?;
        choices.show(&opened.replica, output)?;
    } else {
        settle(&opened, arguments, output).await?;
    }
    Ok(opened.replica.close().await?)
}

/// Decides one choice on the ground of exactly what was shown.
async fn settle(opened: &Opened, arguments: &Resolve, output: Output) -> Result<(), Failure> {
    let replica = &opened.replica;
    let aggregate = arguments.aggregate.as_str();
    // Read before it is looked at once more: what is told below is at least as new as this.
    let seen = replica.reading::<Cbor>(aggregate).await?;
    let choices = Choices::of(replica, arguments).await?;
    if arguments.seen.as_deref() != Some(choices.token.as_str()) {
        let what = match &arguments.seen {
            Some(_) => "what is open has changed since it was shown",
            None => "say with --seen what was shown when the decision was made",
        };
        let look = format!("look again with `anabranch resolve {aggregate}`");
        return Err(Failure::new(Kind::Refused, what).with_remedy(look));
    }
    let choice = choices.chosen()?;
    let value = choice.value(arguments)?;
    let draft = choices.draft(choice, &value, arguments)?;
    let recorded = replica.record_on(&seen, draft).await?;
    let report = opened.exchange(output).await?;
    let sent = sent(report.as_ref(), &recorded)?;
    let place = named(&choice.key);
    let (value, id) = (from_cbor(value), recorded.commit.to_string());
    let json = json!({
        "kind": "resolved",
        "aggregate": aggregate,
        "path": choice.key.path,
        "value": value,
        "id": id,
        "sent": sent,
    });
    let how = if sent {
        "durable at the hub"
    } else {
        "durable here"
    };
    let shown = escaped_json(&value);
    let text = format!(
        "settled {place} of {} as {shown}, {how}: {id}",
        escaped(aggregate)
    );
    output.tell(&json, &text)
}

/// One place where a person has to decide.
struct Choice {
    key: Key,
    pieces: Vec<ExplainedPiece>,
}

/// All that is open in one aggregate, as it is shown.
struct Choices {
    aggregate: String,
    rule: String,
    open: Vec<Choice>,
    /// Stands for the events that were seen.
    token: String,
}

impl Choices {
    async fn of(replica: &Replica, arguments: &Resolve) -> Result<Self, Failure> {
        let aggregate = arguments.aggregate.as_str();
        let query = RaceQuery::first(1, WhichRaces::Changing);
        let explanation = replica.explain(aggregate, query).await?;
        let explanation = explanation.ok_or_else(|| {
            let what = format!("there is no event of {aggregate}");
            Failure::new(Kind::Failed, what).with_remedy("`anabranch state` lists all")
        })?;
        let token = token(&explanation);
        let mut open: Vec<Choice> = Vec::new();
        for piece in explanation.pieces.into_iter().filter(|piece| piece.open) {
            match open.iter_mut().find(|choice| choice.key == piece.key) {
                Some(choice) => choice.pieces.push(piece),
                None => open.push(Choice {
                    key: piece.key.clone(),
                    pieces: vec![piece],
                }),
            }
        }
        if let Some(path) = &arguments.path {
            open.retain(|choice| path.is(&choice.key));
        }
        let rule = explanation.rule.map(|rule| rule.name.into_owned());
        Ok(Self {
            aggregate: aggregate.into(),
            rule: rule.unwrap_or_default(),
            open,
            token,
        })
    }

    fn chosen(&self) -> Result<&Choice, Failure> {
        match self.open.as_slice() {
            [one] => Ok(one),
            [] => Err(Failure::new(Kind::Failed, "nothing is open there")),
            _ => Err(Failure::usage("several places are open: name one")),
        }
    }

    fn draft(&self, choice: &Choice, value: &Cbor, arguments: &Resolve) -> Result<Draft, Failure> {
        let payload = if choice.key.path.is_empty() {
            Manual::resolution(value).and_then(|edit| Payload::encode(&edit))
        } else {
            let path = choice.key.path.iter().map(String::as_str);
            DocumentEdit::new()
                .resolve(path, value)
                .and_then(|edit| Payload::encode(&edit))
        };
        let payload = payload.map_err(EventError::from)?;
        let event_type = arguments.event_type.as_deref().unwrap_or(RESOLVED);
        let mut draft = Draft::raw(self.aggregate.as_str(), event_type, payload)?;
        for (key, value) in super::entry::metadata(&arguments.meta)? {
            draft = draft.with_metadata(&key, &value)?;
        }
        Ok(draft)
    }

    fn show(&self, replica: &Replica, output: Output) -> Result<(), Failure> {
        let open = self.open.iter().map(|choice| {
            let pieces = choice.pieces.iter();
            let values = pieces.map(|piece| {
                let from = piece
                    .from
                    .parties()
                    .iter()
                    .map(|party| party.id().to_string());
                json!({ "value": from_bytes(&piece.value), "from": from.collect::<Value>() })
            });
            json!({ "path": choice.key.path, "values": values.collect::<Value>() })
        });
        let json = json!({
            "kind": "open",
            "aggregate": self.aggregate,
            "rule": self.rule,
            "open": open.collect::<Value>(),
            "seen": self.token,
        });
        output.tell(&json, &self.text(&Names::known(&replica.status())))
    }

    fn text(&self, names: &Names) -> String {
        let aggregate = escaped(&self.aggregate);
        if self.open.is_empty() {
            return format!("nothing is open in {aggregate}");
        }
        let mut lines = Vec::new();
        for choice in &self.open {
            lines.push(format!("{} of {aggregate} is open:", named(&choice.key)));
            for (number, piece) in (1..).zip(&choice.pieces) {
                let shown = escaped_json(&from_bytes(&piece.value));
                lines.push(format!("  {number}  {shown}"));
                for party in piece.from.parties() {
                    lines.push(format!("     by {}", person(names, party)));
                }
            }
            let path = match choice.key.path.as_slice() {
                [] => String::new(),
                path => format!(" {}", escaped(&path.join("."))),
            };
            let settle = format!("anabranch resolve {aggregate}{path} --seen {}", self.token);
            lines.push("Settle it with one of them, or with a value of your own:".into());
            lines.push(format!("  {settle} --take 1"));
            lines.push(format!("  {settle} --value JSON"));
        }
        lines.join("\n")
    }
}

impl Choice {
    /// What was decided for: one of the values to the byte, or one that was typed.
    fn value(&self, arguments: &Resolve) -> Result<Cbor, Failure> {
        if let Some(text) = &arguments.value {
            let value: Value = super::entry::parsed(text, "--value")?;
            let payload = Payload::encode(&value).map_err(EventError::from)?;
            return Ok(payload.decode().map_err(EventError::from)?);
        }
        let number = arguments.take.unwrap_or_default();
        let piece = number.checked_sub(1).and_then(|at| self.pieces.get(at));
        let piece = piece.ok_or_else(|| {
            Failure::usage(format!(
                "--take takes 1 to {}, not {number}",
                self.pieces.len()
            ))
        })?;
        let value = anabranch::event::cbor::from_slice(&piece.value);
        value.map_err(|error| Failure::new(Kind::Failed, error.to_string()))
    }
}

/// Names what was seen of an aggregate: its heads, on whatever replica.
fn token(explanation: &Explanation) -> String {
    let heads: Vec<String> = explanation.heads.iter().map(ToString::to_string).collect();
    let digest = Digest::of(heads.join(" ").as_bytes()).to_string();
    digest.chars().take(TOKEN_DIGITS).collect()
}
