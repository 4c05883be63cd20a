//! Files and functions that a reader can hold in mind.

use super::source::{Source, Violation};
use super::tree::{check, library, planted, rust_files};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const NINETIETH_PERCENTILE_LINES: usize = 350;

fn long_files(source: &Source) -> Vec<Violation> {
    let lines = source.text.lines().count();
    let what = format!("{lines} lines, at most {FILE_LINES}: split it by concept");
    if lines > FILE_LINES {
        vec![source.violation(lines, what)]
    } else {
        Vec::new()
    }
}

fn long_functions(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let name = source.at(index + 1);
        if token.text != "fn" || !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        let mut at = index;
        while at < source.tokens.len() && !matches!(source.at(at), "{" | ";") {
            at = if matches!(source.at(at), "(" | "[") {
                source.closing(at)
            } else {
                at
            } + 1;
        }
        if source.at(at) != "{" {
            continue;
        }
        let lines = source.line_of(source.closing(at)) - token.line + 1;
        if lines > FUNCTION_LINES {
            let what =
                format!("`{name}` has {lines} lines, at most {FUNCTION_LINES}: name its parts");
            found.push(source.violation(token.line, what));
        }
    }
    found
}

/// The value below which this share, in percent, of the sizes lies.
fn percentile(sizes: &[usize], percent: usize) -> usize {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

#[test]
fn no_file_is_longer_than_600_lines() {
    check("files stay readable", rust_files(), long_files);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(planted("src/x.rs", &"//\n".repeat(601), long_files), [601]);
    assert!(planted("src/x.rs", &"//\n".repeat(600), long_files).is_empty());
}

#[test]
fn nine_files_in_ten_have_at_most_350_lines() {
    let sizes: Vec<_> = library()
        .map(|source| source.text.lines().count())
        .collect();
    let (median, ninetieth) = (percentile(&sizes, 50), percentile(&sizes, 90));
    println!(
        "{} files under src: median {median} lines, 90th percentile {ninetieth}",
        sizes.len()
    );
    assert!(
        ninetieth <= NINETIETH_PERCENTILE_LINES,
        "the 90th percentile is {ninetieth} lines, at most {NINETIETH_PERCENTILE_LINES}"
    );
}

#[test]
fn percentiles_are_counted_from_the_sorted_sizes() {
    let sizes: Vec<_> = (1..=10).rev().collect();
    assert_eq!(
        (
            percentile(&sizes, 50),
            percentile(&sizes, 90),
            percentile(&[], 90)
        ),
        (5, 9, 0)
    );
}

#[test]
fn functions_fit_on_a_screen() {
    check("functions fit on a screen", rust_files(), long_functions);
}

#[test]
fn a_long_function_is_found() {
    let body = "    let brace = '}'; // }\n".repeat(69);
    let text = format!(
        "type F = fn(u8);\nfn short() {{}}\nfn long(a: [u8; 2]) -> u8 {{\n{body}}}\nfn after() {{}}\n"
    );
    assert_eq!(planted("src/x.rs", &text, long_functions), [3]);
}
