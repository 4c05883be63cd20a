use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Timeline;
use super::folding::Fold;
use super::heads::Known;
use super::order::Order;
use super::prefix::{Extent, Prefix};
use super::rarely::Rarely;
use crate::event::{AggregateId, Digest, PayloadError};
use crate::limits::HEADS_MAX;
use crate::merge::{Shortcut, StaleFold, StoredFold};
use crate::resolver::Route;

impl Timeline {
    /// An aggregate from its stored fold, without its events.
    ///
    /// # Errors
    /// [`StaleFold`] when the fold cannot be used: load the history instead.
    pub fn from_fold(
        aggregate: AggregateId,
        route: Option<Route>,
        stored: StoredFold,
    ) -> Result<Self, StaleFold> {
        let Some(rule) = &route else {
            return Err(StaleFold::NoResolver);
        };
        if rule.fingerprint() != stored.fingerprint && !mutant!("fold-fingerprint-ignored") {
            let (stored, current) = (stored.fingerprint, rule.fingerprint());
            return Err(StaleFold::OtherRule { stored, current });
        }
        let state = rule.resolver().decode_state(&stored.state)?;
        let mut timeline = Self::new(aggregate, route);
        timeline.complete = false;
        timeline.fold = Fold {
            prefix: Some(Box::new(Prefix {
                extent: Some(Box::new(Extent {
                    frontier: stored.heads.iter().map(|(head, _)| (head.id, ())).collect(),
                    seen: stored.seen.clone(),
                })),
                ..Prefix::empty(state)
            })),
            state_bytes: stored.state.len(),
            ..Fold::default()
        };
        let known = |(head, timestamp): (crate::event::Head, _)| {
            (
                head.id,
                Known {
                    tag: Some(head.tag),
                    timestamp,
                },
            )
        };
        let heads = stored.heads.into_iter().map(known);
        timeline.rows.writers_mut().set_seen(heads, &stored.seen);
        timeline.last = stored.last;
        if !stored.strays.is_empty() {
            *timeline.strays = stored.strays;
        }
        if !stored.replaced.is_empty() {
            *timeline.replaced_absent = stored.replaced.into_iter().collect();
        }
        timeline.events = stored.events;
        timeline.rejections = stored.rejections;
        timeline.set = stored.set;
        timeline.avoided = stored.avoided;
        // What it was made by is not kept, only what it was not made by.
        timeline.used = stored.avoided.others().with(Shortcut::StoredFold);
        Ok(timeline)
    }

    /// The fold as a store keeps it; nothing while something is not folded, and for an aggregate
    /// with more than 1,024 heads, or one whose tag is not known. Encodes the state, outside any
    /// guard.
    pub fn to_fold(&self) -> Option<StoredFold> {
        if self.avoided.has(Shortcut::StoredFold) {
            return None;
        }
        Some(StoredFold {
            state: self.storable_state()?,
            fingerprint: self.route.as_ref()?.fingerprint(),
            heads: self.heads(),
            last: self.last,
            seen: self.vector(),
            strays: self.strays.clone(),
            replaced: self.absent(),
            events: self.events,
            rejections: self.rejections,
            set: self.set,
            avoided: self.avoided,
        })
    }

    /// Keeps only the fold in memory. Returns whether that was possible: not while something is not
    /// folded, and not where [`to_fold`](Self::to_fold) gives nothing for another reason than that
    /// it is to be avoided. Encodes the state, to know how much that is, outside any guard.
    pub fn drop_history(&mut self) -> bool {
        let Some(state) = self.storable_state() else {
            return false;
        };
        if self.complete {
            self.fold.state_bytes = state.len();
            let absent = self.absent();
            if !absent.is_empty() {
                *self.replaced_absent = absent.into_iter().collect();
            }
            self.complete = false;
            let heads = self.rows.writers().heads();
            let seen = self.vector();
            if let Some(prefix) = &mut self.fold.prefix {
                prefix.extent = Some(Box::new(Extent {
                    frontier: heads.into_iter().map(|(id, _)| (id, ())).collect(),
                    seen,
                }));
            }
            self.forget();
        }
        true
    }

    /// The state takes so many bytes when it is encoded.
    pub(crate) fn state_measured(&mut self, bytes: usize) {
        if !self.complete {
            self.fold.state_bytes = bytes;
        }
    }

    /// Digest of the encoded state; nothing while there is no current state. Encodes the state,
    /// outside any guard.
    pub fn digest(&self) -> Option<Digest> {
        let state = self.state().ok()?;
        let bytes = self.route.as_ref()?.resolver().encode_state(state).ok()?;
        Some(Digest::of(&bytes))
    }

    /// The state as users read it, in canonical CBOR; of the last good one where there is no
    /// current one, nothing where there is none. Runs outside any guard.
    ///
    /// # Errors
    /// [`PayloadError`] when the state cannot be written.
    pub fn present(&self) -> Option<Result<Vec<u8>, PayloadError>> {
        let resolver = self.route.as_ref()?.resolver();
        Some(resolver.present(self.last_good()?))
    }

    /// Lets go of the events in memory; all of them have been folded.
    pub(super) fn forget(&mut self) {
        self.rows.forget();
        self.order = Order::default();
        if let Some(prefix) = &mut self.fold.prefix {
            (prefix.last, prefix.len) = (None, 0);
        }
        self.replacements = Rarely::default();
        self.past = Rarely::default();
        self.cuts = Rarely::default();
        self.index = Rarely::default();
        self.checkpoints = Rarely::default();
        self.news.arrived_from = 0;
    }

    /// The encoded state, where it can be gone on from together with what else is kept of a fold.
    fn storable_state(&self) -> Option<Vec<u8>> {
        let state = self.state().ok()?;
        let heads = self.rows.writers().heads_len();
        let is_storable =
            self.news.noted.invalid.is_empty() && heads <= HEADS_MAX && self.heads().len() == heads;
        let resolver = self.route.as_ref().filter(|_| is_storable)?.resolver();
        resolver.encode_state(state).ok()
    }

    fn absent(&self) -> Vec<crate::event::EventId> {
        if self.complete {
            self.replacements.absent(&self.rows).collect()
        } else {
            self.replaced_absent.iter().copied().collect()
        }
    }
}
