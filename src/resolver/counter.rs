use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::cell::{Sum, stored_as_image};
use super::value::canonical;
use super::{Claims, Context, Footprint, Key, Piece, Resolver, ResolverId, Verdict};
use crate::event::cbor::{self, Reader};
use crate::event::{AggregateId, Payload, PayloadError};

/// A number that everybody adds to: the sum of all steps, whoever had seen which.
///
/// *Payload*: one integer, the step, from -2^63 to 2^63 - 1. So `Draft::new("votes/7", "voted", &1)`
/// adds one and `&-1` in its place takes one away. Anything else is a rejection.
///
/// *Shown as*: the sum, a CBOR integer, which is a big one beyond 64 bits. It has 128 bits, and as
/// many steps as it would take to leave them cannot be written.
///
/// A counter is added to, never set: two who set it to what they want it to be would each undo the
/// other. Nor is there a bound; a stock that must not go below zero is a rule of your own, as in
/// [`FoldFn`](super::FoldFn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter;

/// The sum of a [`Counter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total(Sum);

impl Total {
    /// The sum of all steps.
    pub fn sum(&self) -> i128 {
        self.0.total()
    }
}

stored_as_image!(Total);

impl Resolver for Counter {
    type State = Total;
    type Payload = i64;

    fn id(&self) -> ResolverId {
        ResolverId::new("counter", 1)
    }

    fn init(&self, _: &AggregateId) -> Total {
        Total::default()
    }

    fn apply(&self, state: &mut Total, step: &i64, _: &Context<'_, i64>) {
        state.0.add(*step);
    }

    /// The whole sum; nothing for a step of zero, which neither reads nor changes it.
    fn footprint(&self, step: &i64) -> Footprint {
        if *step == 0 {
            return Footprint::NOTHING;
        }
        Footprint::Keys(Vec::from([Key::everything()]))
    }

    fn judge(&self, _: &i64, _: &i64) -> Verdict {
        Verdict::Merged
    }

    /// The step.
    fn value_at(&self, _: &Key, step: &i64) -> Option<Vec<u8>> {
        cbor::to_vec(step).ok()
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("counter")
    }

    /// The sum. It comes from every step, and does not remember them.
    fn pieces(&self, state: &Total) -> Result<Vec<Piece>, PayloadError> {
        let sum = self.present(state)?;
        Ok(Vec::from([Piece::whole(sum, Vec::new(), false)]))
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }

    fn decode(&self, payload: &Payload) -> Result<i64, PayloadError> {
        // Every form of an integer within 64 bits says the same; a big one has to be made short.
        let mut reader = Reader::new(payload.as_bytes());
        match reader.int() {
            Ok(step) if reader.is_at_end() => Ok(step),
            _ => Reader::new(&canonical(payload)?).int(),
        }
    }

    fn present(&self, state: &Total) -> Result<Vec<u8>, PayloadError> {
        state.0.present()
    }
}

#[cfg(test)]
mod tests {
    use super::super::histories::{
        History, all_pasts, all_words, keeps_its_word, pieces, size_after,
    };
    use super::*;

    fn read(bytes: &[u8]) -> Result<i64, PayloadError> {
        Counter.decode(&Payload::from_bytes(bytes.to_vec().into()).unwrap())
    }

    #[test]
    fn the_sum_is_that_of_all_steps_whoever_saw_which() {
        let steps = [1, -5, 0, i64::MAX, i64::MIN];
        for word in all_words(&steps, 3) {
            let payloads = word.iter().map(|step| Payload::encode(step).unwrap());
            let payloads: Vec<Payload> = payloads.collect();
            let sum: i128 = word.iter().copied().map(i128::from).sum();
            for pasts in all_pasts(3) {
                let history = History::new(pasts, &payloads);
                let state = history.fold(&Counter, &[0, 1, 2]).state;
                let total: Total = cbor::from_slice(&state).unwrap();
                assert_eq!(total.sum(), sum);
                let shown: i128 = cbor::from_slice(&Counter.present(&total).unwrap()).unwrap();
                assert_eq!(shown, sum);
                assert_eq!(pieces(&Counter, &state).len(), 1);
            }
        }
    }

    #[test]
    fn a_sum_beyond_64_bits_is_shown_as_a_big_integer() {
        let mut total = Total::default();
        for _ in 0..6 {
            total.0.add(i64::MIN);
        }
        let shown = Counter.present(&total).unwrap();
        assert_eq!(
            cbor::from_slice::<i128>(&shown).unwrap(),
            6 * i128::from(i64::MIN)
        );
        assert_eq!(shown.first(), Some(&0xc3));
        assert_eq!(total.sum(), 6 * i128::from(i64::MIN));
    }

    #[test]
    fn what_the_engine_relies_on_holds() {
        let steps = [1, -7, 0, i64::MAX].map(|step: i64| Payload::encode(&step).unwrap());
        let unreadable = Payload::encode("one").unwrap();
        keeps_its_word(&Counter, &[&steps[..], &[unreadable]].concat(), 3);
        assert!(size_after(&Counter, &steps, 100) < 20);
    }

    #[test]
    fn a_step_is_one_integer_in_any_encoding() {
        assert_eq!(read(&[0x05]).unwrap(), 5);
        assert_eq!(read(&[0x19, 0x00, 0x05]).unwrap(), 5);
        assert_eq!(read(&[0xc2, 0x42, 0x00, 0x05]).unwrap(), 5);
        assert_eq!(
            read(&[0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255]).unwrap(),
            i64::MIN
        );
        for bad in [
            &[][..],
            &[0xf6],
            &[0xf9, 0x3c, 0x00],
            &[0x01, 0x01],
            &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0],
            &[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0],
            &[0x81, 0x01],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn steps_are_merged_and_one_of_zero_touches_nothing() {
        let key = Key::everything();
        assert_eq!(Counter.judge_at(&key, &1, &1), Verdict::Merged);
        assert_eq!(Counter.value_at(&key, &-1).unwrap(), [0x20]);
        assert_eq!(Counter.rule_at(&key), "counter");
        assert!(!Counter.footprint(&0).overlaps(&Counter.footprint(&1)));
        assert!(Counter.footprint(&2).overlaps(&Counter.footprint(&1)));
    }
}
