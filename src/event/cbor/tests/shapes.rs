//! Every shape of the serde data model, written by us and read back, and as ciborium writes it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use ciborium::Value;
use ciborium::tag::Required;
use serde::de::{DeserializeOwned, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::super::PayloadError;
use super::super::{from_slice, is_canonical, to_vec};
use super::unhex;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Box<Shape>),
    Tuple(i8, Option<u8>),
    Struct { wide: f64, a: Vec<Shape> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    unsorted: bool,
    b: char,
    unit: (),
    unit_struct: Unit,
    newtype: Newtype,
    pair: Pair,
    shapes: Vec<Shape>,
    some: Option<i16>,
    none: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<u8>,
    numbered: BTreeMap<i32, String>,
    single: f32,
    tuple: (u8, i64, u128, i128),
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

fn everything() -> Everything {
    Everything {
        unsorted: true,
        b: '\u{10151}',
        unit: (),
        unit_struct: Unit,
        newtype: Newtype(70_000),
        pair: Pair(7, "p".into()),
        shapes: vec![
            Shape::Unit,
            Shape::Newtype(Shape::Newtype(Shape::Unit.into()).into()),
            Shape::Tuple(-3, None),
            Shape::Struct {
                wide: 0.1,
                a: vec![Shape::Unit],
            },
        ],
        some: Some(-300),
        none: None,
        absent: None,
        numbered: [(3, "c".into()), (-1, "m".into()), (1000, "k".into())].into(),
        single: 1.5,
        tuple: (1, i64::MIN, u128::MAX, i128::MIN),
        rest: [("zz".into(), 1), ("a".into(), 2)].into(),
    }
}

fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = to_vec(value).unwrap();
    assert!(is_canonical(&bytes), "{value:?}");
    assert_eq!(&from_slice::<T>(&bytes).unwrap(), value);
    // What ciborium writes of it is the same value, maybe in another order.
    let mut theirs = Vec::new();
    ciborium::into_writer(value, &mut theirs).unwrap();
    assert_eq!(&from_slice::<T>(&theirs).unwrap(), value);
    assert_eq!(
        to_vec(&from_slice::<Value>(&theirs).unwrap()).unwrap(),
        bytes
    );
}

#[test]
fn every_shape_of_serde_is_read_back_as_it_was() {
    round_trips(&everything());
    round_trips(&vec![everything(), everything()]);
}

#[test]
fn integers_of_128_bits_take_the_shortest_form() {
    for value in [
        0,
        1,
        -1,
        u64::MAX.into(),
        -(1 << 64),
        1 << 64,
        -(1 << 64) - 1,
        i128::MAX,
    ] {
        round_trips(&value);
    }
    for value in [0, u64::MAX.into(), 1 << 64, u128::MAX] {
        round_trips(&value);
    }
    assert_eq!(
        to_vec(&(1u128 << 64)).unwrap(),
        unhex("c249010000000000000000")
    );
    assert_eq!(
        to_vec(&(-1i128 - (1 << 64))).unwrap(),
        unhex("c349010000000000000000")
    );
    assert_eq!(
        to_vec(&-(1i128 << 64)).unwrap(),
        unhex("3bffffffffffffffff")
    );
}

#[test]
fn a_big_integer_behind_a_tag_takes_the_shortest_form() {
    let big = |tag, hex| Value::Tag(tag, Box::new(Value::Bytes(unhex(hex))));
    for (value, hex) in [
        (big(2, ""), "00"),
        (big(2, "000005"), "05"),
        (big(3, "0100"), "390100"),
        (big(2, "00010000000000000000"), "c249010000000000000000"),
        (Value::Tag(2, Box::new(Value::Null)), "c2f6"),
    ] {
        let bytes = to_vec(&value).unwrap();
        assert_eq!(bytes, unhex(hex), "{value:?}");
        assert!(is_canonical(&bytes));
    }
    for hex in ["c240", "c24105", "c24a00010000000000000000"] {
        assert!(!is_canonical(&unhex(hex)), "{hex}");
    }
}

