use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::cell::{NULL, Register, stored_as_image};
use super::{Context, Footprint, Key, Piece, Resolver, ResolverId, Value, Verdict};
use crate::event::{AggregateId, EventId, Payload, PayloadError, cbor};

/// The whole record is one register: the last write in canonical order is its value.
///
/// *Payload*: any CBOR value, the new value of the whole record; null clears it. So
/// `Draft::new("setting/theme", "chosen", "dark")` sets it to `dark`, and `&()` in its place clears
/// it. A payload that is not well-formed CBOR, or nests deeper than 32 levels, is a rejection.
///
/// *Shown as*: the value itself, null where there is none.
///
/// Of two concurrent writes of different fields of one record one is lost whole;
/// [`FieldMerge`](super::FieldMerge) keeps both, and [`MultiValue`](super::MultiValue) keeps both
/// records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastWriteWins;

/// The newest value of a record kept by [`LastWriteWins`], and who wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest(Register);

impl Latest {
    /// The canonical bytes of the value; nothing where it was cleared or never written.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let slot = self.0.slot()?;
        Some(&*slot.value).filter(|value| *value != NULL)
    }

    /// The value, decoded, where there is one.
    ///
    /// # Errors
    /// [`PayloadError`] when the value is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.as_bytes().map(cbor::from_slice).transpose()
    }

    /// The event that wrote or cleared it last; nothing before the first.
    pub fn writer(&self) -> Option<EventId> {
        self.0.slot().map(|slot| slot.writer)
    }
}

stored_as_image!(Latest);

impl Resolver for LastWriteWins {
    type State = Latest;
    type Payload = Value;

    fn id(&self) -> ResolverId {
        ResolverId::new("last-write-wins", 2)
    }

    fn init(&self, _: &AggregateId) -> Latest {
        Latest::default()
    }

    fn apply(&self, state: &mut Latest, value: &Value, cx: &Context<'_, Value>) {
        state.0.write(value.as_bytes(), cx.id());
    }

    fn footprint(&self, _: &Value) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    fn judge(&self, earlier: &Value, later: &Value) -> Verdict {
        if earlier == later {
            Verdict::Agree
        } else {
            Verdict::LaterWins
        }
    }

    fn value_at(&self, _: &Key, value: &Value) -> Option<Vec<u8>> {
        Some(value.as_bytes().to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("last write wins")
    }

    /// One piece once there has been a write; null is one, too, and tells who cleared the record.
    fn pieces(&self, state: &Latest) -> Result<Vec<Piece>, PayloadError> {
        let piece = |writer| {
            Ok(Piece::whole(
                self.present(state)?,
                Vec::from([writer]),
                false,
            ))
        };
        state.writer().into_iter().map(piece).collect()
    }

    fn decode(&self, payload: &Payload) -> Result<Value, PayloadError> {
        Value::read(payload, 0)
    }

    fn present(&self, state: &Latest) -> Result<Vec<u8>, PayloadError> {
        Ok(state.as_bytes().unwrap_or(NULL).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::super::histories::{
        History, all_pasts, all_words, id_of, keeps_its_word, pieces, shown, size_after,
    };
    use super::*;

    fn payload(value: &ciborium::Value) -> Payload {
        Payload::encode(value).unwrap()
    }

    fn letters() -> [Payload; 3] {
        ["a".into(), 7.into(), ciborium::Value::Null].map(|value| payload(&value))
    }

    #[test]
    fn the_last_write_is_shown_and_known_by_its_writer() {
        for pasts in all_pasts(3) {
            for word in all_words(&letters(), 3) {
                let history = History::new(pasts.clone(), &word);
                let outcome = history.fold(&LastWriteWins, &history.canonical_order());
                let last: ciborium::Value = word[2].decode().unwrap();
                assert_eq!(shown(&LastWriteWins, &outcome.state), last);
                let piece = Piece::whole(word[2].as_bytes().to_vec(), alloc::vec![id_of(2)], false);
                assert_eq!(pieces(&LastWriteWins, &outcome.state), [piece]);
            }
        }
        let nothing = History::new(Vec::new(), &[])
            .fold(&LastWriteWins, &[])
            .state;
        assert_eq!(shown(&LastWriteWins, &nothing), ciborium::Value::Null);
        assert_eq!(pieces(&LastWriteWins, &nothing), []);
    }

    #[test]
    fn what_the_engine_relies_on_holds() {
        keeps_its_word(&LastWriteWins, &letters(), 3);
        assert!(size_after(&LastWriteWins, &letters(), 100) < 40);
    }

    #[test]
    fn a_state_answers_in_rust_types() {
        let mut state = Latest::default();
        assert_eq!(
            (state.decode::<u8>().unwrap(), state.writer()),
            (None, None)
        );
        state.0.write(&[0x07], id_of(0));
        assert_eq!(state.decode().unwrap(), Some(7u8));
        state.0.write(NULL, id_of(1));
        assert_eq!((state.as_bytes(), state.writer()), (None, Some(id_of(1))));
    }

    #[test]
    fn two_writes_agree_or_the_later_wins() {
        let [one, other, null] = letters().map(|payload| LastWriteWins.decode(&payload).unwrap());
        assert_eq!(LastWriteWins.judge(&one, &one), Verdict::Agree);
        assert_eq!(LastWriteWins.judge(&one, &other), Verdict::LaterWins);
        let key = Key::everything();
        assert_eq!(
            LastWriteWins.judge_at(&key, &one, &null),
            Verdict::LaterWins
        );
        assert_eq!(LastWriteWins.value_at(&key, &null).unwrap(), NULL);
        assert_eq!(LastWriteWins.rule_at(&key), "last write wins");
    }
}
