use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Audit;
use crate::engine::Engine;
use crate::engine::change::News;
use crate::engine::notes::{self, Key};
use crate::engine::writer::WriteItem;
use crate::event::{AggregateId, Digest};
use crate::merge::Shortcuts;
use crate::resolver::{Footprint, Registry, ResolverId, Route};

/// A rule that was seen to break a law, as it is remembered from one opening of the store to the
/// next. A mended rule has a new version and is trusted again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distrusted {
    /// The rule.
    pub resolver: ResolverId,
    /// Shortcuts that are not taken for it any more.
    pub shortcuts: Shortcuts,
    /// Whether it comes to the same whenever it is asked, as far as that is known.
    pub is_deterministic: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    resolver: ResolverId,
    shortcuts: u8,
    is_deterministic: bool,
}

impl Audit {
    /// Takes a note that a store read back.
    pub(in crate::engine) fn restore(&mut self, fingerprint: Digest, value: &Bytes) {
        if let Some(stored) = notes::read::<Stored>(value) {
            let distrusted = Distrusted {
                resolver: stored.resolver,
                shortcuts: Shortcuts::from_bits(stored.shortcuts),
                is_deterministic: stored.is_deterministic,
            };
            self.distrusted.insert(fingerprint, distrusted);
        }
    }

    /// Shortcuts that are not to be taken for a rule.
    pub(in crate::engine) fn avoided(&self, fingerprint: Digest) -> Shortcuts {
        let distrusted = self.distrusted.get(&fingerprint);
        distrusted.map_or(Shortcuts::NONE, |rule| rule.shortcuts)
    }

    /// Whether a rule is known to come to something else when it is asked again.
    pub(super) fn is_chance(&self, fingerprint: Digest) -> bool {
        let distrusted = self.distrusted.get(&fingerprint);
        distrusted.is_some_and(|rule| !rule.is_deterministic)
    }

    /// The rules in use that were seen to break a law.
    pub(in crate::engine) fn distrusted(&self, registry: &Registry) -> Vec<Distrusted> {
        let mut fingerprints: Vec<Digest> = registry
            .iter()
            .map(|(_, route)| route.fingerprint())
            .collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let known = fingerprints.iter().filter_map(|id| self.distrusted.get(id));
        known.cloned().collect()
    }
}

impl Engine {
    /// From now on, and in later openings of the store, these shortcuts are not taken for a rule. What
    /// may be owed to them is folded anew when somebody looks.
    pub(super) fn distrust(&mut self, route: &Route, shortcuts: Shortcuts, is_deterministic: bool) {
        let fingerprint = route.fingerprint();
        let known = self.audit.distrusted.entry(fingerprint);
        let rule = known.or_insert_with(|| Distrusted {
            resolver: route.resolver().id(),
            shortcuts: Shortcuts::NONE,
            is_deterministic: true,
        });
        rule.shortcuts = rule.shortcuts.and(shortcuts);
        rule.is_deterministic &= is_deterministic;
        let note = Key::Distrust(fingerprint).put(&Stored {
            resolver: rule.resolver.clone(),
            shortcuts: rule.shortcuts.to_bits(),
            is_deterministic: rule.is_deterministic,
        });
        if self.writer.failed.is_none() {
            self.writer.push(WriteItem {
                notes: alloc::vec![note],
                ..WriteItem::default()
            });
        }
        if !shortcuts.is_empty() {
            self.fold_anew(fingerprint, shortcuts);
        }
    }

    fn fold_anew(&mut self, fingerprint: Digest, shortcuts: Shortcuts) {
        let of_rule = |route: Option<&Route>| route.map(Route::fingerprint) == Some(fingerprint);
        let hot = self.cache.hot();
        let hot = hot.filter(|timeline| of_rule(timeline.route()));
        let names: Vec<AggregateId> = hot.map(|timeline| timeline.aggregate().clone()).collect();
        for name in names {
            let begin = |timeline: &mut crate::merge::Timeline| {
                let owes = !timeline.used().among(shortcuts).is_empty();
                ((owes, timeline.avoid(shortcuts)), 0)
            };
            let Some((owes, is_possible)) = self.cache.with(&name, begin) else {
                continue;
            };
            if owes {
                self.tell_rewritten(&name);
            }
            match (is_possible, self.watches.wants(&name)) {
                (true, _) => {}
                (false, true) => self.reload(&name, true),
                // Whoever touches it next reads what it needs.
                (false, false) => self.cache.forget(&name),
            }
        }
    }

    /// What was seen of an aggregate may be another state now, though nothing came.
    fn tell_rewritten(&mut self, aggregate: &AggregateId) {
        let news = News {
            aggregate,
            cause: None,
            keys: Footprint::Everything,
            late: true,
            raced: false,
        };
        let position = self.log.end().saturating_sub(1);
        self.tell(news, position, None);
    }
}
