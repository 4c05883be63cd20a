use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Bound;

use super::LinkState;
use crate::clock::Now;
use crate::engine::LinkId;

/// All connections. One that is worked on keeps its place, where nobody finds it meanwhile.
#[derive(Default)]
pub(in crate::engine) struct Links(BTreeMap<LinkId, Option<Box<LinkState>>>);

impl Links {
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn open(&mut self, state: Box<LinkState>) {
        self.0.insert(state.id, Some(state));
    }

    /// Takes one out to work on it; it is [put back](Self::put_back), or has
    /// [ended](Self::remove).
    pub(super) fn take(&mut self, link: LinkId) -> Option<Box<LinkState>> {
        self.0.get_mut(&link)?.take()
    }

    pub(super) fn put_back(&mut self, state: Box<LinkState>) {
        if let Some(place) = self.0.get_mut(&state.id) {
            *place = Some(state);
        }
    }

    /// The place of one that is over.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.0.remove(&link);
    }

    pub(in crate::engine) fn get(&self, link: LinkId) -> Option<&LinkState> {
        self.0.get(&link)?.as_deref()
    }

    pub(in crate::engine) fn lent(&mut self, link: LinkId) -> Option<&mut LinkState> {
        self.0.get_mut(&link)?.as_deref_mut()
    }

    /// Every connection goes on behind the log up to a position.
    pub(super) fn pass(&mut self, now: Now, next: u64) {
        for state in self.0.values_mut().flatten() {
            state.session.pass(now, next);
        }
    }

    /// All that nobody works on.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &LinkState> {
        self.0.values().filter_map(|place| place.as_deref())
    }

    /// The one behind another; the first one behind nothing.
    pub(super) fn next(&self, behind: Option<LinkId>) -> Option<LinkId> {
        let behind = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.0.range((behind, Bound::Unbounded));
        rest.next().map(|(link, _)| *link)
    }

    /// The names of all.
    pub(in crate::engine) fn ids(&self) -> impl Iterator<Item = LinkId> {
        self.0.keys().copied()
    }
}
