use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::fold_fn::Judge;
use super::value::canonical;
use super::{Claims, Context, Footprint, Key, Piece, Resolver, ResolverId, Verdict};
use crate::event::{AggregateId, EventId, OrderKey, Payload, PayloadError, cbor};

/// A record as a pure function of its concurrent payloads, as in Riak and CouchDB.
///
/// A write replaces what its writer saw, so what is kept is what nobody has seen and overwritten:
/// one payload where people take turns, several where they did not. The function is given them in
/// canonical order, the last write last, and what it returns is what readers see. It settles
/// nothing: both payloads stay until somebody who saw both writes. It is given none only where no
/// event counted.
///
/// The function is bound by the laws of [`Resolver`] and needs no more than them: what is kept
/// depends on causality alone, so that concurrent events commute. The version is raised whenever
/// the function would return something else.
///
/// The state grows with the payloads that are concurrent, not with history.
///
/// ```
/// use anabranch::resolver::{Registry, Sibling, Siblings};
///
/// // Of several bids that nobody had seen when making another, the highest.
/// let highest = |bids: &[Sibling<u64>]| bids.iter().map(|bid| *bid.payload).max();
/// let registry = Registry::new().with("auction", Siblings::new("highest-bid", 1, highest))?;
/// # Ok::<(), anabranch::resolver::RegistryError>(())
/// ```
pub struct Siblings<P> {
    id: ResolverId,
    merge: Box<Merge<P>>,
    judge: Option<Box<Judge<P>>>,
}

type Merge<P> = dyn Fn(&[Sibling<P>]) -> Result<Vec<u8>, PayloadError> + Send + Sync;

/// One of the payloads that nobody has seen and overwritten.
#[derive(Debug)]
pub struct Sibling<P> {
    /// Its place in the order all replicas share; holds its id.
    pub key: OrderKey,
    /// What it says.
    pub payload: Arc<P>,
    /// The same in canonical CBOR, which is what a state is written as.
    bytes: Bytes,
}

/// The concurrent payloads of one record, in canonical order.
#[derive(Debug)]
pub struct SiblingSet<P>(Vec<Sibling<P>>);

/// A payload as it was read: decoded, and in canonical CBOR.
#[derive(Debug)]
pub struct Statement<P> {
    payload: Arc<P>,
    bytes: Bytes,
}

impl<P> Siblings<P> {
    /// A rule from its name and version and the function.
    pub fn new<N, S, F>(name: N, version: u32, merge: F) -> Self
    where
        N: Into<Cow<'static, str>>,
        S: Serialize,
        F: Fn(&[Sibling<P>]) -> S + Send + Sync + 'static,
    {
        Self {
            id: ResolverId {
                name: name.into(),
                version,
            },
            merge: Box::new(move |siblings| cbor::to_vec(&merge(siblings))),
            judge: None,
        }
    }

    /// Tells people what became of two concurrent payloads that differ, the earlier one first; both
    /// are kept unless told otherwise. No state depends on it.
    #[must_use]
    pub fn with_judge<J>(mut self, judge: J) -> Self
    where
        J: Fn(&P, &P) -> Verdict + Send + Sync + 'static,
    {
        self.judge = Some(Box::new(judge));
        self
    }
}

impl<P> core::fmt::Debug for Siblings<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Siblings({})", self.id)
    }
}

