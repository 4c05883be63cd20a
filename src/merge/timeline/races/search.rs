use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

use super::super::past::Past;
use super::super::rows::{Row, Rows};
use super::super::rule::Rule;
use super::pairs::{Pairs, Sight};
use super::stretches::{Stretches, is_odd};
use crate::event::VersionVector;
use crate::merge::RaceCursor;
use crate::resolver::Footprint;

/// Two events that did not see each other and touch the same keys, very long ones perhaps only
/// nearly the same.
pub(super) struct Pair<'a> {
    pub(super) earlier: &'a Row,
    pub(super) later: &'a Row,
    pub(super) earlier_slot: usize,
    pub(super) later_slot: usize,
    pub(super) later_footprint: &'a Footprint,
}

impl Pair<'_> {
    pub(super) fn cursor(&self) -> RaceCursor {
        RaceCursor {
            later: self.later.event.order_key(),
            earlier: self.earlier.event.order_key(),
        }
    }
}

/// The search for pairs through canonical order.
pub(super) struct Search<'a> {
    rows: &'a Rows,
    past: &'a mut Past,
    rule: Rule<'a>,
    stretches: Stretches,
    after: Option<RaceCursor>,
    /// Pairs with a later event before this place lie before the cursor.
    first: usize,
}

type Call<'a> = &'a mut dyn FnMut(&Pair<'_>) -> ControlFlow<()>;

impl<'a> Search<'a> {
    /// The search for what lies behind a cursor.
    pub(super) fn new(
        rows: &'a Rows,
        past: &'a mut Past,
        rule: Rule<'a>,
        after: Option<RaceCursor>,
    ) -> Self {
        let stretches = Stretches::of(rows, past);
        let later = after.map(|cursor| cursor.later);
        let first = stretches
            .order
            .partition_point(|slot| rows.key(*slot) < later);
        Self {
            rows,
            past,
            rule,
            stretches,
            after,
            first,
        }
    }

    /// Calls for each pair, in the order of cursors.
    pub(super) fn run(&mut self, call: Call<'_>) -> ControlFlow<()> {
        let stretches: Vec<Range<usize>> = self.stretches.from(self.first).collect();
        for stretch in stretches {
            let (mut pairs, mut odd) = (Pairs::default(), self.stretches.is_odd);
            for place in stretch {
                self.step(place, &mut pairs, &mut odd, call)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Calls for each pair with the event at a place as the later one, and adds the event. `odd` is
    /// whether some event so far [is odd](is_odd).
    fn step(
        &mut self,
        place: usize,
        pairs: &mut Pairs,
        odd: &mut bool,
        call: Call<'_>,
    ) -> ControlFlow<()> {
        let Some((later_slot, later)) = self.row(place) else {
            return ControlFlow::Continue(());
        };
        let saw_all = self.stretches.saw_all(place);
        let vector = (!saw_all).then(|| self.past.of(later_slot, self.rows));
        if let Some(vector) = &vector {
            *odd |= is_odd(later, vector, self.rows);
        }
        let footprint = self.rule.footprint(&later.event);
        let mut seen = Seen {
            rows: self.rows,
            order: &self.stretches.order,
            past: self.past,
            vector,
            odd: *odd,
        };
        let others = if saw_all || place < self.first {
            BTreeSet::new()
        } else {
            pairs.unseen(&footprint, &mut seen)
        };
        pairs.add(place, &footprint, &mut seen);
        for earlier in others {
            let Some((earlier_slot, earlier)) = self.row(earlier) else {
                continue;
            };
            let pair = Pair {
                earlier,
                later,
                earlier_slot,
                later_slot,
                later_footprint: &footprint,
            };
            if self.after.is_none_or(|after| pair.cursor() > after) {
                call(&pair)?;
                if mutant!("race-told-twice") {
                    call(&pair)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn row(&self, place: usize) -> Option<(usize, &'a Row)> {
        let slot = *self.stretches.order.get(place)?;
        Some((slot, self.rows.row(slot)?))
    }
}

/// What the event that is looked at saw of those before it.
struct Seen<'a> {
    rows: &'a Rows,
    order: &'a [usize],
    past: &'a mut Past,
    /// Nothing where it saw everything.
    vector: Option<Arc<VersionVector>>,
    /// Whether some event so far [is odd](is_odd).
    odd: bool,
}

impl Sight for Seen<'_> {
    fn saw(&self, place: usize) -> bool {
        let slot = self.order.get(place);
        let row = slot.and_then(|slot| self.rows.row(*slot));
        let vector = self.vector.as_deref();
        vector.is_none_or(|seen| row.is_some_and(|row| seen.contains(row.event.id())))
    }

    fn covers(&mut self, place: usize) -> bool {
        if !self.saw(place) {
            return mutant!("race-missed");
        }
        let (true, Some(vector), Some(slot)) = (self.odd, &self.vector, self.order.get(place))
        else {
            return true;
        };
        self.past.of(*slot, self.rows).is_within(vector)
    }
}
