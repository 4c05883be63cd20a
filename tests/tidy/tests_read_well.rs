//! Tests are named by what they promise, and one that does not run says what it needs.

use super::source::{Source, Violation};
use super::tree::{check, planted, rust_files};

fn is_test_attribute(attribute: &str) -> bool {
    matches!(attribute, "test" | "tokio::test") || attribute.starts_with("tokio::test(")
}

/// Functions under `#[test]`, with their attributes joined and the index of their name.
fn tests(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < source.tokens.len() {
        let mut attributes = Vec::new();
        while source.at(index) == "#" && source.at(index + 1) == "[" {
            let end = source.closing(index + 1);
            let inside = source.tokens.iter().take(end).skip(index + 2);
            attributes.push(inside.map(|token| token.text.as_str()).collect::<String>());
            index = end + 1;
        }
        if attributes
            .iter()
            .any(|attribute| is_test_attribute(attribute))
        {
            let name = (index..source.tokens.len()).find(|at| source.at(*at) == "fn");
            found.extend(name.map(|at| (at + 1, attributes.join(" "))));
        }
        index += 1;
    }
    found
}

fn unclear_names(source: &Source) -> Vec<Violation> {
    let unclear = tests(source).into_iter().filter(|(at, _)| {
        let name = source.at(*at);
        // A macro's `fn $promise` is named where the macro lists its promises.
        if name == "$" {
            return false;
        }
        name.starts_with("test_") || name.split('_').filter(|word| !word.is_empty()).count() < 3
    });
    let told = |(at, _): (usize, String)| {
        let what = format!(
            "`{}`: name a test by the sentence that it proves",
            source.at(at)
        );
        source.violation(source.line_of(at), what)
    };
    unclear.map(told).collect()
}

/// The reason of an `ignore` is a string, so it is read from the text.
fn silent_skips(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for ((line, code), text) in source.code().zip(source.text.lines()) {
        if code.trim_start().starts_with("#[ignore") && !text.contains("#[ignore = \"needs ") {
            found.push(source.violation(line, "say `#[ignore = \"needs ...\"]`"));
        }
        let prints = code.contains("println!") && text.to_lowercase().contains("skipping");
        if prints && source.is_test(line) {
            found.push(source.violation(
                line,
                "a test that skips passes for nothing: ignore it or fail",
            ));
        }
    }
    found
}

#[test]
fn tests_are_named_by_sentences() {
    check(
        "a test's name is what it promises",
        rust_files(),
        unclear_names,
    );
}

#[test]
fn an_unclear_test_name_is_found() {
    let text = "#[test]\nfn works() {}\n#[test]\n#[ignore = \"needs a\"]\nfn test_of_the_thing() {}\n\
                #[tokio::test]\nasync fn a_thing_holds() {}\nfn other() {}";
    assert_eq!(planted("tests/x.rs", text, unclear_names), [2, 5]);
}

#[test]
fn no_test_skips_silently() {
    check(
        "a test that did not run says so",
        rust_files(),
        silent_skips,
    );
}

#[test]
fn a_silent_skip_is_found() {
    let text =
        "#[ignore]\nfn a() {}\n#[ignore = \"needs a disk\"]\nfn b() { println!(\"skipping\"); }";
    assert_eq!(planted("tests/x.rs", text, silent_skips), [1, 4]);
}
