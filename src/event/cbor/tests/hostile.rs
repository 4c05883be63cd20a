//! Bytes that nobody should believe: cut off, too deep, announcing what is not there.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::collections::HashMap;

use ciborium::Value;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};

use super::super::super::PayloadError;
use super::super::{Reader, check, from_slice, is_canonical, to_vec};
use super::unhex;
use crate::limits::CBOR_DEPTH_MAX;

const TOO_DEEP: PayloadError = PayloadError::TooDeep {
    max: CBOR_DEPTH_MAX,
};

/// An array in an array, so many times.
struct Nest(usize);

impl Serialize for Nest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(usize::from(self.0 > 1)))?;
        if self.0 > 1 {
            seq.serialize_element(&Self(self.0 - 1))?;
        }
        seq.end()
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(alloc::boxed::Box<Tree>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Branch {
    One(u8),
    Two(u8, u8),
    Named { field: u8 },
}

/// So many arrays around an item.
#[derive(Clone)]
struct Around<T>(usize, T);

impl<T: Serialize + Clone> Serialize for Around<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 0 {
            return self.1.serialize(serializer);
        }
        let mut seq = serializer.serialize_seq(Some(1))?;
        seq.serialize_element(&Self(self.0 - 1, self.1.clone()))?;
        seq.end()
    }
}

fn assert_unreadable<T>(result: Result<T, PayloadError>, hex: &str) {
    let error = result.err();
    assert!(
        matches!(error, Some(PayloadError::Unreadable { .. })),
        "{hex}: {error:?}"
    );
}

#[test]
fn nesting_of_a_hundred_thousand_levels_is_refused_and_breaks_nothing() {
    for opening in ["81", "9f", "a1", "bf", "c1", "a181", "8281", "d9d9f7"] {
        let mut bytes = unhex(opening).repeat(100_000);
        bytes.push(0);
        assert_eq!(check(&bytes), Err(TOO_DEEP), "{opening}");
        assert_eq!(from_slice::<Value>(&bytes), Err(TOO_DEEP), "{opening}");
        assert_eq!(Reader::new(&bytes).raw_item(), Err(TOO_DEEP), "{opening}");
        assert!(!is_canonical(&bytes), "{opening}");
    }
    assert_eq!(to_vec(&Nest(100_000)), Err(TOO_DEEP));
}

#[test]
fn thirty_two_levels_are_written_and_read_and_one_more_is_neither() {
    let bytes = to_vec(&Nest(CBOR_DEPTH_MAX)).unwrap();
    assert!(is_canonical(&bytes));
    assert!(from_slice::<Value>(&bytes).is_ok());
    assert_eq!(to_vec(&Nest(CBOR_DEPTH_MAX + 1)), Err(TOO_DEEP));
    let mut deeper = vec![0x81];
    deeper.extend(bytes);
    assert!(!is_canonical(&deeper));
    assert_eq!(from_slice::<Value>(&deeper), Err(TOO_DEEP));
}

#[test]
fn whatever_may_be_written_at_the_last_level_can_be_read_there() {
    // Ciborium counts a variant without content, and each variant above it, as levels of their own.
    let tree = (0..CBOR_DEPTH_MAX).fold(Tree::Leaf, |tree, _| Tree::Node(tree.into()));
    let bytes = to_vec(&tree).unwrap();
    assert_eq!(from_slice::<Tree>(&bytes).unwrap(), tree);
    assert_eq!(to_vec(&Tree::Node(tree.into())), Err(TOO_DEEP));
}

#[test]
fn a_big_integer_counts_as_the_level_that_it_is() {
    let nested = |levels: usize, item: &str| {
        let mut bytes = vec![0x81; levels];
        bytes.extend(unhex(item));
        bytes
    };
    let big = "c249010000000000000000";
    assert_eq!(check(&nested(CBOR_DEPTH_MAX - 1, big)), Ok(()));
    assert_eq!(check(&nested(CBOR_DEPTH_MAX, big)), Err(TOO_DEEP));
}

