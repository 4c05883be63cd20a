//! Who wrote what of one aggregate, and what each had seen of the others: lanes in the terminal.
//!
//! `lanes` draws knots of numbered lanes, a pure function. Invariants: what is drawn is in canonical
//! order, so it is the same on every replica that has the same events; an arrow stands for a head
//! that the event names, and where it cannot be drawn truly, the line says it in words.
//!
//! Nothing here decides anything about events: order, heads and outcomes come from the handle.

mod lanes;

use std::collections::{BTreeMap, BTreeSet};

use anabranch::event::{Event, EventId, ReplicaId};
use anabranch::limits::{LOG_COLUMNS, LOG_LANES_MAX, LOG_TEXT_COLUMNS};
use anabranch::merge::Outcome;
use anabranch::replica::Told;
use serde_json::{Value, json};

use self::lanes::{Drawn, Knot, Mark, Sight, draw, legend};
use super::arguments::Log;
use super::event::content;
use super::failure::{Failure, Kind};
use super::names::Names;
use super::output::Output;
use super::text::{cut, escaped, escaped_json, utc};

/// Draws the events of one aggregate.
pub(super) async fn run(arguments: &Log, output: Output) -> Result<(), Failure> {
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    let replica = &opened.replica;
    let aggregate = arguments.aggregate.as_str();
    let Some(status) = replica.describe(aggregate).await? else {
        let what = format!("there is no event of {aggregate}");
        return Err(Failure::new(Kind::Failed, what).with_remedy("`anabranch state` lists all"));
    };
    let history = replica.history(aggregate).await?;
    let shown = if arguments.all {
        history.len()
    } else {
        arguments.last
    };
    let above = history.len().saturating_sub(shown);
    let heads: BTreeSet<EventId> = status.heads.iter().map(|head| head.id).collect();
    let picture = Picture::of(&history, &heads, above);
    let told = history.get(above..).unwrap_or_default();
    if output.is_json() {
        for told in told {
            output.tell(&event_json(told, &heads), "")?;
        }
    } else {
        let names = Names::known(&replica.status());
        output.tell(&Value::Null, &picture.text(told, &names, replica.id()))?;
    }
    Ok(opened.replica.close().await?)
}

fn event_json(told: &Told, heads: &BTreeSet<EventId>) -> Value {
    let mut json = super::event::json(&told.event);
    let seen = told.event.heads().iter().map(|head| head.id.to_string());
    json.insert("heads".into(), seen.collect());
    json.insert("is_head".into(), heads.contains(&told.event.id()).into());
    json.insert("outcome".into(), outcome_json(told.outcome.as_ref()));
    Value::Object(json)
}

/// What became of an event, as all commands show it to programs.
pub(super) fn outcome_json(outcome: Option<&Outcome>) -> Value {
    match outcome {
        None => Value::Null,
        Some(Outcome::Applied) => json!({ "kind": "applied" }),
        Some(Outcome::Rejected(why)) => json!({ "kind": "rejected", "reason": why.reason() }),
        Some(Outcome::Replaced(by)) => json!({ "kind": "replaced", "by": by.to_string() }),
    }
}

/// A history as numbered lanes, and what the lines say beside them.
struct Picture {
    knots: Vec<Knot>,
    /// Lanes that began above the first line.
    before: BTreeSet<usize>,
    writers: Vec<ReplicaId>,
    above: usize,
    heads: BTreeSet<EventId>,
}

