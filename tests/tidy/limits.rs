//! Every bound stands in one file.

use super::source::{Source, Violation};
use super::tree::{check, library, planted};

const HOME: &str = "src/limits.rs";
/// Parts of a name that tell a unit or a bound, where the name has other parts too.
const PARTS: [&str; 5] = ["MAX", "MIN", "BYTES", "MS", "SECS"];
/// Such a name tells the layout of a format, which no reader may choose, and not a bound.
const LAYOUT: &str = "HEADER";

/// Constants that are a span of time, or have a unit or a bound in the name, and a number of their
/// own in the value. One that is computed from others alone follows them and may stand anywhere.
fn stray_bounds(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let name = source.at(index + 1);
        if token.text != "const" || source.is_test(token.line) || source.path == HOME {
            continue;
        }
        let statement = source
            .tokens
            .iter()
            .skip(index)
            .map(|token| token.text.as_str());
        let words: Vec<_> = statement.take_while(|word| *word != ";").collect();
        let equals = words
            .iter()
            .position(|word| *word == "=")
            .unwrap_or(words.len());
        let (left, right) = words.split_at(equals);
        let has_part = |wanted: &[&str]| name.split('_').any(|part| wanted.contains(&part));
        let named = name.contains('_') && has_part(&PARTS) && !has_part(&[LAYOUT]);
        let own_number = right
            .iter()
            .any(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        if (named || left.contains(&"Duration")) && own_number && !left.contains(&"fn") {
            let what = format!("`{name}` is a bound: it belongs to {HOME}");
            found.push(source.violation(token.line, what));
        }
    }
    found
}

#[test]
fn bounds_live_in_limits() {
    check("bounds live in one file", library(), stray_bounds);
}

#[test]
fn a_stray_bound_is_found() {
    let text = "const WAIT_MS: u64 = 5;\nconst QUEUE_MAX: usize = QUEUE_BYTES_MAX;\n\
                const HEADER_BYTES: u8 = 2;\nconst PAUSE: Duration = Duration::from_secs(1);\n\
                #[cfg(test)]\nmod tests { const STEPS_MAX: u8 = 9; }\nconst fn max_ms(a: u8) -> u8 { 1 }";
    assert_eq!(planted("src/hub/mod.rs", text, stray_bounds), [1, 4]);
    assert!(planted(HOME, text, stray_bounds).is_empty());
}
