//! Where payloads come from: a fixed alphabet, or a strategy of proptest's.
//!
//! Either way a search works on a list of words, simple ones first.

use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use super::history::Word;
use crate::event::Payload;

/// Where the payloads of a search come from. Implemented for every proptest strategy whose values
/// can be written, and for [`Alphabet`].
pub trait Payloads {
    /// The payloads, simple ones first, each once.
    fn words(self) -> Vec<Word>;
}

/// A few fixed payloads. With up to 4 of them small histories are searched exhaustively.
///
/// ```
/// use anabranch::testing::laws::{Alphabet, Payloads};
///
/// let payloads = Alphabet::of(&[1u8, 2]).and("not a number");
/// assert_eq!(payloads.words().len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Alphabet(Vec<Word>);

impl Alphabet {
    /// These values, each a payload.
    ///
    /// # Panics
    /// If a value cannot be written as CBOR, or not within the bound of a payload.
    pub fn of<T: Serialize + Debug>(values: &[T]) -> Self {
        Self(values.iter().map(word).collect())
    }

    /// One more, of whatever type.
    ///
    /// # Panics
    /// If the value cannot be written as CBOR, or not within the bound of a payload.
    #[must_use]
    pub fn and<T: Serialize + Debug>(mut self, value: T) -> Self {
        self.0.push(word(&value));
        self
    }

    /// One more that is written already, perhaps not as CBOR should be.
    #[must_use]
    pub fn and_payload(mut self, payload: Payload) -> Self {
        self.0.push(Word::of_payload(payload));
        self
    }
}

impl Payloads for Alphabet {
    fn words(self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        for word in self.0 {
            if words.iter().all(|known| known.payload != word.payload) {
                words.push(word);
            }
        }
        words
    }
}

/// How many values are drawn from a strategy.
const DRAWN: usize = 32;
/// How often a value is made simpler at most.
const SIMPLER: usize = 64;

impl<S: Strategy> Payloads for S
where
    S::Value: Serialize,
{
    fn words(self) -> Vec<Word> {
        let seed = [7; 32];
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut words: Vec<Word> = Vec::new();
        for _ in 0..DRAWN {
            let Ok(mut tree) = self.new_tree(&mut runner) else {
                continue;
            };
            words.push(word(&tree.current()));
            for _ in 0..SIMPLER {
                if !tree.simplify() {
                    break;
                }
            }
            words.push(word(&tree.current()));
        }
        words.sort_by(|one, other| {
            let size = |word: &Word| (word.payload.len(), word.payload.as_bytes().clone());
            size(one).cmp(&size(other))
        });
        words.dedup_by(|one, other| one.payload == other.payload);
        words
    }
}

fn word<T: Serialize + Debug>(value: &T) -> Word {
    let payload = Payload::encode(value).expect("a value that can be a payload");
    Word::new(payload, format!("{value:?}"))
}

/// What no rule expects: malformed bytes, and values of every kind that may be of another type.
pub(super) fn garbage() -> Vec<Word> {
    let bytes: [&[u8]; 13] = [
        &[],
        &[0xff],
        &[0x82, 0x01],
        &[0x01, 0x01],
        &[0xf6],
        &[0xf5],
        &[0x00],
        &[0x20],
        &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255],
        &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
        &[0x60],
        &[0x80],
        &[0xa0],
    ];
    let deep = vec![0x81; 200];
    let words = bytes.iter().map(|bytes| bytes.to_vec()).chain([deep]);
    let payload = |bytes: Vec<u8>| Payload::from_bytes(bytes.into()).ok();
    words.filter_map(payload).map(Word::of_payload).collect()
}
