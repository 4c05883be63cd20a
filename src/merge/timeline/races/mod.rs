//! Races: pairs of events that did not know of each other and touch the same keys.
//!
//! Nothing of them is kept, as n concurrent writes of one key make n squared pairs: they are found
//! and judged when somebody asks, page by page. The invariant kept here: which races there are, and
//! their order, follows from causality and footprints alone, never from the order of arrival.
//!
//! This module knows no states and no folding; what became of an event it reads off its row.

mod pairs;
mod search;
mod settled;
mod stretches;

use alloc::vec::Vec;
use core::ops::ControlFlow;

use self::search::{Pair, Search};
use super::Timeline;
use super::rows::{Row, Rows};
use super::rule::Rule;
use crate::limits::{CONTESTED_MAX, RACE_LOOKS_MAX, RACE_PAGE_MAX};
use crate::merge::{
    Contested, ExplainedRace, Guard, Party, RaceCounts, RaceCursor, RacePage, RaceQuery, Side,
    WhichRaces,
};
use crate::resolver::{Decision, Key, Verdict};

impl Timeline {
    /// One page of the races among the valid events that are not skipped, by the canonical order of
    /// the later event, then of the earlier one. [Fold](Self::fold) first, so that it is known what
    /// became of each event. Lists nothing without a rule, and nothing while the history is not in
    /// memory.
    ///
    /// Costs one pass over the heads of all events, the footprints of the stretches of concurrency
    /// from the one with the cursor to the end of the page, and two decoded payloads for each pair
    /// that is judged, unlisted ones included: at most [`RACE_LOOKS_MAX`] of these, so that a page may
    /// have fewer races than asked for though others follow.
    ///
    /// Every call of the resolver happens under the guard. Where the rule panics, an event counts as
    /// touching everything, and a race is listed without its places.
    pub fn races(&mut self, query: &RaceQuery, guard: &dyn Guard) -> RacePage {
        let limit = query.limit.clamp(1, RACE_PAGE_MAX);
        let mut page = RacePage::default();
        let (mut looks, mut last) = (0, query.after);
        self.each_race(query.after, guard, &mut |pair, race| {
            if looks == RACE_LOOKS_MAX {
                page.next = last;
                return ControlFlow::Break(());
            }
            looks += 1;
            let wanted = |race: &ExplainedRace| query.which == WhichRaces::All || !race.is_agreed();
            if let Some(race) = race.filter(wanted) {
                if page.races.len() == limit {
                    page.next = last;
                    return ControlFlow::Break(());
                }
                page.races.push(race);
            }
            last = Some(pair.cursor());
            ControlFlow::Continue(())
        });
        self.tell_decisions(&mut page, guard);
        page
    }

    /// How many races there are, and what was decided, among the first `pairs_max` of them and at
    /// most [`RACE_LOOKS_MAX`]. Costs what a [page](Self::races) with all of them costs.
    pub fn race_counts(&mut self, pairs_max: usize, guard: &dyn Guard) -> RaceCounts {
        let mut counts = RaceCounts::default();
        let mut looks = 0;
        self.each_race(None, guard, &mut |_, race| {
            if looks == pairs_max.min(RACE_LOOKS_MAX) {
                counts.more = true;
                return ControlFlow::Break(());
            }
            looks += 1;
            if let Some(race) = race {
                counts.add(&race);
            }
            ControlFlow::Continue(())
        });
        counts
    }

    /// Calls for each pair behind a cursor that may overlap, until told to stop, with the race if it
    /// is one.
    fn each_race(
        &mut self,
        after: Option<RaceCursor>,
        guard: &dyn Guard,
        call: &mut dyn FnMut(&Pair<'_>, Option<ExplainedRace>) -> ControlFlow<()>,
    ) {
        let Some(route) = self.route.as_ref().filter(|_| self.complete) else {
            return;
        };
        let rule = Rule::new(route, guard);
        let mut search = Search::new(&self.rows, &mut self.past, rule, after);
        // Nothing is to be done after a stop.
        let _ = search.run(&mut |pair| call(pair, explained(pair, &self.rows, rule)));
    }
}

/// A pair with everything that is told of it; nothing if the two share no place after all.
fn explained(pair: &Pair<'_>, rows: &Rows, rule: Rule<'_>) -> Option<ExplainedRace> {
    let mut keys = rule
        .footprint(&pair.earlier.event)
        .shared(pair.later_footprint);
    if keys.is_empty() {
        return None;
    }
    let places = keys.len();
    keys.truncate(CONTESTED_MAX);
    let (earlier, later) = (rows.party(pair.earlier), rows.party(pair.later));
    let decisions = rule.decide(&keys, &earlier.event, &later.event);
    let changes_at = |decision: &Decision| changes(decision, &later);
    let late = pair.earlier_slot > pair.later_slot;
    let rewrote = late && earlier.is_applied() && decisions.iter().any(changes_at);
    let contested: Vec<Contested> = keys
        .into_iter()
        .zip(decisions)
        .map(|(key, decision)| contested(key, decision, &earlier, &later))
        .collect();
    Some(ExplainedRace {
        more_contested: contested.len() < places,
        earlier,
        later,
        contested,
        late,
        rewrote,
    })
}

/// Whether an earlier event that was admitted changes what the later one alone had made of a place.
fn changes(decision: &Decision, later: &Party) -> bool {
    let untold = decision.earlier.is_none() && decision.later.is_none();
    match decision.verdict {
        _ if later.rejection().is_some() => true,
        Verdict::Agree => false,
        Verdict::LaterWins => later.is_applied() && untold,
        _ => later.is_applied(),
    }
}

fn contested(key: Key, decision: Decision, earlier: &Party, later: &Party) -> Contested {
    let refused = (earlier.rejection().is_some(), later.rejection().is_some());
    let overruled = match (refused, decision.verdict) {
        ((true, false), _) | ((false, false), Verdict::LaterWins) => Some(Side::Earlier),
        ((false, true), _) | ((false, false), Verdict::EarlierWins) => Some(Side::Later),
        _ => None,
    };
    let whole = key == Key::everything();
    let payload = |party: &Party| whole.then(|| party.event.payload().as_bytes().to_vec());
    Contested {
        key,
        verdict: decision.verdict,
        rule: decision.rule.into_owned(),
        earlier_value: decision.earlier.or_else(|| payload(earlier)),
        later_value: decision.later.or_else(|| payload(later)),
        overruled,
        decided_by: None,
    }
}

impl Rows {
    pub(super) fn party(&self, row: &Row) -> Party {
        Party::new(row.event.clone(), self.outcome(row))
    }
}

impl RaceCounts {
    fn add(&mut self, race: &ExplainedRace) {
        let decided = |verdict| {
            let places = &race.contested;
            u64::from(places.iter().any(|place| place.verdict == verdict))
        };
        self.pairs += 1;
        self.changing += u64::from(!race.is_agreed());
        self.later_wins += decided(Verdict::LaterWins);
        self.earlier_wins += decided(Verdict::EarlierWins);
        self.merged += decided(Verdict::Merged);
        self.both_kept += decided(Verdict::BothKept);
        self.agree += decided(Verdict::Agree);
        self.open += decided(Verdict::Open);
    }
}
