//! What people had to settle, found by the engine in the history without their decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use anabranch::event::{AggregateId, Commit, Event, EventId, cbor};
use anabranch::merge::{Aggregates, Contested, ExplainedRace, RaceQuery, WhichRaces};
use anabranch::resolver::{FieldMerge, Verdict};
use serde_json::Value;

use crate::ancestry::{Path, writes};
use crate::data::{History, Numbers, Settled};
use crate::in_memory::deliver;
use crate::known::Known;
use crate::races::{each_race, places, records};
use crate::words::{Words, author, date, short};
use crate::{progress, progress_ends};

/// How many conflicts are told where not all are wanted.
const FEW: usize = 5;

/// A place at which two events that did not know of each other say different things.
type Place = (AggregateId, Path, BTreeSet<EventId>);

/// One decision of a person.
struct Decision<'a> {
    line: usize,
    settled: &'a Settled,
    place: Place,
}

/// Lists the conflicts and checks that the engine finds each that a person settled.
pub(crate) fn run(history: &History, known: &Known, all: bool) -> Result<(), Box<dyn Error>> {
    progress("looking for conflicts without the decisions");
    let decisions = decisions(history)?;
    let mut aggregates = deliver(&history.unsettled.commits, FieldMerge);
    let explained = explained(&mut aggregates, &decisions)?;
    let differing = differing(&mut aggregates)?;
    progress_ends();
    let places: BTreeSet<&Place> = decisions.iter().map(|decision| &decision.place).collect();
    let is_found = |decision: &&Decision<'_>| has_rivals(&explained, decision);
    let found = decisions.iter().filter(is_found).count();
    println!("\nConflicts in the history without the decisions by which people settled them\n");
    println!(
        "  {} decisions were made about {} conflicts ({} twice, in merges apart from each other)",
        decisions.len(),
        places.len(),
        decisions.len() - places.len(),
    );
    println!(
        "  explain lists the conflict of {found} of these, with the values that the person saw"
    );
    let others = differing.iter().filter(|place| !places.contains(place));
    let (overtaken, others): (Vec<_>, Vec<_>) =
        others.partition(|place| is_overtaken(history, place));
    println!(
        "  the engine lists {} more that nobody had to settle: somebody who had seen one of the two\n  \
         values wrote over it before the histories met",
        overtaken.len()
    );
    println!();
    let step = if all {
        1
    } else {
        decisions.len().div_ceil(FEW).max(1)
    };
    for decision in decisions.iter().step_by(step) {
        tell(history, &explained, decision);
    }
    if !all {
        println!("  (all of them: --conflicts)");
    }
    if decisions.len() != known.settled || found != known.settled {
        let settled = known.settled;
        return Err(format!("people settled {settled} paths, the engine lists {found}").into());
    }
    if !others.is_empty() {
        return Err(format!("nobody settled or overtook {} conflicts", others.len()).into());
    }
    Ok(())
}

/// Every decision with the events that it was about.
fn decisions(history: &History) -> Result<Vec<Decision<'_>>, Box<dyn Error>> {
    let mut decisions = Vec::new();
    for (line, of) in history.lines.iter().enumerate() {
        for settled in &of.settled {
            let rival = |(line, _): &(usize, Value)| {
                let events = history
                    .unsettled
                    .commit(*line)
                    .map_or(&[][..], Commit::events);
                let event = events
                    .iter()
                    .find(|event| *event.aggregate() == settled.record);
                event.map(Event::id)
            };
            let rivals: Option<BTreeSet<EventId>> = settled.rivals.iter().map(rival).collect();
            let rivals = rivals.ok_or_else(|| format!("line {line}: a rival is no event"))?;
            let place = (settled.record.clone(), settled.field.clone(), rivals);
            decisions.push(Decision {
                line,
                settled,
                place,
            });
        }
    }
    Ok(decisions)
}

