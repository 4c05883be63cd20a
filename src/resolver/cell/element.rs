use alloc::string::String;
use core::fmt::Write;

use crate::event::PayloadError;
use crate::event::cbor::{self, Kind, Reader};

/// The segment of a path that stands for an element of a set, given in canonical CBOR: a text by
/// itself, anything else in diagnostic notation (RFC 8949 section 8) between `<` and `>`, as `<7>`;
/// a text that begins with `<` too, in quotes.
///
/// Different elements have different segments.
pub(crate) fn segment_of(element: &[u8]) -> String {
    match Reader::new(element).text() {
        Ok(text) if !text.starts_with('<') => text.into(),
        _ => {
            let mut notation = String::from("<");
            // The element was checked when its payload was read.
            let _ = diagnose(&mut Reader::new(element), &mut notation);
            notation.push('>');
            notation
        }
    }
}

/// Recursion is as deep as canonical CBOR may nest.
fn diagnose(reader: &mut Reader<'_>, out: &mut String) -> Result<(), PayloadError> {
    // Writing to a string cannot fail.
    let _ = match reader.peek()? {
        Kind::Uint => write!(out, "{}", reader.uint()?),
        Kind::Negative => write!(out, "{}", cbor::from_slice::<i128>(reader.raw_item()?)?),
        Kind::Float => write!(out, "{:?}", reader.float()?),
        Kind::Bool => write!(out, "{}", reader.bool()?),
        Kind::Null => reader.null().map(|()| out.write_str("null"))?,
        Kind::Text => quote(reader.text()?, out),
        Kind::Bytes => hex("h", reader.bytes()?, out),
        Kind::Simple => hex("simple", reader.raw_item()?, out),
        Kind::Tag => {
            let _ = write!(out, "{}(", reader.tag()?);
            diagnose(reader, out)?;
            out.write_char(')')
        }
        Kind::Array => {
            out.push('[');
            for place in 0..reader.array()? {
                separate(place, out);
                diagnose(reader, out)?;
            }
            out.write_char(']')
        }
        Kind::Map => {
            out.push('{');
            for place in 0..reader.map()? {
                separate(place, out);
                diagnose(reader, out)?;
                out.push_str(": ");
                diagnose(reader, out)?;
            }
            out.write_char('}')
        }
    };
    Ok(())
}

fn separate(place: usize, out: &mut String) {
    if place > 0 {
        out.push_str(", ");
    }
}

fn quote(text: &str, out: &mut String) -> core::fmt::Result {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.write_char('"')
}

fn hex(prefix: &str, bytes: &[u8], out: &mut String) -> core::fmt::Result {
    write!(out, "{prefix}'")?;
    bytes
        .iter()
        .try_for_each(|byte| write!(out, "{byte:02x}"))?;
    out.write_char('\'')
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;
    use alloc::vec::Vec;

    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;

    fn segment(value: &Value) -> String {
        segment_of(&cbor::to_vec(value).unwrap())
    }

    #[test]
    fn a_text_stands_for_itself_and_anything_else_in_brackets() {
        assert_eq!(segment(&Value::from("red")), "red");
        assert_eq!(segment(&Value::from("")), "");
        assert_eq!(segment(&Value::from("<b>")), r#"<"<b>">"#);
        assert_eq!(segment(&Value::from(7)), "<7>");
        assert_eq!(segment(&Value::from(-1)), "<-1>");
        assert_eq!(segment(&Value::from(-0.5)), "<-0.5>");
        assert_eq!(segment(&Value::from(1.0)), "<1.0>");
        assert_eq!(segment(&Value::Null), "<null>");
        assert_eq!(segment(&Value::from(true)), "<true>");
        assert_eq!(segment(&Value::Bytes(vec![0, 255])), "<h'00ff'>");
        let nested = Value::Array(vec![
            Value::from(r#"a"\"#),
            Value::Map(vec![(Value::from(1), Value::Tag(9, Value::Null.into()))]),
        ]);
        assert_eq!(segment(&nested), r#"<["a\"\\", {1: 9(null)}]>"#);
        assert_eq!(segment_of(&[0xf7]), "<simple'f7'>");
        assert_eq!(segment(&Value::from(u64::MAX)), "<18446744073709551615>");
        let least = cbor::to_vec(&(-1 - i128::from(u64::MAX))).unwrap();
        assert_eq!(segment_of(&least), "<-18446744073709551616>");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-2i64..3).prop_map(Value::from),
            prop::sample::select(vec![0.0, -0.0, 1.0, 0.1, f64::NAN, 1e300]).prop_map(Value::from),
            "[\"\\\\<>a1,: ]{0,3}".prop_map(Value::from),
            prop::collection::vec(0u8..3, 0..3).prop_map(Value::Bytes),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::option::of((inner.clone(), inner.clone()))
                    .prop_map(|entry| Value::Map(entry.into_iter().collect())),
                (7u64..9, inner).prop_map(|(tag, inner)| Value::Tag(tag, inner.into())),
            ]
        })
    }

    proptest! {
        #[test]
        fn different_elements_have_different_segments(
            values in prop::collection::vec(values(), 0..40),
        ) {
            let encoded: BTreeSet<Vec<u8>> =
                values.iter().map(|value| cbor::to_vec(value).unwrap()).collect();
            let segments: BTreeSet<String> =
                encoded.iter().map(|bytes| segment_of(bytes)).collect();
            prop_assert_eq!(segments.len(), encoded.len());
        }
    }
}
