//! A store that answers at once: it keeps the log in memory and finds the events of an aggregate.
//!
//! What it cannot answer a receiver of frames does not ask.

use std::collections::HashMap;

use anabranch::event::AggregateId;
use anabranch::log::{EntryKind, EntryList, Group, History, HistoryFrom};
use bytes::Bytes;

/// The log, with an index that is made when somebody asks.
#[derive(Default)]
pub(crate) struct KeptLog {
    entries: EntryList,
    folds: HashMap<AggregateId, (usize, Bytes)>,
    places: HashMap<AggregateId, Vec<u32>, foldhash::fast::RandomState>,
    /// Entries that the index holds.
    indexed: usize,
}

impl KeptLog {
    pub(crate) fn append(&mut self, group: Group) {
        self.entries.extend(group.entries);
        let end = self.entries.len();
        for row in group.states {
            self.folds.insert(row.aggregate, (end, row.bytes));
        }
    }

    pub(crate) fn history(&mut self, aggregate: &AggregateId, from: HistoryFrom) -> History {
        self.index();
        let fold = match from {
            HistoryFrom::Fold => self.folds.get(aggregate),
            HistoryFrom::Start => None,
        };
        let start = fold.map_or(0, |(end, _)| *end);
        let places = self.places.get(aggregate).map_or(&[][..], Vec::as_slice);
        let places = places.iter().map(|place| *place as usize);
        let entries = places.filter(|place| *place >= start);
        History {
            fold: fold.map(|(_, bytes)| bytes.clone()),
            entries: entries
                .filter_map(|place| Some((place as u64, self.entries.get(place)?.to_entry())))
                .collect(),
        }
    }

    fn index(&mut self) {
        for (place, entry) in (self.indexed..).zip(self.entries.iter_from(self.indexed)) {
            if entry.kind == EntryKind::Waiting {
                continue;
            }
            for event in entry.commit.events() {
                if let Some(places) = self.places.get_mut(event.aggregate()) {
                    places.push(place as u32);
                } else {
                    self.places
                        .insert(event.aggregate().clone(), vec![place as u32]);
                }
            }
        }
        self.indexed = self.entries.len();
    }
}
