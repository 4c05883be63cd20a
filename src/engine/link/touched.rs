use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::event::AggregateId;
use crate::merge::NameTable;

/// The aggregates that a one-time sync is to look at before it ends, each once, in the order of names.
///
/// Events of the same ones come again and again, and nobody asks for the order until all are here: noting
/// one costs a hash of its name.
#[derive(Debug)]
pub(super) struct Touched {
    listed: NameTable<()>,
    /// Those that were noted since the order was asked for last.
    noted: Vec<AggregateId>,
    ordered: BTreeSet<AggregateId>,
}

impl Touched {
    /// None yet. Whoever chooses names must not know the seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self {
            listed: NameTable::seeded(seed),
            noted: Vec::new(),
            ordered: BTreeSet::new(),
        }
    }

    pub(super) fn note(&mut self, aggregate: &AggregateId) {
        if self.listed.find_or_insert(aggregate, ()).is_none() {
            self.noted.push(aggregate.clone());
        }
    }

    /// Takes the first one out.
    pub(super) fn pop_first(&mut self) -> Option<AggregateId> {
        self.ordered.extend(self.noted.drain(..));
        let first = self.ordered.pop_first()?;
        self.listed.remove(&first);
        Some(first)
    }

    /// This one has been looked at.
    pub(super) fn remove(&mut self, aggregate: &AggregateId) {
        if self.listed.remove(aggregate).is_some() {
            self.ordered.extend(self.noted.drain(..));
            self.ordered.remove(aggregate);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// Against a tree.
    #[test]
    fn each_is_looked_at_once_in_the_order_of_names_until_it_is_touched_again() {
        let (mut touched, mut twin) = (Touched::seeded(3), BTreeSet::new());
        let mut random = 7u64;
        for _ in 0..3_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = AggregateId::new(&format!("a/{}", (random >> 33) % 40)).unwrap();
            match random >> 61 {
                0..=4 => {
                    touched.note(&name);
                    twin.insert(name);
                }
                5 => {
                    touched.remove(&name);
                    twin.remove(&name);
                }
                _ => assert_eq!(touched.pop_first(), twin.pop_first()),
            }
        }
        while let Some(first) = twin.pop_first() {
            assert_eq!(touched.pop_first(), Some(first));
        }
        assert_eq!(touched.pop_first(), None);
    }
}
