use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::cell::{NULL, Siblings, stored_as_image};
use super::value::canonical;
use super::{Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Value, Verdict};
use crate::event::cbor::{self, Reader, Writer};
use crate::event::{AggregateId, EventId, Payload, PayloadError};

/// The whole record is one register, and where people contradicted each other a person decides.
///
/// *Payload*: a map of one entry. `{"value": v}` writes any CBOR value, `{"resolve": v}` is a
/// person's decision; build them with [`write`](Self::write) and [`resolution`](Self::resolution).
/// Null is a value like any other. Any other form is a rejection, as is a value that nests deeper
/// than 30 levels.
///
/// *Shown as*: `{"value": v}` where the record is settled (null before any write), `{"open": [v, w]}`
/// where it is not, the rival values in the order of their canonical bytes.
///
/// # What is open
/// A write or a decision replaces what its writer saw, and what several wrote without knowing of each
/// other is kept. As long as there is more than one distinct value the record is open. Then:
///
/// - a write by somebody who saw more than one of them is refused: by
///   `record` at once, and on every replica if it comes from one without this rule. So no
///   program settles by accident what a person has to;
/// - a decision by somebody who saw them all settles it; whoever saw only some of them leaves the
///   decision and the others;
/// - two decisions that did not know of each other settle it if they agree, and are the new rivals if
///   not; so are a decision and a write that did not know of it.
///
/// What was written under this rule everywhere is never refused later: what its writer saw was
/// settled, and no more of that can be seen in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manual;

/// What one event says to a record kept by [`Manual`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualEdit {
    value: Value,
    resolves: bool,
}

/// The rival values of a record kept by [`Manual`], or the one that it is settled at.
///
/// Grows with the values that are rivals, not with history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement(Siblings);

impl Manual {
    /// Writes a value. It is refused by a replica that sees an open conflict.
    ///
    /// # Errors
    /// [`PayloadError`] when the value cannot be written as CBOR.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<ManualEdit, PayloadError> {
        ManualEdit::new(value, false)
    }

    /// Decides for a value, be it one of the rivals or another.
    ///
    /// # Errors
    /// [`PayloadError`] when the value cannot be written as CBOR.
    pub fn resolution<T: Serialize + ?Sized>(value: &T) -> Result<ManualEdit, PayloadError> {
        ManualEdit::new(value, true)
    }
}

impl ManualEdit {
    /// The value that is written, or decided for.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether it is a person's decision.
    pub fn resolves(&self) -> bool {
        self.resolves
    }

    fn new<T: Serialize + ?Sized>(value: &T, resolves: bool) -> Result<Self, PayloadError> {
        let value = Value::encode(value)?;
        Ok(Self { value, resolves })
    }

    fn entry(&self) -> &'static str {
        if self.resolves { "resolve" } else { "value" }
    }

    fn read(payload: &Payload) -> Result<Self, PayloadError> {
        let bytes = canonical(payload)?;
        let mut reader = Reader::new(&bytes);
        let resolves = match (reader.map()?, reader.text()?) {
            (1, "value") => false,
            (1, "resolve") => true,
            _ => {
                return Err(PayloadError::Unreadable {
                    reason: "expected a map with one entry, value or resolve".into(),
                });
            }
        };
        let value = Value::of_item(&bytes, reader.raw_item()?);
        cbor::check_below(value.as_bytes(), SHOWN_BELOW)?;
        Ok(Self { value, resolves })
    }
}

/// Levels of the map and the array that rival values are shown in.
const SHOWN_BELOW: usize = 2;

impl Settlement {
    /// The canonical bytes of the value, where the record has been written and is not open.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let mut values = self.0.distinct().into_keys();
        values.next().filter(|_| values.next().is_none())
    }

    /// The value, decoded, where the record has been written and is not open.
    ///
    /// # Errors
    /// [`PayloadError`] when the value is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.as_bytes().map(cbor::from_slice).transpose()
    }

    /// Whether a person has to decide.
    pub fn is_open(&self) -> bool {
        self.0.distinct().len() > 1
    }

    /// The canonical bytes of the rival values, or of the only one, in their order, each with the
    /// events that wrote it, in the order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Vec<EventId>)> {
        self.0.distinct().into_iter()
    }
}

