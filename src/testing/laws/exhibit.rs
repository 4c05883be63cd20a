//! What people are shown: states as text, two of them side by side.
//!
//! Knows no law and no history.

use std::fmt::Write as _;

use ciborium::Value;

use crate::event::cbor;

/// One side of a finding: a title and what was seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit {
    /// What was done.
    pub title: String,
    /// What came of it, line by line.
    pub lines: Vec<String>,
}

impl Exhibit {
    /// Some words.
    pub(super) fn said(title: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lines: vec![words.into()],
        }
    }

    /// A value in CBOR.
    pub(super) fn cbor(title: impl Into<String>, bytes: &[u8]) -> Self {
        let lines = match cbor::from_slice::<Value>(bytes) {
            Ok(value) => {
                let mut lines = Vec::new();
                spread(&value, 0, "", &mut lines);
                lines
            }
            Err(_) => vec![one_line(bytes)],
        };
        Self {
            title: title.into(),
            lines,
        }
    }

    /// Some lines.
    pub(super) fn listed(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self {
            title: title.into(),
            lines,
        }
    }

    /// The same with another line.
    pub(super) fn and(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }
}

/// A value in CBOR as one line of text.
pub(super) fn one_line(bytes: &[u8]) -> String {
    if let Ok(value) = cbor::from_slice::<Value>(bytes) {
        return brief(&value);
    }
    format!("bytes 0x{}", hex(bytes.get(..16).unwrap_or(bytes)))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn brief(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(brief).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => format!("{text:?}"),
        Value::Bytes(bytes) => format!("h'{}'", hex(bytes)),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Map(entries) => {
            let entry = |(key, value): &(Value, Value)| format!("{}: {}", brief(key), brief(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// What fits is one line; what does not is spread over several.
fn spread(value: &Value, depth: usize, label: &str, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let whole = brief(value);
    let nests = matches!(value, Value::Array(_) | Value::Map(_));
    if !nests || (depth > 0 && whole.len() <= WIDTH) {
        lines.push(format!("{indent}{label}{whole}"));
        return;
    }
    let (open, close) = match value {
        Value::Map(_) => ('{', '}'),
        _ => ('[', ']'),
    };
    lines.push(format!("{indent}{label}{open}"));
    match value {
        Value::Map(entries) => {
            for (key, value) in entries {
                spread(value, depth + 1, &format!("{}: ", brief(key)), lines);
            }
        }
        Value::Array(items) => {
            for item in items {
                spread(item, depth + 1, "", lines);
            }
        }
        _ => {}
    }
    lines.push(format!("{indent}{close}"));
}

/// How many characters wide a column is at most.
const WIDTH: usize = 44;

/// Two exhibits next to each other; lines that differ are marked.
pub(super) fn side_by_side(left: &Exhibit, right: &Exhibit) -> String {
    let rows = align(&left.lines, &right.lines);
    let longest = |lines: &[String], title: &str| {
        let lengths = lines.iter().map(|line| line.chars().count());
        lengths.chain([title.chars().count()]).max().unwrap_or(0)
    };
    let width = longest(&left.lines, &left.title).min(2 * WIDTH);
    let mut text = String::new();
    let _ = writeln!(text, "    {:width$}     {}", left.title, right.title);
    for (one, other) in rows {
        let mark = if one == other { "   " } else { "-> " };
        let (one, other) = (one.unwrap_or(""), other.unwrap_or(""));
        let _ = writeln!(text, " {mark}{one:width$}  |  {other}");
    }
    text
}

type Row<'a> = (Option<&'a str>, Option<&'a str>);

/// Lines that both have in the same order stand next to each other.
fn align<'a>(left: &'a [String], right: &'a [String]) -> Vec<Row<'a>> {
    let common = common(left, right);
    let (mut one, mut other) = (0, 0);
    let mut rows = Vec::new();
    for (next_one, next_other) in common.into_iter().chain([(left.len(), right.len())]) {
        while one < next_one || other < next_other {
            let line = |lines: &'a [String], at: usize, end: usize| {
                lines.get(at).filter(|_| at < end).map(String::as_str)
            };
            rows.push((line(left, one, next_one), line(right, other, next_other)));
            one = next_one.min(one + 1);
            other = next_other.min(other + 1);
        }
        if let (Some(line), Some(same)) = (left.get(one), right.get(other)) {
            rows.push((Some(line), Some(same)));
        }
        (one, other) = (next_one + 1, next_other + 1);
    }
    rows
}

/// The places of a longest common subsequence.
fn common(left: &[String], right: &[String]) -> Vec<(usize, usize)> {
    let columns = right.len() + 1;
    let mut best = vec![0usize; (left.len() + 1) * columns];
    for one in (0..left.len()).rev() {
        for other in (0..right.len()).rev() {
            best[one * columns + other] = if left[one] == right[other] {
                best[(one + 1) * columns + other + 1] + 1
            } else {
                best[(one + 1) * columns + other].max(best[one * columns + other + 1])
            };
        }
    }
    let (mut one, mut other) = (0, 0);
    let mut found = Vec::new();
    while one < left.len() && other < right.len() {
        if left[one] == right[other] {
            found.push((one, other));
            (one, other) = (one + 1, other + 1);
        } else if best[(one + 1) * columns + other] >= best[one * columns + other + 1] {
            one += 1;
        } else {
            other += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exhibit(title: &str, lines: &[&str]) -> Exhibit {
        Exhibit {
            title: title.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn what_differs_is_marked_and_what_agrees_stands_next_to_each_other() {
        let left = exhibit("one way", &["{", "  a: 1", "  b: 2", "}"]);
        let right = exhibit("the other", &["{", "  b: 2", "  c: 3", "}"]);
        let expected = [
            "    one way     the other",
            "    {        |  {",
            " ->   a: 1   |  ",
            "      b: 2   |    b: 2",
            " ->          |    c: 3",
            "    }        |  }",
        ];
        let text = side_by_side(&left, &right);
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn values_are_read_as_text() {
        let value = cbor::to_vec(&(1, "a", [true])).unwrap();
        assert_eq!(one_line(&value), "[1, \"a\", [true]]");
        assert_eq!(one_line(&[0xff]), "bytes 0xff");
        assert_eq!(Exhibit::cbor("", &value).lines.len(), 5);
    }
}
