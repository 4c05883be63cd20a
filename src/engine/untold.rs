use alloc::collections::VecDeque;

use super::change::{Change, News};
use super::watching::CameIn;
use crate::event::AggregateId;
use crate::limits::WATCH_CHANGES_MAX;
use crate::merge::NameTable;

/// The changes that one watch has not told yet, one for an aggregate, the one that began first in front.
/// Taking news, finding a change and telling one cost a hash of a name; where the reader keeps up, so that
/// there are few, a look at these.
#[derive(Debug)]
pub(super) struct Untold {
    queue: VecDeque<Pending>,
    /// How many changes were told: the number of the one in front.
    told: u64,
    /// The number of each aggregate's change, since there were more than a few and until there is none.
    numbers: NameTable<u64>,
    has_numbers: bool,
    seed: u64,
}

/// So many changes are looked through.
const FEW: usize = 2;

#[derive(Debug)]
struct Pending {
    change: Change,
    /// The position after its newest event.
    until: u64,
    /// Of events that have not been folded yet: at most this came of them.
    open: Option<CameIn>,
}

impl Pending {
    /// What came of those events is known.
    fn settle(&mut self, came_in: CameIn) {
        if self.open.take().is_some() {
            self.change.late |= came_in.late;
            self.change.raced |= came_in.raced;
        }
    }

    fn leave_open(&mut self, came_in: CameIn) {
        let all = self.open.get_or_insert_default();
        all.late |= came_in.late;
        all.raced |= came_in.raced;
    }
}

impl Untold {
    /// Nothing to tell. Whoever chooses names must not know the seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            told: 0,
            numbers: NameTable::seeded(seed),
            has_numbers: false,
            seed,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn holds(&self, aggregate: &AggregateId) -> bool {
        self.number(aggregate).is_some()
    }

    fn number(&self, aggregate: &AggregateId) -> Option<u64> {
        if self.has_numbers {
            return self.numbers.get(aggregate);
        }
        let is_it = |(_, pending): &(u64, &Pending)| pending.change.aggregate == *aggregate;
        let found = (self.told..).zip(&self.queue).find(is_it);
        found.map(|(number, _)| number)
    }

    /// The number of the change of an aggregate; of one that has none, from now on this.
    fn number_or_set(&mut self, aggregate: &AggregateId, number: u64) -> Option<u64> {
        if !self.has_numbers && self.queue.len() >= FEW {
            for (number, pending) in (self.told..).zip(&self.queue) {
                self.numbers
                    .insert(pending.change.aggregate.clone(), number);
            }
            self.has_numbers = true;
        }
        if self.has_numbers {
            self.numbers.find_or_insert(aggregate, number)
        } else {
            self.number(aggregate)
        }
    }

    /// Takes what came to an aggregate at the position before `until`.
    pub(super) fn take(&mut self, news: News<'_>, until: u64, open: Option<CameIn>) {
        let number = self.told + u64::try_from(self.queue.len()).unwrap_or_default();
        if let Some(number) = self.number_or_set(news.aggregate, number) {
            if let Some(pending) = self.numbered(number) {
                pending.change.absorb(news);
                pending.until = until.max(pending.until);
                if let Some(open) = open {
                    pending.leave_open(open);
                }
            }
        } else {
            self.queue.push_back(Pending {
                change: news.into(),
                until,
                open,
            });
        }
    }

    /// An aggregate was folded: what came of its new events is known exactly.
    pub(super) fn settle(&mut self, aggregate: &AggregateId, came_in: CameIn) {
        if let Some(number) = self.number(aggregate)
            && let Some(pending) = self.numbered(number)
        {
            pending.settle(came_in);
        }
    }

    /// The aggregate of the change in front, if it has events that have not been folded.
    pub(super) fn first_open(&self) -> Option<&AggregateId> {
        let first = self.queue.front()?;
        first.open.map(|_| &first.change.aggregate)
    }

