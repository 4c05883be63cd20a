//! Whatever the bytes, reading CBOR ends in a value or an error, and a value has one canonical form.

use anabranch::event::cbor::{
    Kind, Reader, check as well_formed, from_slice, is_canonical, to_vec,
};
use ciborium::Value;

/// Whether the bytes are a value. Panics when a promise of the codec does not hold.
pub(crate) fn check(data: &[u8]) -> bool {
    let told_apart = walk(data);
    let checked = well_formed(data);
    if is_canonical(data) {
        assert!(checked.is_ok(), "what is canonical is well formed");
    }
    let Ok(value) = from_slice::<Value>(data) else {
        return false;
    };
    assert!(checked.is_ok(), "what was read is well formed");
    let canonical = to_vec(&value);
    if told_apart && is_canonical(data) {
        assert!(
            canonical.as_deref() == Ok(data),
            "canonical bytes are their own canonical form"
        );
    }
    // A map in which two keys are equal once they are canonical is a value that cannot be written.
    if let Ok(canonical) = canonical {
        assert!(is_canonical(&canonical), "what is written is canonical");
        let again = from_slice::<Value>(&canonical).and_then(|value| to_vec(&value));
        assert!(again == Ok(canonical), "a value has one canonical form");
    }
    true
}

/// Reads item after item with the method for its kind and with every other. Returns whether serde
/// tells all of them apart: to it `undefined` is null.
fn walk(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let mut told_apart = true;
    while !reader.is_at_end() {
        let before = reader.offset();
        let Ok(kind) = reader.peek() else {
            return told_apart;
        };
        wrong_readings(&reader, kind);
        told_apart &= kind != Kind::Simple;
        let read = match kind {
            Kind::Uint => reader.uint().map(|_| ()),
            Kind::Negative => reader.int().map(|_| ()),
            Kind::Bytes => reader.bytes().map(|_| ()),
            Kind::Text => reader.text().map(|_| ()),
            Kind::Array => reader.array().map(|_| ()),
            Kind::Map => reader.map().map(|_| ()),
            Kind::Tag => reader.tag().map(|_| ()),
            Kind::Bool => reader.bool().map(|_| ()),
            Kind::Null => reader.null(),
            Kind::Float => reader.float().map(|_| ()),
            _ => reader.skip(),
        };
        if read.is_err() {
            assert_eq!(
                reader.offset(),
                before,
                "a reader that fails stays where it was"
            );
            // Indefinite lengths and big integers are passed over whole, or the walk ends.
            if reader.raw_item().is_err() {
                return told_apart;
            }
        }
        assert!(reader.offset() > before, "a reader that succeeds moves on");
    }
    told_apart
}

fn wrong_readings(reader: &Reader<'_>, kind: Kind) {
    let refused = |what: Kind, refuses: bool| {
        assert!(refuses || what == kind, "{kind} was read as {what}");
    };
    refused(Kind::Uint, reader.clone().uint().is_err());
    refused(Kind::Bytes, reader.clone().bytes().is_err());
    refused(Kind::Text, reader.clone().text().is_err());
    refused(Kind::Array, reader.clone().array().is_err());
    refused(Kind::Map, reader.clone().map().is_err());
    refused(Kind::Tag, reader.clone().tag().is_err());
    refused(Kind::Bool, reader.clone().bool().is_err());
    refused(Kind::Null, reader.clone().null().is_err());
    refused(Kind::Float, reader.clone().float().is_err());
}
