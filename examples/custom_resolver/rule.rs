//! The rule: what a shelf is, and what may happen to it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anabranch::event::{AggregateId, cbor};
use anabranch::resolver::{Claims, Footprint, Key, ResolverId, Verdict};
use anabranch::{Context, Rejection, Resolver};
use serde::{Deserialize, Serialize};

/// What one event says. Payloads are whatever serde can read and write.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Move {
    /// So much is put on the shelf.
    Delivered {
        /// What was brought.
        items: Items,
    },
    /// So much is taken from it.
    Sold {
        /// Who bought it.
        to: String,
        /// The cart.
        items: Items,
    },
}

/// How many of each. A state holds no hash map, and a payload need not: the order of a `BTreeMap` is
/// the same everywhere.
pub(crate) type Items = BTreeMap<String, u32>;

impl Move {
    fn items(&self) -> &Items {
        match self {
            Self::Delivered { items } | Self::Sold { items, .. } => items,
        }
    }
}

/// What the moves add up to: what is left of each item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shelf(pub(crate) Items);

/// The rule: a cart is sold whole or not at all, and nothing is sold that is not there.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    claims: Claims,
}

impl Stock {
    /// The first draft. "A sale is a subtraction, and subtractions commute": so the rule claims, and
    /// the engine may fold a late sale where it comes.
    pub(crate) const FIRST_DRAFT: Self = Self {
        claims: Claims::commuting(),
    };

    /// The same without the claim.
    pub(crate) const MENDED: Self = Self {
        claims: Claims::none(),
    };
}

impl Resolver for Stock {
    type State = Shelf;
    type Payload = Move;

    /// The version is raised whenever the same events would give another state.
    fn id(&self) -> ResolverId {
        ResolverId::new("stock", 1)
    }

    fn init(&self, _: &AggregateId) -> Shelf {
        Shelf::default()
    }

    /// May refuse an event. It looks at nothing but its arguments, so every replica refuses the same.
    fn admit(&self, stock: &Shelf, moved: &Move, _: &Context<'_, Move>) -> Result<(), Rejection> {
        let Move::Sold { items, .. } = moved else {
            return Ok(());
        };
        for (item, wanted) in items {
            let left = stock.0.get(item).copied().unwrap_or_default();
            if left < *wanted {
                return Err(Rejection::new(format!(
                    "{item}: {wanted} wanted, {left} left"
                )));
            }
        }
        Ok(())
    }

    /// Folds an event that was admitted. It must not panic, whatever the payload says.
    fn apply(&self, stock: &mut Shelf, moved: &Move, _: &Context<'_, Move>) {
        for (item, pieces) in moved.items() {
            let left = stock.0.entry(item.clone()).or_default();
            *left = match moved {
                Move::Delivered { .. } => left.saturating_add(*pieces),
                Move::Sold { .. } => left.saturating_sub(*pieces),
            };
        }
    }

    /// What an event reads or writes: its items. Moves of different items never race, and a late one
    /// costs nothing where nobody has touched its items since. Left out, everything races.
    fn footprint(&self, moved: &Move) -> Footprint {
        let key = |item: &String| Key::leaf([item.as_str()]);
        Footprint::Keys(moved.items().keys().map(key).collect())
    }

    /// What to tell people of two moves of one item that did not know of each other: where neither
    /// was refused, both counted. No state depends on it.
    fn judge(&self, _: &Move, _: &Move) -> Verdict {
        Verdict::Merged
    }

    /// What a move says of one item.
    fn value_at(&self, key: &Key, moved: &Move) -> Option<Vec<u8>> {
        let pieces = moved.items().get(key.path.first()?)?;
        cbor::to_vec(pieces).ok()
    }

    /// What the engine may rely on beyond the laws. A false claim makes replicas differ.
    fn claims(&self) -> Claims {
        self.claims
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("first come, first served")
    }
}

/// So many of each.
pub(crate) fn items<const N: usize>(items: [(&str, u32); N]) -> Items {
    items.map(|(item, pieces)| (item.into(), pieces)).into()
}
