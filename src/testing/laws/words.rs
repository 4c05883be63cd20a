//! Where payloads come from: a fixed alphabet, or a strategy of proptest's.
//!
//! Either way a search works on a list of words, simple ones first.

use std::fmt::Debug;

use ciborium::Value;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use super::history::Word;
use crate::event::{Payload, cbor};

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
            let size = |word: &Word| (word.payload.len(), word.payload.to_bytes());
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

/// How many payloads are made by twisting others.
const TWISTED: usize = 48;

/// Payloads of almost the form that a rule expects: one value in each is an extreme one of its kind,
/// of another kind, or gone.
pub(super) fn twisted(words: &[Word]) -> Vec<Word> {
    let mut twisted: Vec<Word> = Vec::new();
    let read = |word: &Word| cbor::from_slice::<Value>(word.payload.as_bytes()).ok();
    let mut forms: Vec<Vec<Value>> = words
        .iter()
        .filter_map(read)
        .map(|it| twists(&it))
        .collect();
    // One of each word in turn, so that none takes all the room.
    while twisted.len() < TWISTED && forms.iter().any(|forms| !forms.is_empty()) {
        for form in forms.iter_mut().filter_map(Vec::pop) {
            let payload = Payload::encode(&form).ok().map(Word::of_payload);
            let is_new = |word: &Word| {
                let mut known = words.iter().chain(&twisted);
                known.all(|known| known.payload != word.payload)
            };
            twisted.extend(payload.filter(is_new));
        }
    }
    twisted.truncate(TWISTED);
    twisted
}

/// The value with one thing in it twisted, in each way; the extremes come last.
fn twists(value: &Value) -> Vec<Value> {
    let integers = |all: &[i128]| {
        let integer = |number: &i128| ciborium::value::Integer::try_from(*number).ok();
        all.iter().filter_map(integer).map(Value::Integer).collect()
    };
    match value {
        Value::Integer(_) => integers(&[
            -1,
            0,
            255,
            i128::from(i32::MAX),
            i128::from(i32::MIN),
            i128::from(u64::MAX),
            i128::from(i64::MIN),
            i128::from(i64::MAX),
        ]),
        Value::Float(_) => [0.0, -0.0, f64::MAX, f64::MIN, f64::INFINITY, f64::NAN]
            .map(Value::Float)
            .to_vec(),
        Value::Text(_) => ["", "\u{0}", "İ", "a\u{301}", "a/b", "🦀"]
            .map(|text| Value::Text(text.to_owned()))
            .to_vec(),
        Value::Bytes(_) => vec![Value::Bytes(vec![0; 300]), Value::Bytes(Vec::new())],
        Value::Array(items) => {
            let mut all = vec![Value::Array(Vec::new())];
            for (at, item) in items.iter().enumerate() {
                all.extend(twists(item).into_iter().map(|twisted| {
                    let mut items = items.clone();
                    items[at] = twisted;
                    Value::Array(items)
                }));
            }
            all
        }
        Value::Map(entries) => {
            let mut all = vec![Value::Map(Vec::new())];
            for (at, (_, value)) in entries.iter().enumerate() {
                all.extend(twists(value).into_iter().map(|twisted| {
                    let mut entries = entries.clone();
                    entries[at].1 = twisted;
                    Value::Map(entries)
                }));
            }
            all
        }
        Value::Bool(flag) => vec![Value::Bool(!flag)],
        _ => vec![Value::Null],
    }
}
