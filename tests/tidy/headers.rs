//! Each module opens with what it is for, what it keeps and what it refuses to know.

use super::source::{Source, Violation};
use super::tree::{check, library, planted};

/// Lines that open the module, up to the first section or picture, which may be as long as needed.
fn header_lines(source: &Source) -> usize {
    let lines = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"));
    let opening =
        lines.take_while(|line| !line.starts_with("//! #") && !line.starts_with("//! ```"));
    opening.filter(|line| line.trim() != "//!").count()
}

fn bad_headers(source: &Source) -> Vec<Violation> {
    let lines = header_lines(source);
    if source.path.ends_with("/mod.rs") && !(3..=12).contains(&lines) {
        let what = format!(
            "{lines} header lines, 3 to 12: what the module is for, its invariant, what it refuses to know"
        );
        return vec![source.violation(1, what)];
    }
    Vec::new()
}

#[test]
fn every_module_opens_with_a_header() {
    check("each module says what it is for", library(), bad_headers);
}

#[test]
fn a_missing_header_is_found() {
    assert_eq!(
        planted(
            "src/x/mod.rs",
            "//! One.\n//!\n//! Two.\nmod a;",
            bad_headers
        ),
        [1]
    );
    assert_eq!(
        planted("src/x/mod.rs", &"//! Long.\n".repeat(13), bad_headers),
        [1]
    );
    assert!(planted("src/x/mod.rs", &"//! Good.\n".repeat(3), bad_headers).is_empty());
    let page = format!(
        "{}//! # Payloads\n{}",
        "//! Good.\n".repeat(3),
        "//! a\n".repeat(20)
    );
    assert!(planted("src/x/mod.rs", &page, bad_headers).is_empty());
    assert!(planted("src/x/part.rs", "struct A;", bad_headers).is_empty());
}
