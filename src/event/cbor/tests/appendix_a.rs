//! RFC 8949 appendix A, the vectors of definite length and (as readable only) the others.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use ciborium::Value;

use super::super::{Kind, Reader, check, from_slice, is_canonical, to_vec};
use super::unhex;

fn int(value: i128) -> Value {
    Value::Integer(value.try_into().unwrap())
}

fn text(value: &str) -> Value {
    Value::Text(String::from(value))
}

fn tagged(tag: u64, value: Value) -> Value {
    Value::Tag(tag, Box::new(value))
}

fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::Map(entries.into_iter().collect())
}

fn numbers() -> Vec<(Value, &'static str)> {
    vec![
        (int(0), "00"),
        (int(1), "01"),
        (int(10), "0a"),
        (int(23), "17"),
        (int(24), "1818"),
        (int(25), "1819"),
        (int(100), "1864"),
        (int(1000), "1903e8"),
        (int(1_000_000), "1a000f4240"),
        (int(1_000_000_000_000), "1b000000e8d4a51000"),
        (int(18_446_744_073_709_551_615), "1bffffffffffffffff"),
        (
            tagged(2, Value::Bytes(unhex("010000000000000000"))),
            "c249010000000000000000",
        ),
        (int(-18_446_744_073_709_551_616), "3bffffffffffffffff"),
        (
            tagged(3, Value::Bytes(unhex("010000000000000000"))),
            "c349010000000000000000",
        ),
        (int(-1), "20"),
        (int(-10), "29"),
        (int(-100), "3863"),
        (int(-1000), "3903e7"),
        (Value::Float(0.0), "f90000"),
        (Value::Float(-0.0), "f98000"),
        (Value::Float(1.0), "f93c00"),
        (Value::Float(1.1), "fb3ff199999999999a"),
        (Value::Float(1.5), "f93e00"),
        (Value::Float(65504.0), "f97bff"),
        (Value::Float(100_000.0), "fa47c35000"),
        (Value::Float(3.402_823_466_385_288_6e38), "fa7f7fffff"),
        (Value::Float(1.0e300), "fb7e37e43c8800759c"),
        (Value::Float(5.960_464_477_539_063e-8), "f90001"),
        (Value::Float(0.000_061_035_156_25), "f90400"),
        (Value::Float(-4.0), "f9c400"),
        (Value::Float(-4.1), "fbc010666666666666"),
        (Value::Float(f64::INFINITY), "f97c00"),
        (Value::Float(f64::NEG_INFINITY), "f9fc00"),
    ]
}

fn others() -> Vec<(Value, &'static str)> {
    let up_to_25 = "98190102030405060708090a0b0c0d0e0f101112131415161718181819";
    let upper = ["A", "B", "C", "D", "E"].map(text);
    let lower = ["a", "b", "c", "d", "e"].map(text);
    vec![
        (Value::Bool(false), "f4"),
        (Value::Bool(true), "f5"),
        (Value::Null, "f6"),
        (
            tagged(0, text("2013-03-21T20:04:00Z")),
            "c074323031332d30332d32315432303a30343a30305a",
        ),
        (tagged(1, int(1_363_896_240)), "c11a514b67b0"),
        (
            tagged(1, Value::Float(1_363_896_240.5)),
            "c1fb41d452d9ec200000",
        ),
        (tagged(23, Value::Bytes(unhex("01020304"))), "d74401020304"),
        (
            tagged(24, Value::Bytes(unhex("6449455446"))),
            "d818456449455446",
        ),
        (
            tagged(32, text("http://www.example.com")),
            "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        ),
        (Value::Bytes(vec![]), "40"),
        (Value::Bytes(unhex("01020304")), "4401020304"),
        (text(""), "60"),
        (text("a"), "6161"),
        (text("IETF"), "6449455446"),
        (text("\"\\"), "62225c"),
        (text("\u{fc}"), "62c3bc"),
        (text("\u{6c34}"), "63e6b0b4"),
        (text("\u{10151}"), "64f0908591"),
        (array([]), "80"),
        (array([1, 2, 3].map(int)), "83010203"),
        (
            array([int(1), array([2, 3].map(int)), array([4, 5].map(int))]),
            "8301820203820405",
        ),
        (array((1..=25).map(int)), up_to_25),
        (map([]), "a0"),
        (map([(int(1), int(2)), (int(3), int(4))]), "a201020304"),
        (
            map([(text("a"), int(1)), (text("b"), array([2, 3].map(int)))]),
            "a26161016162820203",
        ),
        (
            array([text("a"), map([(text("b"), text("c"))])]),
            "826161a161626163",
        ),
        (
            map(lower.into_iter().zip(upper)),
            "a56161614161626142616361436164614461656145",
        ),
    ]
}

#[test]
fn the_vectors_are_written_and_read_as_printed() {
    for (value, hex) in numbers().into_iter().chain(others()) {
        let bytes = unhex(hex);
        assert_eq!(to_vec(&value).unwrap(), bytes, "{value:?}");
        assert_eq!(from_slice::<Value>(&bytes).unwrap(), value, "{hex}");
        assert!(is_canonical(&bytes), "{hex}");
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.raw_item().unwrap(), bytes);
        assert!(reader.is_at_end());
    }
}

