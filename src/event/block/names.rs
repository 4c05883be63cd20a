use alloc::collections::BTreeMap;

use crate::event::{EventType, ReplicaId};
use crate::limits::BLOCK_NAMES_MAX;

/// Numbers that stand for replicas and event types in blocks, agreed upon outside of them.
///
/// At most [`BLOCK_NAMES_MAX`] of each. Whoever writes hands out the numbers, whoever reads is told
/// of them; a block that needs none can be read by anybody.
#[derive(Clone, Debug)]
pub struct BlockNames {
    replicas: Both<ReplicaId>,
    types: Both<EventType>,
}

#[derive(Clone, Debug)]
struct Both<T> {
    numbers: BTreeMap<T, u32>,
    names: BTreeMap<u32, T>,
}

impl<T> Both<T> {
    const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }
}

impl<T: Clone + Ord> Both<T> {
    /// The number of a name, a new one if need be, as long as there is one.
    fn assign(&mut self, name: &T) -> Option<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u32::try_from(self.names.len()).ok()?;
        self.set(number, name.clone()).then_some(number)
    }

    fn set(&mut self, number: u32, name: T) -> bool {
        let is_small = usize::try_from(number).is_ok_and(|number| number < BLOCK_NAMES_MAX);
        if is_small {
            if let Some(before) = self.names.insert(number, name.clone()) {
                self.numbers.remove(&before);
            }
            self.numbers.insert(name, number);
        }
        is_small
    }
}

impl Default for BlockNames {
    fn default() -> Self {
        Self::new()
    }
}

impl BlockNames {
    /// No numbers, for whoever tells everything in full.
    pub(crate) const NONE: &'static Self = &Self::new();

    /// No numbers yet.
    pub const fn new() -> Self {
        Self {
            replicas: Both::new(),
            types: Both::new(),
        }
    }

    /// Whether no number stands for anything.
    pub fn is_empty(&self) -> bool {
        self.replicas.names.is_empty() && self.types.names.is_empty()
    }

    /// The number of a replica, handed out if it has none yet; nothing when there are no more.
    pub fn assign_replica(&mut self, id: ReplicaId) -> Option<u32> {
        self.replicas.assign(&id)
    }

    /// The number of an event type, handed out if it has none yet; nothing when there are no more.
    pub fn assign_type(&mut self, event_type: &EventType) -> Option<u32> {
        self.types.assign(event_type)
    }

    /// Takes note of what a number stands for from now on. Whether the number is within the bound.
    pub fn set_replica(&mut self, number: u32, id: ReplicaId) -> bool {
        self.replicas.set(number, id)
    }

    /// Takes note of what a number stands for from now on. Whether the number is within the bound.
    pub fn set_type(&mut self, number: u32, event_type: EventType) -> bool {
        self.types.set(number, event_type)
    }

    pub(super) fn number_of_replica(&self, id: ReplicaId) -> Option<u32> {
        self.replicas.numbers.get(&id).copied()
    }

    pub(super) fn number_of_type(&self, text: &str) -> Option<u32> {
        self.types.numbers.get(text).copied()
    }

    pub(super) fn replica(&self, number: u32) -> Option<ReplicaId> {
        self.replicas.names.get(&number).copied()
    }

    pub(super) fn event_type(&self, number: u32) -> Option<&EventType> {
        self.types.names.get(&number)
    }
}
