use std::fmt::Write;

use anabranch::event::cbor;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

/// A CBOR value as JSON shows it. What JSON has no word for becomes text: bytes in hexadecimal as
/// `h'00ff'`, a tag before its value as `1(...)`, a key that is no text as its JSON, numbers that are
/// not finite by name.
pub(super) fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Bool(bit) => Value::Bool(bit),
        Cbor::Text(text) => Value::String(text),
        Cbor::Integer(number) => integer(number),
        Cbor::Float(number) => Number::from_f64(number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        Cbor::Bytes(bytes) => Value::String(format!("h'{}'", hexadecimal(&bytes))),
        Cbor::Array(items) => items.into_iter().map(from_cbor).collect(),
        Cbor::Map(entries) => Value::Object(entries.into_iter().map(entry).collect::<Map<_, _>>()),
        Cbor::Tag(tag, inner) => Value::String(format!("{tag}({})", from_cbor(*inner))),
        _ => Value::Null,
    }
}

/// CBOR bytes as JSON shows them.
pub(super) fn from_bytes(bytes: &[u8]) -> Value {
    let value = cbor::from_slice(bytes).map(from_cbor);
    value.unwrap_or_else(|error| Value::String(format!("unreadable: {error}")))
}

fn integer(number: ciborium::value::Integer) -> Value {
    let number = i128::from(number);
    let fits = i64::try_from(number).map(Value::from);
    fits.or_else(|_| u64::try_from(number).map(Value::from))
        .unwrap_or_else(|_| Value::String(number.to_string()))
}

fn entry((key, value): (Cbor, Cbor)) -> (String, Value) {
    let key = match from_cbor(key) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    (key, from_cbor(value))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_has_no_word_for_becomes_text() {
        let text = |text: &str| Cbor::Text(text.into());
        let value = Cbor::Map(vec![
            (text("a"), Cbor::Array(vec![Cbor::Null, Cbor::Bool(true)])),
            (Cbor::Integer(1.into()), Cbor::Bytes(vec![0, 255])),
            (text("n"), Cbor::Float(f64::NAN)),
            (text("t"), Cbor::Tag(1, Box::new(Cbor::Integer(5.into())))),
            (text("u"), Cbor::Integer(u64::MAX.into())),
        ]);
        let json =
            r#"{"1":"h'00ff'","a":[null,true],"n":"NaN","t":"1(5)","u":18446744073709551615}"#;
        assert_eq!(from_cbor(value).to_string(), json);
    }
}
