//! Why a value is what it is, told to somebody who knows nothing of rules, stamps and lanes.
//!
//! `text` says it in sentences, `json` for programs, `place` finds what lies at a path. Invariants:
//! what is told is what the handle found, nothing is worked out here; what others wrote reaches no
//! terminal unescaped; a page says where the next one begins.

mod json;
mod place;
mod text;

use anabranch::limits::RACE_LOOKS_MAX;
use anabranch::merge::{ExplainedRace, Explanation, RaceQuery, WhichRaces};
use anabranch::replica::Replica;
use serde_json::Value;

pub(super) use self::place::{Path, named};
pub(super) use self::text::person;
use super::arguments::Explain;
use super::failure::{Failure, Kind};
use super::names::Names;
use super::output::Output;

/// Explains one aggregate.
pub(super) async fn run(arguments: &Explain, output: Output) -> Result<(), Failure> {
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    let replica = &opened.replica;
    let mut explanation = page(replica, arguments).await?;
    if let Some(path) = &arguments.path {
        narrow(&mut explanation, path)?;
    }
    let counts = replica
        .race_counts(arguments.aggregate.as_str(), RACE_LOOKS_MAX)
        .await?;
    let names = Names::known(&replica.status());
    let text = text::told(
        &explanation,
        &counts,
        &names,
        arguments.path.as_ref(),
        arguments.all,
    );
    output.tell(&json::told(&explanation, &counts, &names), &text)?;
    Ok(opened.replica.close().await?)
}

/// Everything that is told of an aggregate where nothing is left out: for programs, and for people.
pub(super) async fn whole(replica: &Replica, aggregate: &str) -> Result<(Value, String), Failure> {
    let explanation = replica.explain(aggregate, RaceQuery::default()).await?;
    let absent = || Failure::new(Kind::Failed, format!("there is no event of {aggregate}"));
    let explanation = explanation.ok_or_else(absent)?;
    let counts = replica.race_counts(aggregate, RACE_LOOKS_MAX).await?;
    let names = Names::known(&replica.status());
    let text = text::told(&explanation, &counts, &names, None, false);
    Ok((json::told(&explanation, &counts, &names), text))
}

/// The explanation with as many races as are wanted. Under a path, pages are read until so many are
/// found.
async fn page(replica: &Replica, arguments: &Explain) -> Result<Explanation, Failure> {
    let aggregate = arguments.aggregate.as_str();
    let which = if arguments.all {
        WhichRaces::All
    } else {
        WhichRaces::Changing
    };
    let mut query = RaceQuery::first(arguments.limit, which);
    if let Some(after) = arguments.after {
        query = query.after(after);
    }
    let absent = || {
        let what = format!("there is no event of {aggregate}");
        Failure::new(Kind::Failed, what).with_remedy("`anabranch state` lists all")
    };
    let mut explanation = replica
        .explain(aggregate, query)
        .await?
        .ok_or_else(absent)?;
    let Some(path) = &arguments.path else {
        return Ok(explanation);
    };
    let touches = |race: &ExplainedRace| race.contested.iter().any(|place| path.meets(&place.key));
    let mut races = Vec::new();
    let mut page = std::mem::take(&mut explanation.races);
    loop {
        races.extend(page.into_iter().filter(touches));
        let full = races.len() >= arguments.limit;
        let Some(next) = explanation.next.filter(|_| !full) else {
            break;
        };
        let more = replica
            .explain(aggregate, query.after(next))
            .await?
            .ok_or_else(absent)?;
        (page, explanation.next) = (more.races, more.next);
    }
    if races.len() > arguments.limit {
        races.truncate(arguments.limit);
        explanation.next = races.last().map(ExplainedRace::cursor);
    }
    explanation.races = races;
    Ok(explanation)
}

/// Leaves what is told of one place.
fn narrow(explanation: &mut Explanation, path: &Path) -> Result<(), Failure> {
    explanation.pieces.retain(|piece| path.meets(&piece.key));
    for race in &mut explanation.races {
        race.contested.retain(|place| path.meets(&place.key));
    }
    if explanation.pieces.is_empty() && explanation.races.is_empty() {
        let what = format!(
            "{} has nothing at {path}, and no race there",
            explanation.aggregate
        );
        return Err(Failure::new(Kind::Failed, what).with_remedy("leave the path out to see all"));
    }
    Ok(())
}
