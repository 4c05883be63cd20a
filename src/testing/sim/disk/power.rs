use bytes::Bytes;

use super::Disk;
use crate::event::AggregateId;
use crate::log::Received;

/// How to take back what was not fsynced.
#[derive(Clone, Debug)]
pub(super) enum Undo {
    /// A group began, when the log had so many entries.
    Group(usize),
    Note(Vec<u8>, Option<Bytes>),
    Fold(AggregateId, Option<(u64, Bytes)>),
}

impl Disk {
    pub(crate) fn sync(&mut self) {
        self.durable = self.entries.len();
        self.undo.clear();
    }

    /// How many groups are written and not fsynced.
    pub(crate) fn loose_groups(&self) -> usize {
        self.undo
            .iter()
            .filter(|step| matches!(step, Undo::Group(_)))
            .count()
    }

    /// What is not fsynced is gone, but for the first so many groups of it, which the disk happened to
    /// write.
    pub(crate) fn lose_power(&mut self, kept_groups: usize) {
        let mut loose = self.loose_groups();
        let mut end = self.entries.len();
        while loose > kept_groups
            && let Some(step) = self.undo.pop()
        {
            match step {
                Undo::Group(began) => {
                    loose -= 1;
                    end = began;
                }
                Undo::Note(key, Some(value)) => drop(self.notes.insert(key, value)),
                Undo::Note(key, None) => drop(self.notes.remove(&key)),
                Undo::Fold(id, Some(row)) => drop(self.folds.insert(id, row)),
                Undo::Fold(id, None) => drop(self.folds.remove(&id)),
            }
        }
        self.durable = self.durable.min(end);
        if end < self.entries.len() {
            self.entries.truncate(end);
            self.index();
        }
    }

    /// Works everything out anew that follows from the log.
    fn index(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.arrivals.clear();
        self.chains.clear();
        self.received = Received::new();
        self.waiting.clear();
        self.ready.clear();
        self.touching.clear();
        for entry in entries {
            self.push(entry);
        }
    }

    /// The fsynced part, as a copy that may be put back some day.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = self.clone();
        copy.lose_power(0);
        copy
    }
}
