use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::cell::{First, NULL, stored_as_image};
use super::{Context, Footprint, Key, Piece, Resolver, ResolverId, Value, Verdict};
use crate::event::{AggregateId, EventId, Payload, PayloadError, cbor};

/// The whole record is claimed once: the first write in canonical order stands, later ones change
/// nothing. For a seat, a name, the cause of an alarm.
///
/// *Payload*: any CBOR value, the claim; null clears the record. So
/// `Draft::new("seat/12A", "claimed", "Ada")` claims the seat, and `&()` in its place gives it up. A
/// payload that is not well-formed CBOR, or nests deeper than 32 levels, is a rejection.
///
/// *Shown as*: the claim that stands, null where there is none.
///
/// # What stands
/// Event after event in canonical order: a claim stands if none does. A null clears the claim that
/// stands if its writer had seen that claim, and does nothing else: nobody clears what they did not
/// know of. Once the record is clear, the first claim *after* the null stands; one that lost before
/// it does not come back. So a claim that was made while somebody cleared the record stands if it
/// comes after the null in canonical order, and has lost to the one that was cleared if before.
///
/// A claim that comes too late is not refused: it is folded, changes nothing, and the race tells
/// that it was overruled. Whoever made it offline sees the record change to the earlier claim. A rule
/// of your own can refuse late claims in [`admit`](Resolver::admit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstWriteWins;

/// The claim that stands in a record kept by [`FirstWriteWins`], and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earliest(First);

impl Earliest {
    /// The canonical bytes of the claim that stands.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.0.standing().map(|slot| &*slot.value)
    }

    /// The claim that stands, decoded.
    ///
    /// # Errors
    /// [`PayloadError`] when it is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.as_bytes().map(cbor::from_slice).transpose()
    }

    /// The event whose claim stands, or that cleared the last one that stood.
    pub fn writer(&self) -> Option<EventId> {
        self.0.slot().map(|slot| slot.writer)
    }
}

stored_as_image!(Earliest);

impl Resolver for FirstWriteWins {
    type State = Earliest;
    type Payload = Value;

    fn id(&self) -> ResolverId {
        ResolverId::new("first-write-wins", 1)
    }

    fn init(&self, _: &AggregateId) -> Earliest {
        Earliest::default()
    }

    fn apply(&self, state: &mut Earliest, value: &Value, cx: &Context<'_, Value>) {
        state.0.write(value.as_bytes(), cx.id(), &|id| cx.saw(id));
    }

    fn footprint(&self, _: &Value) -> Footprint {
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    /// A null and a claim that did not know of each other overrule nothing of one another.
    fn judge(&self, earlier: &Value, later: &Value) -> Verdict {
        if earlier == later {
            Verdict::Agree
        } else if earlier.is_null() || later.is_null() {
            Verdict::Merged
        } else {
            Verdict::EarlierWins
        }
    }

    fn value_at(&self, _: &Key, value: &Value) -> Option<Vec<u8>> {
        Some(value.as_bytes().to_vec())
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("first write wins")
    }

    /// One piece once there has been a claim; null is one, too, and tells who cleared the record.
    fn pieces(&self, state: &Earliest) -> Result<Vec<Piece>, PayloadError> {
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

    fn present(&self, state: &Earliest) -> Result<Vec<u8>, PayloadError> {
        Ok(state.as_bytes().unwrap_or(NULL).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::super::histories::{
        History, all_pasts, all_words, id_of, keeps_its_word, pieces, shown, size_after,
    };
    use super::*;

    fn letters() -> [Payload; 3] {
        ["a".into(), 7.into(), ciborium::Value::Null]
            .map(|value: ciborium::Value| Payload::encode(&value).unwrap())
    }

    /// The claim that stands, by the definition: the first, unless a null whose writer saw it comes
    /// after it; then the first after that null. And who wrote what is shown.
    fn standing(pasts: &[Vec<usize>], word: &[Payload]) -> Option<usize> {
        let is_null = |at: &usize| word[*at].as_bytes() == NULL;
        let mut shows = None;
        let mut from = 0;
        while let Some(first) = (from..word.len()).find(|at| !is_null(at)) {
            let clears = |at: &usize| is_null(at) && pasts[*at].contains(&first);
            let Some(cleared) = (first..word.len()).find(clears) else {
                return Some(first);
            };
            shows = Some(cleared);
            from = cleared;
        }
        shows
    }

    #[test]
    fn the_first_claim_stands_until_somebody_who_saw_it_clears_it() {
        for pasts in all_pasts(4) {
            for word in all_words(&letters(), 4) {
                let history = History::new(pasts.clone(), &word);
                let outcome = history.fold(&FirstWriteWins, &history.canonical_order());
                let expected = standing(&pasts, &word);
                let value = expected.map_or(ciborium::Value::Null, |at| word[at].decode().unwrap());
                assert_eq!(shown(&FirstWriteWins, &outcome.state), value);
                let pieces = pieces(&FirstWriteWins, &outcome.state);
                let from: Vec<EventId> = pieces.into_iter().flat_map(|piece| piece.from).collect();
                assert_eq!(from, expected.map(id_of).into_iter().collect::<Vec<_>>());
                assert!(outcome.rejected.is_empty());
            }
        }
    }

    #[test]
    fn what_the_engine_relies_on_holds() {
        keeps_its_word(&FirstWriteWins, &letters(), 3);
        assert!(size_after(&FirstWriteWins, &letters(), 100) < 40);
    }

    #[test]
    fn a_state_answers_in_rust_types() {
        let mut state = Earliest::default();
        assert_eq!(
            (state.decode::<u8>().unwrap(), state.writer()),
            (None, None)
        );
        state.0.write(&[0x07], id_of(0), &|_| true);
        state.0.write(&[0x08], id_of(1), &|_| true);
        assert_eq!(
            (state.decode().unwrap(), state.writer()),
            (Some(7u8), Some(id_of(0)))
        );
        state.0.write(NULL, id_of(2), &|_| true);
        assert_eq!((state.as_bytes(), state.writer()), (None, Some(id_of(2))));
    }

    #[test]
    fn of_two_claims_the_earlier_wins_and_a_null_overrules_no_claim_it_did_not_know() {
        let [one, other, null] = letters().map(|payload| FirstWriteWins.decode(&payload).unwrap());
        let key = Key::everything();
        let judge = |one, other| FirstWriteWins.judge_at(&key, one, other);
        assert_eq!(judge(&one, &one), Verdict::Agree);
        assert_eq!(judge(&null, &null), Verdict::Agree);
        assert_eq!(judge(&one, &other), Verdict::EarlierWins);
        assert_eq!(judge(&one, &null), Verdict::Merged);
        assert_eq!(judge(&null, &one), Verdict::Merged);
        assert_eq!(FirstWriteWins.value_at(&key, &one).unwrap(), one.as_bytes());
        assert_eq!(FirstWriteWins.rule_at(&key), "first write wins");
    }
}