stored_as_image!(Settlement);

impl Resolver for Manual {
    type State = Settlement;
    type Payload = ManualEdit;

    fn id(&self) -> ResolverId {
        ResolverId::new("manual", 1)
    }

    fn init(&self, _: &AggregateId) -> Settlement {
        Settlement::default()
    }

    fn admit(
        &self,
        state: &Settlement,
        edit: &ManualEdit,
        cx: &Context<'_, ManualEdit>,
    ) -> Result<(), Rejection> {
        if edit.resolves {
            return Ok(());
        }
        match state.0.distinct_seen(&|id| cx.saw(id)) {
            0 | 1 => Ok(()),
            open => Err(Rejection::new(format!(
                "{open} values are open, a person has to resolve them first"
            ))),
        }
    }

    fn apply(&self, state: &mut Settlement, edit: &ManualEdit, cx: &Context<'_, ManualEdit>) {
        let value = edit.value.as_bytes();
        state.0.write(value, cx.id(), &|id| cx.saw(id));
    }

    fn footprint(&self, _: &ManualEdit) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    fn judge(&self, earlier: &ManualEdit, later: &ManualEdit) -> Verdict {
        if earlier.value == later.value {
            Verdict::Agree
        } else {
            Verdict::Open
        }
    }

    fn value_at(&self, _: &Key, edit: &ManualEdit) -> Option<Vec<u8>> {
        Some(edit.value.as_bytes().to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("a person decides")
    }

    /// One piece for each distinct value; open if there are several.
    fn pieces(&self, state: &Settlement) -> Result<Vec<Piece>, PayloadError> {
        let values = state.iter();
        let open = values.len() > 1;
        let piece = |(value, from): (&[u8], _)| Piece::whole(value.to_vec(), from, open);
        Ok(values.map(piece).collect())
    }

    fn decode(&self, payload: &Payload) -> Result<ManualEdit, PayloadError> {
        ManualEdit::read(payload)
    }

    fn present(&self, state: &Settlement) -> Result<Vec<u8>, PayloadError> {
        let mut writer = Writer::new();
        writer.map(1);
        if state.is_open() {
            let values = state.iter();
            writer.text("open").array(values.len());
            for (value, _) in values {
                writer.raw(value);
            }
        } else {
            writer.text("value").raw(state.as_bytes().unwrap_or(NULL));
        }
        Ok(writer.into_bytes())
    }
}

impl Serialize for ManualEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.entry(), &self.value)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ManualEdit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Value::deserialize(deserializer)?;
        let payload = Payload::from_bytes(bytes.into()).map_err(D::Error::custom)?;
        Self::read(&payload).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::vec;

    use super::super::histories::{
        History, Pasts, all_orders, all_pasts, all_words, id_of, keeps_its_word, pieces, shown,
        size_after,
    };
    use super::*;

    fn payload(edit: &ManualEdit) -> Payload {
        Payload::encode(edit).unwrap()
    }

    fn letters() -> [Payload; 4] {
        [
            payload(&Manual::write("a").unwrap()),
            payload(&Manual::write(&()).unwrap()),
            payload(&Manual::resolution("a").unwrap()),
            payload(&Manual::resolution(&7).unwrap()),
        ]
    }

    fn read(payload: &Payload) -> ManualEdit {
        Manual.decode(payload).unwrap()
    }

    /// Of some events, those that no other of them saw, by value.
    fn unseen(
        of: &[usize],
        pasts: &Pasts,
        word: &[Payload],
    ) -> BTreeMap<Vec<u8>, BTreeSet<EventId>> {
        let mut unseen: BTreeMap<Vec<u8>, BTreeSet<EventId>> = BTreeMap::new();
        for at in of {
            if !of.iter().any(|other| pasts[*other].contains(at)) {
                let value = read(&word[*at]).value().as_bytes().to_vec();
                unseen.entry(value).or_default().insert(id_of(*at));
            }
        }
        unseen
    }

    #[test]
    fn what_was_written_under_the_rule_is_kept_until_seen_and_never_refused_in_any_order() {
        let mut open = 0;
        for pasts in all_pasts(4) {
            for word in all_words(&letters(), 4) {
                let asked = |at: usize| unseen(&pasts[at], &pasts, &word).len() < 2;
                if !(0..4).all(|at| read(&word[at]).resolves() || asked(at)) {
                    continue;
                }
                let expected = unseen(&[0, 1, 2, 3], &pasts, &word);
                open += usize::from(expected.len() > 1);
                let history = History::new(pasts.clone(), &word);
                for order in all_orders(&pasts) {
                    let outcome = history.fold(&Manual, &order);
                    assert!(outcome.rejected.is_empty());
                    let pieces = pieces(&Manual, &outcome.state).into_iter();
                    let found = pieces.map(|piece| {
                        assert_eq!(piece.open, expected.len() > 1);
                        (piece.value, piece.from.into_iter().collect())
                    });
                    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
                }
            }
        }
        assert!(open > 1000);
    }

    /// Whoever writes without this rule may do so onto an open conflict.
    #[test]
    fn a_write_onto_what_its_writer_saw_open_is_refused_everywhere() {
        for pasts in all_pasts(4) {
            for word in all_words(&letters(), 4) {
                let mut kept: Vec<usize> = Vec::new();
                let mut rejected = Vec::new();
                for at in 0..4 {
                    let saw = |other: &&usize| pasts[at].contains(other);
                    let values = kept
                        .iter()
                        .filter(saw)
                        .map(|other| read(&word[*other]).value);
                    let mut values: Vec<Value> = values.collect();
                    values.dedup();
                    if values.len() > 1 && !read(&word[at]).resolves() {
                        rejected.push(at);
                    } else {
                        kept.retain(|other| !pasts[at].contains(other));
                        kept.push(at);
                        kept.sort_by_key(|other| read(&word[*other]).value.as_bytes().to_vec());
                    }
                }
                let history = History::new(pasts.clone(), &word);
                let outcome = history.fold(&Manual, &[0, 1, 2, 3]);
                assert_eq!(outcome.rejected, rejected);
                let from = pieces(&Manual, &outcome.state).into_iter();
                let from: BTreeSet<EventId> = from.flat_map(|piece| piece.from).collect();
                assert_eq!(from, kept.into_iter().map(id_of).collect());
            }
        }
    }

    fn told(pasts: &[&[usize]], edits: &[ManualEdit]) -> serde_json::Value {
        let payloads: Vec<Payload> = edits.iter().map(payload).collect();
        let history = History::new(pasts.iter().map(|past| past.to_vec()).collect(), &payloads);
        let outcome = history.fold(&Manual, &history.canonical_order());
        assert!(outcome.rejected.is_empty());
        shown(&Manual, &outcome.state).deserialized().unwrap()
    }

    #[test]
    fn a_conflict_is_open_until_a_decision_by_somebody_who_saw_it_all() {
        let write = |value: u8| Manual::write(&value).unwrap();
        let decide = |value: u8| Manual::resolution(&value).unwrap();
        assert_eq!(told(&[], &[]), serde_json::json!({"value": null}));
        let rivals = [write(1), write(2)];
        let open = serde_json::json!({"open": [1, 2]});
        assert_eq!(told(&[&[], &[]], &rivals), open);
        assert_eq!(
            told(&[&[], &[]], &[write(1), write(1)]),
            serde_json::json!({"value": 1})
        );
        let with = |rest: &[ManualEdit]| [&rivals[..], rest].concat();
        let settled = serde_json::json!({"value": 3});
        assert_eq!(told(&[&[], &[], &[0, 1]], &with(&[decide(3)])), settled);
        let half = serde_json::json!({"open": [2, 3]});
        assert_eq!(told(&[&[], &[], &[0]], &with(&[decide(3)])), half);
        let both: [&[usize]; 4] = [&[], &[], &[0, 1], &[0, 1]];
        assert_eq!(told(&both, &with(&[decide(3), decide(3)])), settled);
        let again = serde_json::json!({"open": [3, 4]});
        assert_eq!(told(&both, &with(&[decide(3), decide(4)])), again);
        let new: [&[usize]; 4] = [&[], &[], &[0, 1], &[1]];
        assert_eq!(told(&new, &with(&[decide(3), write(4)])), again);
    }

    #[test]
    fn what_the_engine_relies_on_holds() {
        keeps_its_word(&Manual, &letters(), 3);
        assert!(size_after(&Manual, &letters(), 100) < 40);
    }

    #[test]
    fn a_state_answers_in_rust_types() {
        let mut state = Settlement::default();
        assert_eq!(
            (state.is_open(), state.decode::<u8>().unwrap()),
            (false, None)
        );
        state.0.write(&[0x07], id_of(0), &|_| false);
        assert_eq!(
            (state.is_open(), state.decode().unwrap()),
            (false, Some(7u8))
        );
        state.0.write(&[0x08], id_of(1), &|_| false);
        assert_eq!((state.is_open(), state.as_bytes()), (true, None));
        let values: Vec<&[u8]> = state.iter().map(|(value, _)| value).collect();
        assert_eq!(values, [&[0x07], &[0x08]]);
    }

    #[test]
    fn what_two_say_who_did_not_know_of_each_other_is_open_unless_they_agree() {
        let [write, null, agrees, differs] = letters().map(|payload| read(&payload));
        let key = Key::everything();
        let judge = |one, other| Manual.judge_at(&key, one, other);
        assert_eq!(judge(&write, &agrees), Verdict::Agree);
        assert_eq!(judge(&write, &null), Verdict::Open);
        assert_eq!(judge(&agrees, &differs), Verdict::Open);
        assert_eq!(Manual.value_at(&key, &differs).unwrap(), [0x07]);
        assert_eq!(Manual.rule_at(&key), "a person decides");
    }

    #[test]
    fn a_payload_is_a_map_of_one_entry_in_any_encoding() {
        let read =
            |bytes: &[u8]| Manual.decode(&Payload::from_bytes(bytes.to_vec().into()).unwrap());
        let edit = read(b"\xbf\x65value\x19\x00\x07\xff").unwrap();
        assert_eq!(edit, Manual::write(&7).unwrap());
        let through_serde: ManualEdit = cbor::from_slice(b"\xa1\x67resolve\x18\x07").unwrap();
        assert_eq!(through_serde, Manual::resolution(&7).unwrap());
        assert!(through_serde.resolves() && !edit.resolves());
        for bad in [
            &b""[..],
            b"\x07",
            b"\xa0",
            b"\xa1\x67resolve",
            b"\xa1\x01\x01",
            b"\xa1\x61v\x01",
            b"\xa2\x65value\x01\x67resolve\x01",
            b"\xa2\x65value\x01\x65value\x01",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let deep =
            |levels: usize| [b"\xa1\x65value".to_vec(), vec![0x81; levels], vec![0x01]].concat();
        let mut state = Settlement::default();
        for at in 0..2 {
            let edit = read(&deep(30 - at)).unwrap();
            state
                .0
                .write(edit.value().as_bytes(), id_of(at), &|_| false);
        }
        assert!(cbor::check(&Manual.present(&state).unwrap()).is_ok());
        assert!(read(&deep(31)).is_err());
    }
}