#[test]
fn every_nan_is_written_as_the_one() {
    let bits = [
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0001,
        0x7ff0_0000_0000_0001,
    ];
    for value in bits.map(f64::from_bits) {
        assert_eq!(to_vec(&value).unwrap(), unhex("f97e00"));
    }
    for hex in ["f97e00", "fa7fc00000", "fb7ff8000000000000"] {
        assert!(from_slice::<f64>(&unhex(hex)).unwrap().is_nan());
        assert!(Reader::new(&unhex(hex)).float().unwrap().is_nan());
        assert_eq!(is_canonical(&unhex(hex)), hex == "f97e00");
    }
}

#[test]
fn longer_forms_are_read_but_are_not_canonical() {
    for (hex, value) in [
        ("1800", int(0)),
        ("1917ff", int(0x17ff)),
        ("190017", int(23)),
        ("1a0000ffff", int(0xffff)),
        ("1b00000000ffffffff", int(0xffff_ffff)),
        ("3b0000000000000000", int(-1)),
        ("fa7f800000", Value::Float(f64::INFINITY)),
        ("fbfff0000000000000", Value::Float(f64::NEG_INFINITY)),
        ("fa3f800000", Value::Float(1.0)),
        ("fb40f86a0000000000", Value::Float(100_000.0)),
        ("5801ff", Value::Bytes(vec![0xff])),
        ("780161", text("a")),
        ("980101", array([int(1)])),
        ("b8010102", map([(int(1), int(2))])),
        ("a203040102", map([(int(3), int(4)), (int(1), int(2))])),
        ("c2420100", int(256)),
    ] {
        let bytes = unhex(hex);
        assert_eq!(from_slice::<Value>(&bytes).unwrap(), value, "{hex}");
        assert_eq!(is_canonical(&bytes), hex == "1917ff", "{hex}");
        assert!(is_canonical(&to_vec(&value).unwrap()));
    }
}

#[test]
fn indefinite_lengths_are_read_but_are_not_canonical() {
    for (hex, value) in [
        ("5f42010243030405ff", Value::Bytes(unhex("0102030405"))),
        ("7f657374726561646d696e67ff", text("streaming")),
        ("9fff", array([])),
        (
            "9f018202039f0405ffff",
            array([int(1), array([2, 3].map(int)), array([4, 5].map(int))]),
        ),
        (
            "bf61610161629f0203ffff",
            map([(text("a"), int(1)), (text("b"), array([2, 3].map(int)))]),
        ),
        (
            "bf6346756ef563416d7421ff",
            map([(text("Fun"), true.into()), (text("Amt"), int(-2))]),
        ),
    ] {
        let bytes = unhex(hex);
        assert_eq!(from_slice::<Value>(&bytes).unwrap(), value, "{hex}");
        assert!(!is_canonical(&bytes), "{hex}");
        assert_eq!(Reader::new(&bytes).raw_item().unwrap(), bytes);
    }
}

#[test]
fn simple_values_that_nobody_assigned_pass_through() {
    for hex in ["f7", "f0", "f8ff"] {
        let bytes = unhex(hex);
        assert!(is_canonical(&bytes));
        assert_eq!(check(&bytes), Ok(()));
        assert_eq!(Reader::new(&bytes).peek().unwrap(), Kind::Simple);
    }
}