#[test]
fn what_is_written_beside_an_item_is_not_deeper_for_it() {
    let tagged = Value::Tag(2, Value::Bytes(vec![1; 9]).into());
    let wide = vec![(1u128 << 64, i128::MIN, tagged.clone()); 2 * CBOR_DEPTH_MAX];
    assert!(to_vec(&wide).is_ok());
    let branches = || {
        vec![
            Branch::One(1),
            Branch::Two(1, 2),
            Branch::Named { field: 1 },
        ]
    };
    let wide: Vec<_> = (0..CBOR_DEPTH_MAX).flat_map(|_| branches()).collect();
    let bytes = to_vec(&wide).unwrap();
    assert_eq!(from_slice::<Vec<Branch>>(&bytes).unwrap(), wide);

    // And at the last level each of them is refused, as reading would refuse it.
    let last = CBOR_DEPTH_MAX;
    assert_eq!(
        to_vec(&Around(last, u64::MAX)).map(|bytes| bytes.len()),
        Ok(last + 9)
    );
    assert_eq!(
        to_vec(&Around(last, i128::from(u64::MAX))).map(|bytes| bytes.len()),
        Ok(last + 9)
    );
    assert_eq!(to_vec(&Around(last, u128::MAX)), Err(TOO_DEEP));
    assert_eq!(to_vec(&Around(last, i128::MIN)), Err(TOO_DEEP));
    assert_eq!(to_vec(&Around(last, tagged)), Err(TOO_DEEP));
    for branch in branches() {
        let bytes = to_vec(&Around(last - 2, &branch)).unwrap();
        assert!(is_canonical(&bytes));
        assert_eq!(to_vec(&Around(last, branch)), Err(TOO_DEEP));
    }
    assert_eq!(to_vec(&Around(last - 1, Branch::Two(1, 2))), Err(TOO_DEEP));
    assert_eq!(
        to_vec(&Around(last - 1, Branch::Named { field: 1 })),
        Err(TOO_DEEP)
    );
}

#[test]
fn a_length_that_is_not_there_reserves_nothing() {
    for hex in [
        "9bffffffffffffffff",
        "9affffffff",
        "9b000000010000000000",
        "bbffffffffffffffff",
        "bb8000000000000000",
        "5bffffffffffffffff",
        "5b7fffffffffffffff",
        "7bffffffffffffffff",
        "7affffffff61",
        "5f5bffffffffffffffff",
        "829bffffffffffffffff",
    ] {
        let bytes = unhex(hex);
        assert_unreadable(check(&bytes), hex);
        assert_unreadable(from_slice::<Value>(&bytes), hex);
        assert_unreadable(from_slice::<Vec<u64>>(&bytes), hex);
        assert_unreadable(from_slice::<HashMap<u64, u64>>(&bytes), hex);
        assert_unreadable(from_slice::<String>(&bytes), hex);
        assert!(!is_canonical(&bytes));
        let mut reader = Reader::new(&bytes);
        assert!(reader.text().is_err() && reader.bytes().is_err() && reader.map().is_err());
    }
    assert_unreadable(Reader::new(&unhex("9bffffffffffffffff")).array(), "array");
    assert_unreadable(
        Reader::new(&unhex("a2000000")).map(),
        "map of two with three items",
    );
    assert_eq!(Reader::new(&unhex("a100f6")).map(), Ok(1));
}

#[test]
fn what_is_not_well_formed_is_refused_everywhere() {
    // RFC 8949 appendix F, then some of ours, then nothing at all.
    let malformed = "
        18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000
        fb000000 41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00
        7b7fffffffffffffff010203 81 818181 8200 a1 a20102 a100 a2000000 c0 5f4100 7f6100 9f
        9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff 1c 1d 1e 3c 3d 3e
        5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe f800 f801 f818 f81f 5f00ff 5f21ff
        5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff ff 81ff 8200ff
        a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff 1f 3f df 61ff
        62c328 7f61c361bcff 0000 f6f6
    ";
    let piece = alloc::format!("5f5f{}ff", "00".repeat(31));
    for hex in malformed.split_whitespace().chain(["", &piece]) {
        let bytes = unhex(hex);
        assert_unreadable(check(&bytes), hex);
        assert_unreadable(from_slice::<Value>(&bytes), hex);
        assert!(!is_canonical(&bytes), "{hex}");
    }
}