#[test]
fn tags_are_written_as_ciborium_writes_them() {
    round_trips(&Required::<String, 32>("http://example.com".into()));
    assert_eq!(
        to_vec(&Required::<u8, 55_799>(1)).unwrap(),
        unhex("d9d9f701")
    );
}

/// Does not say beforehand how many elements it has, or says it wrongly.
struct Counted<const MAP: bool>(Option<usize>, Vec<u8>);

impl<const MAP: bool> Serialize for Counted<MAP> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if MAP {
            let mut map = serializer.serialize_map(self.0)?;
            self.1
                .iter()
                .try_for_each(|key| map.serialize_entry(key, "value"))?;
            return map.end();
        }
        let mut seq = serializer.serialize_seq(self.0)?;
        self.1
            .iter()
            .try_for_each(|element| seq.serialize_element(element))?;
        seq.end()
    }
}

#[test]
fn lengths_not_known_before_are_written_in_front_all_the_same() {
    let numbers: Vec<u8> = (0..30).collect();
    let entries: BTreeMap<_, _> = numbers.iter().map(|key| (key, "value")).collect();
    for announced in [None, Some(0), Some(30), Some(70_000)] {
        let list = Counted::<false>(announced, numbers.clone());
        assert_eq!(
            to_vec(&(1, list, 2)).unwrap(),
            to_vec(&(1, &numbers, 2)).unwrap()
        );
        let map = Counted::<true>(announced, numbers.clone());
        assert_eq!(
            to_vec(&(1, map, 2)).unwrap(),
            to_vec(&(1, &entries, 2)).unwrap()
        );
    }
}

#[test]
fn a_key_twice_is_refused_however_it_is_spelt() {
    for keys in [vec![1, 2, 1], vec![5, 5]] {
        assert_eq!(
            to_vec(&Counted::<true>(None, keys)),
            Err(PayloadError::KeyTwice)
        );
    }
    let spelt: Value = Value::Map(vec![
        (Value::from(5), Value::Null),
        (
            Value::Tag(2, Box::new(Value::Bytes(vec![0, 5]))),
            Value::Null,
        ),
    ]);
    assert_eq!(to_vec(&spelt), Err(PayloadError::KeyTwice));
    assert!(!is_canonical(&unhex("a201000100")));
}

#[test]
fn keys_of_structs_are_sorted_by_their_encoding() {
    #[derive(Serialize)]
    struct Fields {
        zebra: u8,
        b: u8,
        aa: u8,
        a: u8,
    }
    let bytes = to_vec(&Fields {
        zebra: 1,
        b: 2,
        aa: 3,
        a: 4,
    })
    .unwrap();
    assert_eq!(bytes, unhex("a461610461620262616103657a6562726101"));
}

/// Asks for a borrowed text, as types do that parse themselves from one.
#[derive(Debug, PartialEq)]
struct Parsed(usize);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Length;
        impl Visitor<'_> for Length {
            type Value = Parsed;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
                Ok(Parsed(text.len()))
            }
        }
        deserializer.deserialize_str(Length)
    }
}

#[test]
fn a_long_text_is_read_in_one_piece_by_types_that_ask_for_it() {
    for len in [0, 511, 512, 4096, 4097, 200_000] {
        let text = "\u{fc}".repeat(len);
        let bytes = to_vec(&text).unwrap();
        assert_eq!(from_slice::<Parsed>(&bytes).unwrap(), Parsed(2 * len));
        assert_eq!(from_slice::<String>(&bytes).unwrap(), text);
    }
}

#[test]
fn a_value_that_refuses_says_why() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let error = to_vec(&[Refuses]).unwrap_err();
    assert_eq!(
        error,
        PayloadError::Unwritable {
            reason: "not today".into()
        }
    );
}
