use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::cell::{Siblings, stored_as_image};
use super::{Claims, Context, Footprint, Key, Piece, Resolver, ResolverId, Value, Verdict};
use crate::event::cbor::{self, Writer};
use crate::event::{AggregateId, EventId, Payload, PayloadError};

/// The whole record is one register that keeps every value until somebody who saw it writes over it:
/// one value where people take turns, several where they did not know of each other.
///
/// *Payload*: any CBOR value, the new value of the whole record; null clears what its writer saw. So
/// `Draft::new("note/1", "written", "hello")` writes it and `&()` in its place clears it. A payload
/// that is not well-formed CBOR, or nests deeper than 31 levels, is a rejection.
///
/// *Shown as*: the array of the distinct values, in the order of their canonical bytes; empty where
/// there is none.
///
/// Whoever reads several values chooses, merges, or shows them all; what they write next replaces
/// the ones they saw. A value that was written while a null was does not go with it. Where a
/// *person* has to choose, [`Manual`](super::Manual) sees to it that nobody else does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "multi-value register")]
pub struct MultiValue;

/// The values of a record kept by [`MultiValue`], and who wrote each.
///
/// Grows with the values that are concurrent, not with history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Siblings);

impl Values {
    /// The canonical bytes of the distinct values, in their order, each with the events that wrote
    /// it, in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Vec<EventId>)> {
        self.0.distinct().into_iter()
    }

    /// The distinct values, decoded, in the order of their canonical bytes.
    ///
    /// # Errors
    /// [`PayloadError`] when one of them is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, PayloadError> {
        self.iter()
            .map(|(value, _)| cbor::from_slice(value))
            .collect()
    }

    /// How many distinct values there are.
    pub fn len(&self) -> usize {
        self.0.distinct().len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

stored_as_image!(Values);

impl Resolver for MultiValue {
    type State = Values;
    type Payload = Value;

    fn id(&self) -> ResolverId {
        ResolverId::new("multi-value", 1)
    }

    fn init(&self, _: &AggregateId) -> Values {
        Values::default()
    }

    fn apply(&self, state: &mut Values, value: &Value, cx: &Context<'_, Value>) {
        let saw = |id| cx.saw(id);
        if value.is_null() {
            state.0.clear(&saw);
        } else {
            state.0.write(value.as_bytes(), cx.id(), &saw);
        }
    }

    fn footprint(&self, _: &Value) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    /// A null takes nothing that its writer did not know of.
    fn judge(&self, earlier: &Value, later: &Value) -> Verdict {
        if earlier == later {
            Verdict::Agree
        } else if earlier.is_null() || later.is_null() {
            Verdict::Merged
        } else {
            Verdict::BothKept
        }
    }

    fn value_at(&self, _: &Key, value: &Value) -> Option<Vec<u8>> {
        Some(value.as_bytes().to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("all values are kept")
    }

    /// One piece for each distinct value.
    fn pieces(&self, state: &Values) -> Result<Vec<Piece>, PayloadError> {
        let piece = |(value, from): (&[u8], _)| Piece::whole(value.to_vec(), from, false);
        Ok(state.iter().map(piece).collect())
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }

    fn decode(&self, payload: &Payload) -> Result<Value, PayloadError> {
        Value::read(payload, 1)
    }

    fn present(&self, state: &Values) -> Result<Vec<u8>, PayloadError> {
        let values = state.0.distinct();
        let mut writer = Writer::new();
        writer.array(values.len());
        for value in values.keys() {
            writer.raw(value);
        }
        Ok(writer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::super::cell::NULL;
    use super::super::histories::{
        History, Pasts, all_pasts, all_words, id_of, keeps_its_word, pieces, shown, size_after,
    };
    use super::*;

    fn letters() -> [Payload; 3] {
        ["a".into(), 7.into(), ciborium::Value::Null]
            .map(|value: ciborium::Value| Payload::encode(&value).unwrap())
    }

    /// By the definition: what nobody who saw it wrote over, by value.
    fn kept(pasts: &Pasts, word: &[Payload]) -> BTreeMap<Vec<u8>, Vec<EventId>> {
        let mut kept: BTreeMap<Vec<u8>, Vec<EventId>> = BTreeMap::new();
        for (at, payload) in word.iter().enumerate() {
            if payload.as_bytes() != NULL && !pasts.iter().any(|past| past.contains(&at)) {
                kept.entry(payload.as_bytes().to_vec())
                    .or_default()
                    .push(id_of(at));
            }
        }
        for from in kept.values_mut() {
            from.sort_unstable();
        }
        kept
    }

    #[test]
    fn what_nobody_saw_and_wrote_over_is_kept() {
        for pasts in all_pasts(4) {
            for word in all_words(&letters(), 4) {
                let history = History::new(pasts.clone(), &word);
                let state = history.fold(&MultiValue, &history.canonical_order()).state;
                let expected = kept(&pasts, &word);
                let values = expected
                    .keys()
                    .map(|value| cbor::from_slice(value).unwrap());
                let values = ciborium::Value::Array(values.collect());
                assert_eq!(shown(&MultiValue, &state), values);
                let piece = |(value, from)| Piece::whole(value, from, false);
                let expected: Vec<Piece> = expected.into_iter().map(piece).collect();
                assert_eq!(pieces(&MultiValue, &state), expected);
            }
        }
    }

    #[test]
    fn what_the_engine_relies_on_holds() {
        let unreadable = Payload::from_bytes([0xff].to_vec().into()).unwrap();
        keeps_its_word(&MultiValue, &[&letters()[..], &[unreadable]].concat(), 4);
        assert!(size_after(&MultiValue, &letters(), 100) < 40);
    }

    #[test]
    fn a_state_answers_in_rust_types() {
        let mut state = Values::default();
        assert!(state.is_empty());
        for (at, value) in [[0x07], [0x05], [0x07]].iter().enumerate() {
            state.0.write(value, id_of(at), &|_| false);
        }
        assert_eq!(state.decode::<u8>().unwrap(), [5, 7]);
        assert_eq!((state.len(), state.iter().len()), (2, 2));
        assert!(state.decode::<bool>().is_err());
    }

    #[test]
    fn two_values_are_both_kept_and_a_null_takes_none_that_it_did_not_know() {
        let [one, other, null] = letters().map(|payload| MultiValue.decode(&payload).unwrap());
        let key = Key::everything();
        let judge = |one, other| MultiValue.judge_at(&key, one, other);
        assert_eq!(judge(&one, &one), Verdict::Agree);
        assert_eq!(judge(&one, &other), Verdict::BothKept);
        assert_eq!(judge(&null, &other), Verdict::Merged);
        assert_eq!(judge(&null, &null), Verdict::Agree);
        assert_eq!(MultiValue.value_at(&key, &null).unwrap(), NULL);
        assert_eq!(MultiValue.rule_at(&key), "all values are kept");
    }

    #[test]
    fn what_is_kept_can_be_read_however_deep_it_nests() {
        let deep = |levels: usize| [alloc::vec![0x81; levels], alloc::vec![0x01]].concat();
        let read = |levels| MultiValue.decode(&Payload::from_bytes(deep(levels).into()).unwrap());
        let mut state = Values::default();
        state
            .0
            .write(read(31).unwrap().as_bytes(), id_of(0), &|_| false);
        assert!(cbor::check(&MultiValue.present(&state).unwrap()).is_ok());
        assert!(read(32).is_err());
    }
}