#[test]
fn items_that_a_tuple_leaves_over_are_an_error_wherever_they_stand() {
    assert_unreadable(from_slice::<(u8, u8)>(&unhex("83010203")), "a third");
    assert_unreadable(
        from_slice::<Vec<(u8, u8)>>(&unhex("8283010203820405")),
        "inside",
    );
    assert_unreadable(
        from_slice::<Vec<(u8,)>>(&unhex("9f9f0102ffff")),
        "indefinite",
    );
    // `{"Leaf": "Leaf"}`: a variant without content that was given one.
    let leaf = unhex("a1644c656166644c656166");
    assert_unreadable(from_slice::<Tree>(&leaf), "content of a unit variant");
    let mut two = vec![0x82];
    two.extend(leaf);
    two.extend(unhex("644c656166"));
    assert_unreadable(from_slice::<Vec<Tree>>(&two), "the same in a list");
}

#[test]
fn a_failed_method_leaves_the_reader_where_it_was() {
    let bytes = unhex("826161f5");
    let mut reader = Reader::new(&bytes);
    for _ in 0..2 {
        assert_unreadable(reader.uint(), "uint");
        assert_unreadable(reader.int(), "int");
        assert_unreadable(reader.bytes(), "bytes");
        assert_unreadable(reader.text(), "text");
        assert_unreadable(reader.map(), "map");
        assert_unreadable(reader.tag(), "tag");
        assert_unreadable(reader.null(), "null");
        assert_unreadable(reader.bool(), "bool");
        assert_unreadable(reader.float(), "float");
        assert_unreadable(reader.finish(), "finish");
        assert_eq!(reader.offset(), 0);
    }
    assert_eq!(reader.array(), Ok(2));
    assert_eq!(
        reader.bool(),
        Err(PayloadError::Unreadable {
            reason: "expected a boolean, found text at byte 1".into()
        })
    );
    assert_eq!(reader.text(), Ok("a"));
    assert_eq!(reader.bool(), Ok(true));
    assert_eq!(reader.finish(), Ok(()));
    assert_unreadable(Reader::new(&unhex("9f00ff")).array(), "indefinite array");
    assert_unreadable(
        Reader::new(&unhex("3b8000000000000000")).int(),
        "below 64 bits",
    );
    assert_eq!(
        Reader::new(&unhex("3b7fffffffffffffff")).int(),
        Ok(i64::MIN)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn garbage_never_panics(bytes in garbage()) {
        let well_formed = check(&bytes).is_ok();
        let value = from_slice::<Value>(&bytes);
        prop_assert!(well_formed || value.is_err());
        prop_assert!(well_formed || !is_canonical(&bytes));
        let _ = from_slice::<HashMap<String, Vec<Option<i128>>>>(&bytes);
        let _ = from_slice::<Vec<(u8, String)>>(&bytes);
        let _ = from_slice::<Tree>(&bytes);
        let _ = from_slice::<(char, f32, bool, ())>(&bytes);
        let mut reader = Reader::new(&bytes);
        let mut total = 0;
        while let Ok(item) = reader.raw_item() {
            prop_assert_eq!(check(item), Ok(()));
            total += item.len();
        }
        prop_assert_eq!(reader.offset(), total);
    }

    #[test]
    fn a_prefix_of_an_item_is_no_item(nested in 0..30usize, text in ".{0,300}") {
        let mut bytes = vec![0x81; nested];
        bytes.extend(to_vec(&(text, 1.5, u64::MAX)).unwrap());
        for len in 0..bytes.len() {
            prop_assert!(check(&bytes[..len]).is_err());
        }
    }
}

/// Random bytes, and random bytes that look like containers.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop::sample::select(unhex(
        "809fa0a1a2bfc0c2c3d8f4f5f6f7f9fafbff5f7f4061617841989b82",
    ));
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(prop_oneof![heads, 0..24u8], 0..64),
    ]
}