impl<P> Resolver for Siblings<P>
where
    P: DeserializeOwned + Send + Sync + 'static,
{
    type State = SiblingSet<P>;
    type Payload = Statement<P>;

    fn id(&self) -> ResolverId {
        self.id.clone()
    }

    fn init(&self, _: &AggregateId) -> SiblingSet<P> {
        SiblingSet(Vec::new())
    }

    fn apply(
        &self,
        state: &mut SiblingSet<P>,
        written: &Statement<P>,
        cx: &Context<'_, Statement<P>>,
    ) {
        state.write(written, cx.key(), &|id| cx.saw(id));
    }

    fn footprint(&self, _: &Statement<P>) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    fn judge(&self, earlier: &Statement<P>, later: &Statement<P>) -> Verdict {
        if earlier.bytes == later.bytes {
            return Verdict::Agree;
        }
        self.judge.as_ref().map_or(Verdict::BothKept, |judge| {
            judge(&earlier.payload, &later.payload)
        })
    }

    fn value_at(&self, _: &Key, written: &Statement<P>) -> Option<Vec<u8>> {
        Some(written.bytes.to_vec())
    }

    fn pieces(&self, state: &SiblingSet<P>) -> Result<Vec<Piece>, PayloadError> {
        let mut from: Vec<_> = state.iter().map(|sibling| sibling.key.id()).collect();
        from.sort_unstable();
        Ok(Vec::from([Piece {
            key: Key::everything(),
            value: self.present(state)?,
            from,
            open: false,
        }]))
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }

    fn decode(&self, payload: &Payload) -> Result<Statement<P>, PayloadError> {
        Statement::read(canonical(payload)?)
    }

    fn present(&self, state: &SiblingSet<P>) -> Result<Vec<u8>, PayloadError> {
        (self.merge)(&state.0)
    }
}

impl<P> SiblingSet<P> {
    /// Each of them, the last write last.
    pub fn iter(&self) -> impl Iterator<Item = &Sibling<P>> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: no event counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&mut self, written: &Statement<P>, key: OrderKey, saw: &dyn Fn(EventId) -> bool) {
        self.0.retain(|sibling| !saw(sibling.key.id()));
        // A late event may be applied after those that follow it.
        let place = self.0.partition_point(|sibling| sibling.key < key);
        let sibling = Sibling {
            key,
            payload: Arc::clone(&written.payload),
            bytes: written.bytes.clone(),
        };
        self.0.insert(place, sibling);
    }
}

impl<P: DeserializeOwned> Statement<P> {
    fn read(bytes: Bytes) -> Result<Self, PayloadError> {
        let payload = Arc::new(cbor::from_slice(&bytes)?);
        Ok(Self { payload, bytes })
    }
}

impl<P> Clone for Sibling<P> {
    fn clone(&self) -> Self {
        Self {
            key: self.key,
            payload: Arc::clone(&self.payload),
            bytes: self.bytes.clone(),
        }
    }
}

impl<P> Clone for SiblingSet<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> Serialize for SiblingSet<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0
                .iter()
                .map(|sibling| (sibling.key, Raw(sibling.bytes.clone()))),
        )
    }
}

impl<'de, P: DeserializeOwned> Deserialize<'de> for SiblingSet<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<(OrderKey, Raw)> = Vec::deserialize(deserializer)?;
        let mut siblings: Vec<Sibling<P>> = Vec::new();
        for (key, Raw(bytes)) in rows {
            if siblings.last().is_some_and(|last| last.key >= key) {
                return Err(D::Error::custom("siblings are out of order"));
            }
            let Statement { payload, bytes } = Statement::read(bytes).map_err(D::Error::custom)?;
            siblings.push(Sibling {
                key,
                payload,
                bytes,
            });
        }
        Ok(Self(siblings))
    }
}

impl<'de, P: DeserializeOwned> Deserialize<'de> for Statement<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(deserializer)?;
        let bytes = cbor::to_vec(&value).map_err(D::Error::custom)?;
        Self::read(bytes.into()).map_err(D::Error::custom)
    }
}

/// A payload inside a state: a byte string, so that it nests as deep as it may on its own.
struct Raw(Bytes);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(RawBytes)
    }
}

struct RawBytes;

