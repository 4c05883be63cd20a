//! Laws over arbitrary values, against ciborium's own encoding of the value sorted by hand.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::collections::{HashMap, HashSet};

use ciborium::Value;
use proptest::prelude::*;
use serde::Serialize;

use super::super::super::PayloadError;
use super::super::{Kind, Reader, Writer, check, from_slice, is_canonical, sorted_set, to_vec};

fn values() -> impl Strategy<Value = Value> {
    let small = (-70_000..70_000i64).prop_map(Value::from);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        small,
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::Float),
        any::<f32>().prop_map(|float| Value::Float(float.into())),
        (-3000..3000i16).prop_map(|float| Value::Float(f64::from(float) / 16.0)),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,30}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner.clone()), 0..6).prop_map(Value::Map),
            (4..1000u64, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

fn by_ciborium(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The model: maps sorted by what ciborium makes of their keys, the first of equal keys kept, one
/// NaN for all.
fn by_hand(value: Value) -> Value {
    match value {
        Value::Float(float) if float.is_nan() => Value::Float(f64::NAN),
        Value::Array(values) => values.into_iter().map(by_hand).collect::<Vec<_>>().into(),
        Value::Tag(tag, value) => Value::Tag(tag, Box::new(by_hand(*value))),
        Value::Map(entries) => {
            let mut sorted = BTreeMap::new();
            for (key, value) in entries {
                let key = by_hand(key);
                sorted
                    .entry(by_ciborium(&key))
                    .or_insert((key, by_hand(value)));
            }
            Value::Map(sorted.into_values().collect())
        }
        other => other,
    }
}

/// The same value with every map turned round.
fn reversed(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(reversed).collect::<Vec<_>>().into(),
        Value::Tag(tag, value) => Value::Tag(tag, Box::new(reversed(*value))),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .rev()
                .map(|(key, value)| (reversed(key), reversed(value)))
                .collect(),
        ),
        other => other,
    }
}

/// Follows a value with the reader and writes it with the writer.
fn copy(reader: &mut Reader<'_>, writer: &mut Writer) -> Result<(), PayloadError> {
    match reader.peek()? {
        Kind::Uint => drop(writer.uint(reader.uint()?)),
        Kind::Negative => match reader.int() {
            Ok(value) => drop(writer.int(value)),
            Err(_) => drop(writer.raw(reader.raw_item()?)),
        },
        Kind::Bytes => drop(writer.bytes(reader.bytes()?)),
        Kind::Text => drop(writer.text(reader.text()?)),
        Kind::Bool => drop(writer.bool(reader.bool()?)),
        Kind::Float => drop(writer.float(reader.float()?)),
        Kind::Null => {
            reader.null()?;
            writer.null();
        }
        Kind::Array => {
            let len = reader.array()?;
            writer.array(len);
            (0..len).try_for_each(|_| copy(reader, writer))?;
        }
        Kind::Map => {
            let len = reader.map()?;
            writer.map(len);
            (0..2 * len).try_for_each(|_| copy(reader, writer))?;
        }
        Kind::Tag => {
            writer.tag(reader.tag()?);
            copy(reader, writer)?;
        }
        Kind::Simple => drop(writer.raw(reader.raw_item()?)),
    }
    Ok(())
}

struct Set<'a>(&'a HashSet<String>);

impl Serialize for Set<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        sorted_set::serialize(self.0, serializer)
    }
}

proptest! {
    #[test]
    fn canonical_bytes_are_those_of_the_value_sorted_by_hand(value in values()) {
        let sorted = by_hand(value);
        let bytes = to_vec(&sorted).unwrap();
        prop_assert_eq!(&bytes, &by_ciborium(&sorted));
        prop_assert_eq!(&to_vec(&reversed(sorted.clone())).unwrap(), &bytes);
        prop_assert!(is_canonical(&bytes));
        let back: Value = from_slice(&bytes).unwrap();
        prop_assert_eq!(to_vec(&back).unwrap(), bytes);
        // NaN is not equal to itself, so compare what is printed.
        prop_assert_eq!(alloc::format!("{back:?}"), alloc::format!("{sorted:?}"));
    }

    #[test]
    fn reader_and_writer_agree_with_the_serializer(value in values()) {
        let bytes = to_vec(&by_hand(value)).unwrap();
        let (mut reader, mut writer) = (Reader::new(&bytes), Writer::new());
        copy(&mut reader, &mut writer).unwrap();
        prop_assert!(reader.is_at_end());
        prop_assert_eq!(writer.into_bytes(), bytes);
    }

    #[test]
    fn a_hash_map_is_written_alike_whatever_order_it_shows(
        entries in prop::collection::hash_map(".{0,12}", any::<i32>(), 0..40),
    ) {
        let sorted: BTreeMap<_, _> = entries.clone().into_iter().collect();
        let mut other = HashMap::with_capacity(1000);
        other.extend(sorted.clone().into_iter().rev());
        let bytes = to_vec(&entries).unwrap();
        prop_assert_eq!(&to_vec(&other).unwrap(), &bytes);
        prop_assert_eq!(&to_vec(&sorted).unwrap(), &bytes);
        prop_assert_eq!(from_slice::<HashMap<String, i32>>(&bytes).unwrap(), entries);
    }

    #[test]
    fn a_marked_hash_set_is_written_alike_whatever_order_it_shows(
        elements in prop::collection::hash_set(".{0,12}", 0..40),
    ) {
        let mut other = HashSet::with_capacity(1000);
        other.extend(elements.iter().cloned());
        let bytes = to_vec(&Set(&elements)).unwrap();
        prop_assert_eq!(&to_vec(&Set(&other)).unwrap(), &bytes);
        prop_assert_eq!(from_slice::<HashSet<String>>(&bytes).unwrap(), elements);
    }

    #[test]
    fn what_is_canonical_is_what_would_be_written(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        // Integers that ciborium cannot hold and unassigned simple values have no value to compare.
        if let Ok(value) = from_slice::<Value>(&bytes)
            && !matches!(Reader::new(&bytes).peek(), Ok(Kind::Simple))
            && !bytes.contains(&0xf7)
        {
            let same = to_vec(&value).is_ok_and(|written| written == bytes);
            prop_assert_eq!(is_canonical(&bytes), same, "{:02x?}", bytes);
        } else if is_canonical(&bytes) {
            prop_assert_eq!(check(&bytes), Ok(()));
        }
    }
}