    /// The change in front, and the position after its newest event. Of events that have not been folded
    /// it says the most that may have come of them.
    pub(super) fn pop(&mut self) -> Option<(Change, u64)> {
        let mut first = self.queue.pop_front()?;
        first.settle(first.open.unwrap_or_default());
        if self.has_numbers {
            self.numbers.remove(&first.change.aggregate);
            self.has_numbers = !self.queue.is_empty();
        }
        self.told += 1;
        // Whoever fell behind is handed a page of the log at once, for which no room is kept.
        if self.queue.is_empty() && self.queue.capacity() > 2 * WATCH_CHANGES_MAX {
            self.queue = VecDeque::new();
            self.numbers = NameTable::seeded(self.seed);
        }
        Some((first.change, first.until))
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Pending> {
        let at = number.checked_sub(self.told)?;
        self.queue.get_mut(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;
    use crate::event::{EventId, ReplicaId, Seq};
    use crate::resolver::Footprint;

    #[test]
    fn no_room_is_kept_for_more_than_a_watch_holds_as_a_rule() {
        let mut untold = Untold::seeded(3);
        let names = (0..3 * WATCH_CHANGES_MAX).map(|at| format!("a/{at}").parse().unwrap());
        let names: Vec<AggregateId> = names.collect();
        for _ in 0..2 {
            for (aggregate, until) in names.iter().zip(1..) {
                let (late, raced, keys) = (true, true, Footprint::Everything);
                let cause = None;
                let news = News {
                    aggregate,
                    cause,
                    keys,
                    late,
                    raced,
                };
                untold.take(news, until, None);
            }
            for name in &names {
                let (change, _) = untold.pop().unwrap();
                assert_eq!((&change.aggregate, change.events), (name, 0));
            }
            assert_eq!(untold.queue.capacity(), 0);
        }
    }

    /// Against a tree of what is to be told and a list of who is told when; many, and mostly few.
    #[test]
    fn each_change_is_told_once_with_everything_that_came_in_the_order_in_which_they_began() {
        for (names, takes) in [(40, 4), (3, 4), (5, 2)] {
            is_told_as_a_tree_tells(names, takes);
        }
    }

    /// So many in eight steps, and one more, are news.
    fn is_told_as_a_tree_tells(names: u64, takes: u64) {
        let mut untold = Untold::seeded(3);
        let mut twin: BTreeMap<AggregateId, (Vec<EventId>, u64, Option<bool>, bool)> =
            BTreeMap::new();
        let mut order: Vec<AggregateId> = Vec::new();
        let mut random = 7u64;
        for step in 1..6_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = AggregateId::new(&format!("a/{}", (random >> 33) % names)).unwrap();
            let (late, raced) = ((random >> 58) & 1 == 1, false);
            let id = EventId::new(ReplicaId::new(1, 1), Seq::new(step).unwrap());
            assert_eq!(untold.holds(&name), twin.contains_key(&name));
            match random >> 61 {
                step_kind if step_kind <= takes => {
                    let open = (random >> 59) & 1 == 1;
                    let news = News {
                        aggregate: &name,
                        cause: Some(id),
                        keys: Footprint::Everything,
                        late: late && !open,
                        raced,
                    };
                    untold.take(news, step, open.then_some(CameIn { late, raced }));
                    let told = twin.entry(name.clone()).or_insert_with(|| {
                        order.push(name);
                        (Vec::new(), 0, None, false)
                    });
                    told.0.push(id);
                    told.1 = step;
                    if open {
                        told.2 = Some(late || told.2 == Some(true));
                    } else {
                        told.3 |= late;
                    }
                }
                5 => {
                    untold.settle(&name, CameIn { late, raced });
                    if let Some(told) = twin.get_mut(&name) {
                        told.3 |= told.2.take().is_some() && late;
                    }
                }
                _ => {
                    let first = order.first().cloned();
                    let is_open = first.as_ref().filter(|name| twin[*name].2.is_some());
                    assert_eq!(untold.first_open(), is_open);
                    let Some(first) = first else {
                        assert!(untold.pop().is_none());
                        continue;
                    };
                    order.remove(0);
                    let (causes, until, open, late) = twin.remove(&first).unwrap();
                    let (change, told_until) = untold.pop().unwrap();
                    assert_eq!((change.aggregate, told_until), (first, until));
                    assert_eq!(change.events, u64::try_from(causes.len()).unwrap());
                    assert!(causes.ends_with(&change.causes));
                    assert_eq!(change.late, late || open == Some(true));
                }
            }
            assert_eq!(
                (untold.len(), untold.is_empty()),
                (order.len(), order.is_empty())
            );
        }
    }
}
