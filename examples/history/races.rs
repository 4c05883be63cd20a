//! Races of the whole history as the engine finds them, page by page.

use std::error::Error;

use anabranch::event::{AggregateId, Commit, EventId};
use anabranch::merge::{Aggregates, ExplainedRace, RaceQuery, WhichRaces};
use anabranch::resolver::{FieldMerge, LastWriteWins, Verdict};

use crate::ancestry::{self, Concurrency, writes};
use crate::data::History;
use crate::in_memory::{deliver, shuffled};
use crate::known::Known;
use crate::{progress, progress_ends};

/// Orders of delivery, the order of the file among them.
const ORDERS: u64 = 3;
/// Races asked for at a time; small, so that there are several pages.
const PAGE: usize = 5;

/// Which race it is, and what was decided at each of its places.
type Decided = (EventId, EventId, Vec<(Vec<String>, Verdict)>);

/// What the engine finds.
#[derive(Default)]
struct Found {
    concurrency: Concurrency,
    /// Races in which one event writes inside or above what the other writes.
    nested: usize,
    /// Those of them that share no exact path.
    only_nested: usize,
    races: Vec<Decided>,
    pages: usize,
}

/// Counts the races in several orders of delivery and compares.
pub(crate) fn run(history: &History, known: &Known) -> Result<(), Box<dyn Error>> {
    let all: Vec<&Commit> = history.told.commits.iter().collect();
    let mut first: Option<Found> = None;
    for order in 0..ORDERS {
        progress(&format!("counting races: order {} of {ORDERS}", order + 1));
        let commits = match order {
            0 => all.clone(),
            seed => shuffled(&all, seed),
        };
        let found = found(&commits)?;
        let one = first.get_or_insert_default();
        if order == 0 {
            *one = found;
        } else if one.concurrency != found.concurrency || one.races != found.races {
            return Err(
                format!("shuffled {order}: the races are not those of the first order").into(),
            );
        }
    }
    progress("counting races by ancestry");
    let slow = ancestry::count(history, &history.told);
    progress_ends();
    let found = first.unwrap_or_default();
    print(&found, &slow, known);
    if found.concurrency != known.concurrency || found.concurrency != slow {
        return Err("the engine finds other races than were counted independently".into());
    }
    Ok(())
}

fn print(found: &Found, slow: &Concurrency, known: &Known) {
    println!(
        "\nRaces found by the engine, the same in {ORDERS} orders of delivery ({} pages)\n",
        found.pages
    );
    let (engine, known) = (&found.concurrency, &known.concurrency);
    let rows = [
        (
            "pairs of concurrent events on one record",
            engine.pairs,
            slow.pairs,
            known.pairs,
        ),
        (
            "pairs that share an exact path",
            engine.sharing,
            slow.sharing,
            known.sharing,
        ),
        (
            "  with a differing value",
            engine.differing,
            slow.differing,
            known.differing,
        ),
        (
            "paths that such pairs share",
            engine.places,
            slow.places,
            known.places,
        ),
        (
            "  with a differing value",
            engine.differing_places,
            slow.differing_places,
            known.differing_places,
        ),
    ];
    println!(
        "  {:42} {:>8} {:>9} {:>14}",
        "", "engine", "ancestry", "independently"
    );
    for (what, engine, slow, known) in rows {
        println!("  {what:42} {engine:>8} {slow:>9} {known:>14}");
    }
    println!(
        "\n  In {} of the races one writes inside or above what the other writes, in {} only that.",
        found.nested, found.only_nested
    );
}

/// Asks for all races of all records: under a rule for the whole record any two concurrent events
/// race, under a rule per field those whose paths meet.
fn found(commits: &[&Commit]) -> Result<Found, Box<dyn Error>> {
    let mut found = Found::default();
    let mut whole = deliver(commits.iter().copied(), LastWriteWins);
    for record in records(&whole) {
        each_race(&mut whole, &record, WhichRaces::All, &mut |_| {
            found.concurrency.pairs += 1;
        })?;
    }
    let mut fields = deliver(commits.iter().copied(), FieldMerge);
    for record in records(&fields) {
        found.pages += each_race(&mut fields, &record, WhichRaces::All, &mut |race| {
            let places = places(race);
            let differing = |(_, verdict): &&(_, Verdict)| *verdict != Verdict::Agree;
            let differing = places.iter().filter(differing).count();
            let count = &mut found.concurrency;
            count.sharing += usize::from(!places.is_empty());
            count.differing += usize::from(differing > 0);
            count.places += places.len();
            count.differing_places += differing;
            found.nested += usize::from(places.len() < race.contested.len());
            found.only_nested += usize::from(places.is_empty());
            found
                .races
                .push((race.earlier.id(), race.later.id(), places));
        })?;
    }
    Ok(found)
}

/// The paths that both events name exactly. A race of fields may also be one of a path with what lies
/// inside it.
pub(crate) fn places(race: &ExplainedRace) -> Vec<(Vec<String>, Verdict)> {
    let (earlier, later) = (writes(&race.earlier.event), writes(&race.later.event));
    let both_name = |path| earlier.contains_key(path) && later.contains_key(path);
    let exact = race
        .contested
        .iter()
        .filter(|place| both_name(&place.key.path));
    exact
        .map(|place| (place.key.path.clone(), place.verdict))
        .collect()
}

/// Every record, in the order of names.
pub(crate) fn records(aggregates: &Aggregates) -> Vec<AggregateId> {
    let timelines = aggregates.iter();
    timelines
        .map(|timeline| timeline.aggregate().clone())
        .collect()
}

/// Calls for each race of a record; how many pages that took.
pub(crate) fn each_race(
    aggregates: &mut Aggregates,
    record: &AggregateId,
    which: WhichRaces,
    call: &mut dyn FnMut(&ExplainedRace),
) -> Result<usize, Box<dyn Error>> {
    let mut query = RaceQuery::first(PAGE, which);
    let mut pages = 0;
    loop {
        let page = aggregates.races(record, &query)?;
        pages += 1;
        for race in &page.races {
            if race.more_contested {
                return Err(format!("{record}: a race has more places than are listed").into());
            }
            call(race);
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(pages),
        }
    }
}