impl Visitor<'_> for RawBytes {
    type Value = Raw;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the bytes of a payload")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Raw, E> {
        Ok(Raw(Bytes::copy_from_slice(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tests::rehearsal::{Rehearsal, Turn, turns};
    use super::*;

    /// Shows all that it is given, in the order in which it is given it.
    fn all() -> Siblings<u8> {
        Siblings::new("all", 1, |siblings: &[Sibling<u8>]| {
            siblings
                .iter()
                .map(|sibling| *sibling.payload)
                .collect::<Vec<_>>()
        })
    }

    fn shown(state: &SiblingSet<u8>) -> Vec<u8> {
        cbor::from_slice(&all().present(state).unwrap()).unwrap()
    }

    fn rehearsal(turns: Vec<Turn>) -> Rehearsal {
        let payloads = (0u8..).map(|number| Payload::encode(&(number % 3)).unwrap());
        Rehearsal::new(turns.into_iter().zip(payloads))
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_nobody_saw(turns in turns(0..12)) {
            let rehearsal = rehearsal(turns);
            let all_events = || 0..rehearsal.len();
            let seen: BTreeSet<usize> = all_events().flat_map(|at| rehearsal.past(at).clone()).collect();
            let kept: Vec<usize> = all_events().filter(|at| !seen.contains(at)).collect();
            let state = rehearsal.fold(&all(), all_events());
            let ids: Vec<_> = state.iter().map(|sibling| sibling.key.id()).collect();
            prop_assert_eq!(ids, kept.iter().map(|at| rehearsal.id(*at)).collect::<Vec<_>>());
            let values: Vec<u8> =
                kept.iter().map(|at| rehearsal.payload(*at).decode().unwrap()).collect();
            prop_assert_eq!(shown(&state), values);
        }

        #[test]
        fn concurrent_writes_commute_and_a_state_goes_on_from_its_encoding(
            turns in turns(0..12),
            draws in prop::collection::vec(any::<prop::sample::Index>(), 12),
        ) {
            let rehearsal = rehearsal(turns);
            let straight = rehearsal.fold(&all(), 0..rehearsal.len());
            let mut state = Rehearsal::start(&all());
            for at in rehearsal.shuffled(&draws) {
                state = cbor::from_slice(&cbor::to_vec(&state).unwrap()).unwrap();
                rehearsal.step(&all(), &mut state, at).unwrap();
            }
            let bytes = cbor::to_vec(&state).unwrap();
            prop_assert!(cbor::is_canonical(&bytes));
            prop_assert_eq!(bytes, cbor::to_vec(&straight).unwrap());
        }
    }

    #[test]
    fn a_state_out_of_order_or_with_another_payload_cannot_be_read() {
        let turn = || (0u64, BTreeSet::new());
        let other = (1u64, BTreeSet::new());
        let rehearsal = rehearsal(Vec::from([turn(), other]));
        let state = rehearsal.fold(&all(), 0..2);
        let value: ciborium::Value = cbor::from_slice(&cbor::to_vec(&state).unwrap()).unwrap();
        let mut rows = value.into_array().unwrap();
        let read = |rows: &Vec<ciborium::Value>| {
            cbor::from_slice::<SiblingSet<u8>>(&cbor::to_vec(rows).unwrap())
        };
        assert_eq!(read(&rows).unwrap().len(), 2);
        rows.reverse();
        assert!(read(&rows).is_err());
        let bytes = cbor::to_vec(&state).unwrap();
        assert!(cbor::from_slice::<SiblingSet<bool>>(&bytes).is_err());
    }

    #[test]
    fn a_piece_names_everybody_it_comes_from() {
        let turn = |replica| (replica, BTreeSet::new());
        let rehearsal = rehearsal(Vec::from([turn(2), turn(0), turn(1)]));
        let state = rehearsal.fold(&all(), 0..3);
        let pieces = Resolver::pieces(&all(), &state).unwrap();
        let ids = [1, 2, 0].map(|at| rehearsal.id(at));
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].from, ids);
        assert_eq!(pieces[0].value, Resolver::present(&all(), &state).unwrap());
    }

    #[test]
    fn two_payloads_are_both_kept_unless_they_agree_or_somebody_says_otherwise() {
        let read = |value: u8| Resolver::decode(&all(), &Payload::encode(&value).unwrap()).unwrap();
        let judge = |rule: &Siblings<u8>| Resolver::judge(rule, &read(1), &read(2));
        assert_eq!(judge(&all()), Verdict::BothKept);
        assert_eq!(
            judge(&all().with_judge(|_, _| Verdict::Merged)),
            Verdict::Merged
        );
        assert_eq!(Resolver::judge(&all(), &read(1), &read(1)), Verdict::Agree);
        // One in two bytes, one in one.
        let long = Payload::from_bytes(Bytes::from_static(&[0x18, 0x01])).unwrap();
        let long = Resolver::decode(&all(), &long).unwrap();
        assert_eq!(Resolver::judge(&all(), &long, &read(1)), Verdict::Agree);
    }
}
