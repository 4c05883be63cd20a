//! What the documents name is there: functions, fields, files, and the tests of the table of
//! invariants.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use super::source::Violation;
use super::tree::{documents, expect_none, root, rust_files};

/// The pieces of a document between backticks that lie on one line, code blocks left out.
fn quoted(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let pieces = line.split('`').skip(1).step_by(2);
            found.extend(pieces.map(|piece| (index + 1, piece)));
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The function, field or module that a piece names: `Type::function`, or words with underscores.
fn item(piece: &str) -> Option<&str> {
    let piece = piece.split_once('(').map_or(piece, |(name, _)| name);
    let last = piece.rsplit("::").next()?;
    let is_path = piece.contains("::") && piece.split("::").all(is_name);
    let is_words = is_name(last) && last.contains('_');
    let starts_low = last.starts_with(|c: char| c.is_ascii_lowercase());
    (starts_low && (is_path || is_words)).then_some(last)
}

/// The file or folder that a piece names.
fn file_name(piece: &str) -> Option<&str> {
    let folders = ["src/", "tests/", "examples/", ".ci/"];
    let is_path = folders.iter().any(|folder| piece.starts_with(folder));
    (is_path && !piece.contains(' ')).then_some(piece)
}

fn missing(path: &str, text: &str, is_item: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, piece) in quoted(text) {
        let mut tell = |what: String| {
            found.push(Violation {
                path: path.into(),
                line,
                what,
            });
        };
        if let Some(name) = file_name(piece) {
            if !root().join(name).exists() {
                tell(format!("there is no {name}"));
            }
        } else if let Some(name) = item(piece)
            && !is_item(name)
        {
            tell(format!("there is no {name}"));
        }
    }
    found
}

#[test]
fn what_the_documents_name_exists() {
    let mut names = BTreeSet::new();
    for source in rust_files() {
        names.extend(Path::new(&source.path).file_stem().and_then(OsStr::to_str));
        for pair in source.tokens.windows(2) {
            if matches!(pair[0].text.as_str(), "fn" | "mod") {
                names.insert(pair[1].text.as_str());
            } else if pair[1].text == ":" {
                names.insert(pair[0].text.as_str());
            }
        }
    }
    let found: Vec<_> = documents()
        .iter()
        .flat_map(|(path, text)| missing(path, text, |name| names.contains(name)))
        .collect();
    expect_none("a document names what is there", &found);
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let text = "`Engine::record`, `Engine::recall()`, `a/b`, `cargo test`\n`src/none.rs`\n```\n`A::b`\n```\n\
                `a_test_that_nobody_ever_wrote` and `Display::Name`";
    let lines: Vec<_> = missing("README.md", text, |name| name == "record")
        .iter()
        .map(|violation| violation.line)
        .collect();
    assert_eq!(lines, [1, 2, 6]);
}
