use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use ciborium::Value;

use super::{BrokenLaw, Evidence, Sketch};
use crate::event::cbor;
use crate::resolver::Route;

/// Writers have a letter each.
const LETTERS: usize = 26;
/// Values that take more bytes are not repeated beside them.
const REMARK: usize = 60;

/// A history as what shows a mistake: a test of the laws.
pub(super) fn evidence(
    law: BrokenLaw,
    sketch: &Sketch,
    is_shown: bool,
    route: &Route,
    remarks: &[String],
) -> Evidence {
    let few = sketch.by_few();
    let named = if sketch.steps.iter().any(|step| step.writer >= LETTERS) {
        &few
    } else {
        sketch
    };
    Evidence {
        law,
        events: sketch.len(),
        is_shown,
        test: test(law, named, route, remarks),
    }
}

fn test(law: BrokenLaw, sketch: &Sketch, route: &Route, remarks: &[String]) -> String {
    let id = route.resolver().id();
    let name = id
        .name
        .replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    let mut text = String::new();
    let _ = writeln!(text, "#[test]\nfn {name}_keeps_{law}() {{");
    let _ = writeln!(
        text,
        "    use anabranch::testing::laws::{{History, Law}};\n"
    );
    for remark in remarks {
        let _ = writeln!(text, "    // {remark}");
    }
    let _ = writeln!(text, "    let history = History::new(){}", lines(sketch));
    let _ = writeln!(
        text,
        "    // Of {id}.\n    your_suite().assert_keeps(Law::{law:?}, &history);\n}}"
    );
    text
}

fn lines(sketch: &Sketch) -> String {
    let mut text = String::new();
    for (at, step) in sketch.steps.iter().enumerate() {
        let letter = u8::try_from(step.writer % LETTERS).unwrap_or_default();
        let saw = sketch.heads(at).into_iter();
        let saw: Vec<String> = saw.map(|seen| (seen + 1).to_string()).collect();
        let _ = write!(
            text,
            "\n        .event(\"{}\", [{}], \"",
            char::from(b'A' + letter),
            saw.join(", ")
        );
        for byte in step.payload.as_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
        let is_last = at + 1 == sketch.len();
        text.push_str(if is_last { "\");" } else { "\")" });
        if let Some(remark) = remark(step.payload.as_bytes()) {
            let _ = write!(text, " // {remark}");
        }
    }
    text
}

/// A short value in CBOR as people read it.
fn remark(bytes: &[u8]) -> Option<String> {
    if bytes.len() > REMARK {
        return None;
    }
    let mut text = String::new();
    put(&cbor::from_slice::<Value>(bytes).ok()?, &mut text);
    (!text.contains('\n')).then_some(text)
}

fn put(value: &Value, out: &mut String) {
    let between = |at: usize| if at == 0 { "" } else { ", " };
    let _ = match value {
        Value::Null => write!(out, "null"),
        Value::Bool(flag) => write!(out, "{flag}"),
        Value::Integer(number) => write!(out, "{}", i128::from(*number)),
        Value::Float(number) => write!(out, "{number:?}"),
        Value::Text(text) => write!(out, "{text:?}"),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(between(at));
                put(item, out);
            }
            write!(out, "]")
        }
        Value::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(between(at));
                put(key, out);
                out.push_str(": ");
                put(value, out);
            }
            write!(out, "}}")
        }
        other => write!(out, "{other:?}"),
    };
}
