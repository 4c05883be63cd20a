//! The page that describes the wire: its examples are the golden bytes.

use crate::golden::golden;

const PAGE: &str = include_str!("../../src/protocol/wire.md");

/// The examples of the page: lines of digits after the name of a golden file.
fn examples() -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let blocks = PAGE.split("```").skip(1).step_by(2);
    for block in blocks {
        let mut is_example = false;
        for line in block.lines().skip(1) {
            if !golden(line).is_empty() {
                is_example = true;
                found.push((line, String::new()));
            } else if let (true, Some((_, digits))) = (is_example, found.last_mut()) {
                digits.extend(line.split_whitespace());
            }
        }
    }
    found
}

#[test]
fn the_examples_of_the_page_are_the_golden_bytes() {
    let examples = examples();
    assert!(examples.len() >= 16, "only {} examples", examples.len());
    for (name, digits) in examples {
        assert_eq!(digits, golden(name), "{name}");
    }
}

#[test]
fn the_page_names_every_column_and_message() {
    for message in [
        "hello",
        "summary",
        "need-summary",
        "fill",
        "batch",
        "part",
        "ack",
        "credit",
        "caught-up",
        "refuse",
        "again",
        "ping",
        "pong",
        "error",
        "digests",
    ] {
        let row = format!(" | {message} |");
        assert!(PAGE.contains(&row), "{message}");
    }
}