impl Picture {
    fn of(history: &[Told], heads: &BTreeSet<EventId>, above: usize) -> Self {
        let mut lanes: BTreeMap<ReplicaId, usize> = BTreeMap::new();
        let mut writers = Vec::new();
        let mut newest: BTreeMap<usize, EventId> = BTreeMap::new();
        let mut rows: BTreeMap<EventId, usize> = BTreeMap::new();
        let mut picture = Self {
            knots: Vec::new(),
            before: BTreeSet::new(),
            writers: Vec::new(),
            above,
            heads: heads.clone(),
        };
        for (row, told) in history.iter().enumerate() {
            let id = told.event.id();
            let lane = *lanes.entry(id.replica).or_insert_with(|| {
                writers.push(id.replica);
                writers.len() - 1
            });
            if row < above {
                picture.before.insert(lane);
            } else {
                let others = told
                    .event
                    .heads()
                    .iter()
                    .filter(|head| head.id.replica != id.replica);
                let sees = others.filter_map(|head| {
                    let lane = *lanes.get(&head.id.replica)?;
                    let newest = newest.get(&lane) == Some(&head.id);
                    let knot = rows.get(&head.id).copied();
                    Some(Sight { lane, knot, newest })
                });
                let sees = sees.collect();
                let mark = mark(told, heads);
                rows.insert(id, row - above);
                picture.knots.push(Knot { lane, sees, mark });
            }
            newest.insert(lane, id);
        }
        picture.writers = writers;
        picture
    }

    fn text(&self, told: &[Told], names: &Names, me: ReplicaId) -> String {
        let mut lines = Vec::new();
        for (lane, column) in legend(&self.knots, &self.before, LOG_LANES_MAX) {
            let writer = self.writers.get(lane).copied();
            let name = writer
                .map(|writer| names.replica(writer))
                .unwrap_or_default();
            let me = if writer == Some(me) {
                "  this replica"
            } else {
                ""
            };
            lines.push(format!("{:column$}{name}{me}", ""));
        }
        match self.above {
            0 => {}
            1 => lines.push("... 1 earlier event".into()),
            above => lines.push(format!("... {above} earlier events")),
        }
        let drawn = draw(&self.knots, &self.before, LOG_LANES_MAX);
        for (told, drawn) in told.iter().zip(&drawn) {
            lines.extend(drawn.above.as_ref().map(|line| line.trim_end().to_owned()));
            lines.push(self.line(&told.event, told.outcome.as_ref(), drawn, names));
        }
        lines.join("\n")
    }

    fn line(
        &self,
        event: &Event,
        outcome: Option<&Outcome>,
        drawn: &Drawn,
        names: &Names,
    ) -> String {
        let id = event.id();
        let mut line = format!(
            "{}  {}  {}",
            drawn.line,
            utc(event.written_ms()),
            names.event(id)
        );
        let mut notes = Vec::new();
        if self.heads.contains(&id) {
            notes.push(String::from("head"));
        }
        match outcome {
            Some(Outcome::Rejected(why)) => {
                notes.push(format!("refused: {}", escaped(why.reason())));
            }
            Some(Outcome::Replaced(by)) => notes.push(format!("replaced by {}", names.event(*by))),
            _ => {}
        }
        if let Some(replaced) = event.replaces() {
            notes.push(format!("replaces {}", names.event(replaced)));
        }
        let untold = drawn
            .untold
            .iter()
            .filter_map(|lane| self.writers.get(*lane));
        let untold: BTreeSet<&ReplicaId> = untold.collect();
        let saw = event
            .heads()
            .iter()
            .filter(|head| untold.contains(&head.id.replica));
        let saw: Vec<String> = saw.map(|head| names.event(head.id)).collect();
        if !saw.is_empty() {
            notes.push(format!("had seen {}", saw.join(", ")));
        }
        if !notes.is_empty() {
            line = format!("{line}  ({})", notes.join("; "));
        }
        let room = LOG_COLUMNS.saturating_sub(line.chars().count() + 2);
        let said = format!(
            "{} {}",
            escaped(event.event_type().as_str()),
            escaped_json(&content(event.payload()))
        );
        format!("{line}  {}", cut(&said, room.max(LOG_TEXT_COLUMNS)))
    }
}

fn mark(told: &Told, heads: &BTreeSet<EventId>) -> Mark {
    match &told.outcome {
        Some(Outcome::Rejected(_)) => Mark::Refused,
        Some(Outcome::Replaced(_)) => Mark::Replaced,
        _ if heads.contains(&told.event.id()) => Mark::Head,
        _ => Mark::Applied,
    }
}
