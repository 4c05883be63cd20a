//! Rules, and the payloads that they take.

use anabranch::event::{AggregateId, Payload};
use anabranch::resolver::{
    AddWinsSet, Counter, FieldEdit, FieldMerge, FoldFn, LastWriteWins, Registry, SetEdit,
};

use crate::Done;
use crate::inputs::Write;

/// How keys become aggregates, and what merges them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An aggregate for each key, under the built-in register.
    LastWriteWins,
    /// The same under a fold that claims nothing.
    Replayed,
    /// An aggregate for every hundred keys, each key a field.
    Fields,
    /// An aggregate for each key, which is counted up.
    Counter,
    /// An aggregate for every hundred keys, each key an element that is added or removed.
    Set,
}

/// Keys of one aggregate where it has several.
const TOGETHER: usize = 100;

impl Rule {
    pub(crate) fn registry(self) -> Registry {
        let registry = Registry::new();
        match self {
            Self::LastWriteWins => registry.with_default(LastWriteWins),
            Self::Replayed => registry.with_default(FoldFn::reducer(
                "newest",
                1,
                |_| String::new(),
                |newest, value: &String| newest.clone_from(value),
            )),
            Self::Fields => registry.with_default(FieldMerge),
            Self::Counter => registry.with_default(Counter),
            Self::Set => registry.with_default(AddWinsSet),
        }
    }

    /// The number of the aggregate that a key belongs to.
    pub(crate) fn number(self, key: usize) -> usize {
        match self {
            Self::LastWriteWins | Self::Replayed | Self::Counter => key,
            Self::Fields | Self::Set => key / TOGETHER,
        }
    }

    pub(crate) fn aggregate(number: usize) -> Done<AggregateId> {
        Ok(AggregateId::new(&format!("k/{number}"))?)
    }

    pub(crate) fn payload(self, write: &Write) -> Done<Payload> {
        let field = format!("f{}", write.key % TOGETHER);
        Ok(match self {
            Self::LastWriteWins | Self::Replayed => Payload::encode(&write.value)?,
            Self::Fields => {
                Payload::encode(&FieldEdit::new().set([field.as_str()], &write.value)?)?
            }
            Self::Counter => Payload::encode(&write.step())?,
            Self::Set if write.adds() => Payload::encode(&SetEdit::new().add(&field)?)?,
            Self::Set => Payload::encode(&SetEdit::new().remove(&field)?)?,
        })
    }
}
