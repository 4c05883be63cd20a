//! Every bound stands in one file.

use super::source::{Source, Violation};
use super::tree::{check, library, planted};

const HOME: &str = "src/limits.rs";
/// Parts of a name that tell a unit or a bound, where the name has other parts too.
const PARTS: [&str; 5] = ["MAX", "MIN", "BYTES", "MS", "SECS"];

/// Constants that are a span of time, or have a unit or a bound in the name, and a number of their
/// own in the value. One that is computed from others alone follows them and may stand anywhere.
fn stray_bounds(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let name = source.at(index + 1);
        let statement = source
            .tokens
            .iter()
            .skip(index)
            .take_while(|token| token.text != ";");
        let words: Vec<_> = statement.map(|token| token.text.as_str()).collect();
        let Some(equals) = words.iter().position(|word| *word == "=") else {
            continue;
        };
        let (left, right) = words.split_at(equals);
        let named = name.contains('_') && name.split('_').any(|part| PARTS.contains(&part));
        let bound = named || left.contains(&"Duration");
        let own = right
            .iter()
            .any(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let here = token.text == "const" && !source.is_test(token.line) && source.path != HOME;
        if here && bound && own && !left.contains(&"fn") {
            let what = format!("`{name}` is a bound: it belongs to {HOME}");
            found.push(source.violation(token.line, what));
        }
    }
    found
}

#[test]
fn bounds_live_in_limits() {
    check("bounds live in one file", &library(), stray_bounds);
}

#[test]
fn a_stray_bound_is_found() {
    let text = "const WAIT_MS: u64 = 5;\nconst QUEUE_MAX: usize = QUEUE_BYTES_MAX;\n\
                const BYTES: u8 = 2;\nconst PAUSE: Duration = Duration::from_secs(1);\n\
                #[cfg(test)]\nmod tests { const STEPS_MAX: u8 = 9; }\nconst fn max_ms(a: u8) -> u8 { 1 }";
    assert_eq!(planted("src/hub/mod.rs", text, stray_bounds), [1, 4]);
    assert!(planted(HOME, text, stray_bounds).is_empty());
}