/// What `explain` lists for each record about which there was a decision, by place.
fn explained(
    aggregates: &mut Aggregates,
    decisions: &[Decision<'_>],
) -> Result<BTreeMap<Place, (ExplainedRace, Contested)>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    let records: BTreeSet<&AggregateId> = decisions.iter().map(|of| &of.settled.record).collect();
    for record in records {
        let mut query = RaceQuery::default();
        loop {
            let explanation = aggregates.explain(record, &query)?;
            for race in explanation.races {
                for contested in &race.contested {
                    let place = place(record, &race, contested.key.path.clone());
                    found.insert(place, (race.clone(), contested.clone()));
                }
            }
            match explanation.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
    }
    Ok(found)
}

/// All places of all records at which events that did not know of each other say different things.
fn differing(aggregates: &mut Aggregates) -> Result<BTreeSet<Place>, Box<dyn Error>> {
    let mut differing = BTreeSet::new();
    for record in records(aggregates) {
        each_race(aggregates, &record, WhichRaces::Changing, &mut |race| {
            let places = places(race).into_iter();
            let places = places.filter(|(_, verdict)| *verdict != Verdict::Agree);
            differing.extend(places.map(|(path, _)| place(&record, race, path)));
        })?;
    }
    Ok(differing)
}

fn place(record: &AggregateId, race: &ExplainedRace, path: Path) -> Place {
    let both = BTreeSet::from([race.earlier.id(), race.later.id()]);
    (record.clone(), path, both)
}

/// Whether the conflict is listed with exactly the values that the person saw.
fn has_rivals(
    explained: &BTreeMap<Place, (ExplainedRace, Contested)>,
    decision: &Decision<'_>,
) -> bool {
    let Some((_, contested)) = explained.get(&decision.place) else {
        return false;
    };
    let told = [&contested.earlier_value, &contested.later_value];
    let told: Vec<Option<Value>> = told
        .map(|value| cbor::from_slice(value.as_deref()?).ok())
        .into();
    let mut rivals = decision.settled.rivals.iter();
    contested.verdict != Verdict::Agree
        && rivals.all(|(_, value)| told.contains(&Some(value.clone())))
}

/// Whether somebody who had seen one of the two wrote at the place without having seen the other.
fn is_overtaken(history: &History, (record, path, both): &Place) -> bool {
    let mut rivals = Vec::new();
    let mut later = Vec::new();
    for (line, of) in history.lines.iter().enumerate() {
        let events = history
            .unsettled
            .commit(line)
            .map_or(&[][..], Commit::events);
        for event in events.iter().filter(|event| event.aggregate() == record) {
            if both.contains(&event.id()) {
                rivals.push(line);
            } else if writes(event).contains_key(path) {
                later.push(&of.past);
            }
        }
    }
    let saw_one =
        |past: &&Numbers| rivals.iter().filter(|rival| past.contains(**rival)).count() == 1;
    later.iter().any(saw_one)
}

/// A conflict in the engine's words, and what the person made of it.
fn tell(
    history: &History,
    explained: &BTreeMap<Place, (ExplainedRace, Contested)>,
    decision: &Decision<'_>,
) {
    let Some((race, contested)) = explained.get(&decision.place) else {
        return;
    };
    let mut race = race.clone();
    race.contested = vec![contested.clone()];
    // In which order commits stand in the file is nothing that anybody saw.
    race.late = false;
    println!("  {}", decision.settled.record);
    for sentence in race.sentences(&Words) {
        println!("    {sentence}");
    }
    let (line, result) = (decision.line, &decision.settled.result);
    let says = |value: &Option<Vec<u8>>| {
        let value: Option<Value> = value
            .as_deref()
            .and_then(|value| cbor::from_slice(value).ok());
        value.as_ref() == Some(result)
    };
    let (earlier, later) = (says(&contested.earlier_value), says(&contested.later_value));
    let as_the_rule = match contested.verdict {
        Verdict::LaterWins => later,
        Verdict::EarlierWins => earlier,
        _ => false,
    };
    let how = match (earlier || later, as_the_rule) {
        (false, _) => "another value",
        (true, true) => "as the rule",
        (true, false) => "the overruled value",
    };
    let who = history.told.commit(line).map(Commit::replica).map(author);
    let when = history.lines.get(line).map(|line| date(line.time));
    println!(
        "    {} settled it on {} for {}: {how}\n",
        who.unwrap_or_default(),
        when.unwrap_or_default(),
        short(result)
    );
}
