//! Why a value is what it is, told to somebody who knows nothing of rules, stamps and lanes.
//!
//! `text` says it in sentences, `json` for programs, `place` finds what lies at a path. Invariants:
//! what is told is what the handle found, nothing is worked out here; what others wrote reaches no
//! terminal unescaped; a page says where the next one begins.

mod json;
mod place;
mod text;

use anabranch::event::Event;
use anabranch::limits::RACE_LOOKS_MAX;
use anabranch::merge::{
    ExplainedRace, Explanation, Outcome, Party, RaceCounts, RaceQuery, WhichRaces,
};
use anabranch::replica::{Replica, Told};
use anabranch::resolver::{ErasedResolver, Footprint};
use serde_json::Value;

pub(super) use self::place::{Path, named};
pub(super) use self::text::person;
use super::arguments::Explain;
use super::failure::{Failure, Kind};
use super::names::Names;
use super::output::Output;
use super::text::count;

/// Events that are told of where nothing is to be seen.
const TOUCHES_SHOWN: usize = 3;

/// An explanation with what else is told.
struct Answer<'a> {
    explanation: Explanation,
    counts: RaceCounts,
    names: Names,
    /// Where nothing is to be seen, the last events that touched what was asked for.
    touches: Vec<Party>,
    path: Option<&'a Path>,
    lists_all: bool,
}

/// Explains one aggregate.
pub(super) async fn run(arguments: &Explain, output: Output) -> Result<(), Failure> {
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    let replica = &opened.replica;
    let explanation = page(replica, arguments).await?;
    let mut answer = answer(replica, explanation).await?;
    answer.lists_all = arguments.all;
    answer.path = arguments.path.as_ref();
    let registry = arguments.place.directory.rules.registry()?;
    let is_narrow = answer.path.is_some() || answer.explanation.pieces.is_empty();
    if is_narrow && let Some(route) = registry.route(&answer.explanation.aggregate) {
        let history = replica.history(&answer.explanation.aggregate).await?;
        answer.narrow(&**route.resolver(), &history)?;
    }
    output.tell(&json::told(&answer), &text::told(&answer))?;
    Ok(opened.replica.close().await?)
}

/// Everything that is told of an aggregate where nothing is left out: for programs, and for people.
pub(super) async fn whole(replica: &Replica, aggregate: &str) -> Result<(Value, String), Failure> {
    let explanation = replica.explain(aggregate, RaceQuery::default()).await?;
    let absent = || Failure::new(Kind::Failed, format!("there is no event of {aggregate}"));
    let answer = answer(replica, explanation.ok_or_else(absent)?).await?;
    Ok((json::told(&answer), text::told(&answer)))
}

async fn answer(replica: &Replica, explanation: Explanation) -> Result<Answer<'_>, Failure> {
    Ok(Answer {
        counts: replica
            .race_counts(&explanation.aggregate, RACE_LOOKS_MAX)
            .await?,
        names: Names::known(&replica.status()),
        touches: Vec::new(),
        explanation,
        path: None,
        lists_all: false,
    })
}

impl Answer<'_> {
    /// Leaves what is told of the path, if there is one, and finds out why nothing is there.
    fn narrow(&mut self, rule: &dyn ErasedResolver, history: &[Told]) -> Result<(), Failure> {
        let path = self.path;
        let touches = |event: &Event| match (rule.footprint(event.payload()), path) {
            (Footprint::Everything, _) => true,
            (Footprint::Keys(keys), None) => !keys.is_empty(),
            (Footprint::Keys(keys), Some(path)) => keys.iter().any(|key| path.meets(key)),
        };
        let explanation = &mut self.explanation;
        if let Some(path) = path {
            explanation.pieces.retain(|piece| path.meets(&piece.key));
            explanation
                .refused
                .retain(|(party, _)| touches(&party.event));
            explanation.rejections = count(explanation.refused.len());
            explanation
                .replaced
                .retain(|(party, _)| touches(&party.event));
            for race in &mut explanation.races {
                race.contested.retain(|place| path.meets(&place.key));
            }
        }
        if explanation.pieces.is_empty() {
            let applied =
                |told: &&Told| told.outcome == Some(Outcome::Applied) && touches(&told.event);
            let last = history.iter().rev().filter(applied).take(TOUCHES_SHOWN);
            let parties = last.map(|told| Party::new(told.event.clone(), told.outcome.clone()));
            self.touches = parties.collect();
        }
        let is_told = !explanation.pieces.is_empty() || !explanation.refused.is_empty();
        match path {
            Some(path) if !is_told && self.touches.is_empty() => {
                let what = format!(
                    "nothing was ever written to {path} of {}",
                    explanation.aggregate
                );
                let remedy = "leave the path out to see all";
                Err(Failure::new(Kind::Failed, what).with_remedy(remedy))
            }
            _ => Ok(()),
        }
    }
}

/// The explanation with as many races as are wanted. Under a path, pages are read until so many are
/// found.
async fn page(replica: &Replica, arguments: &Explain) -> Result<Explanation, Failure> {
    let (aggregate, limit) = (arguments.aggregate.as_str(), usize::from(arguments.limit));
    let which = if arguments.all {
        WhichRaces::All
    } else {
        WhichRaces::Changing
    };
    let mut query = RaceQuery::first(limit, which);
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
        let full = races.len() >= limit;
        let Some(next) = explanation.next.filter(|_| !full) else {
            break;
        };
        let more = replica
            .explain(aggregate, query.after(next))
            .await?
            .ok_or_else(absent)?;
        (page, explanation.next) = (more.races, more.next);
    }
    if races.len() > limit {
        races.truncate(limit);
        explanation.next = races.last().map(ExplainedRace::cursor);
    }
    explanation.races = races;
    Ok(explanation)
}
