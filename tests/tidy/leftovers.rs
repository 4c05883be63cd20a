//! What a finished text does not hold: notes to oneself, dead code, debugging, empty phrases.

use super::source::{Source, Violation, has_word};
use super::tree::{check, documents, expect_none, planted, rust_files};

const NOTES: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
const PRINTS: [&str; 4] = ["println", "eprintln", "print", "eprint"];
const SPEAKERS: [&str; 6] = [
    "src/cli/",
    "src/main.rs",
    "examples/",
    "benches/",
    "tests/",
    "fuzz/",
];
const EMPTY_PHRASES: [&str; 8] = [
    "This struct",
    "This enum",
    "This function",
    "This method",
    "This trait represents",
    "# Arguments",
    "# Returns",
    "# Parameters",
];

fn notes(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, text) in source.code().chain(source.prose()) {
        for note in NOTES.iter().filter(|note| has_word(text, note)) {
            found.push(source.violation(line, format!("`{note}`: do it, or open an issue")));
        }
    }
    for (index, token) in source.tokens.iter().enumerate() {
        if MACROS.contains(&token.text.as_str()) && source.at(index + 1) == "!" {
            found.push(
                source.violation(token.line, format!("`{}!` is unfinished work", token.text)),
            );
        }
    }
    found
}

fn prints(source: &Source) -> Vec<Violation> {
    if SPEAKERS
        .iter()
        .any(|speaker| source.path.starts_with(speaker))
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        if PRINTS.contains(&token.text.as_str())
            && source.at(index + 1) == "!"
            && !source.is_test(token.line)
        {
            found.push(source.violation(token.line, "a library prints nothing: return it"));
        }
    }
    found
}

fn empty_phrases(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, text) in source.prose() {
        let comment = text.trim().trim_start_matches(['/', '!', '*']).trim();
        if let Some(phrase) = EMPTY_PHRASES
            .iter()
            .find(|phrase| comment.starts_with(**phrase))
        {
            found.push(source.violation(line, format!("\"{phrase}\": say what the name does not")));
        }
        let drawn = comment.len() >= 4
            && comment
                .chars()
                .all(|c| matches!(c, '=' | '-' | '*' | '#' | '~'));
        if drawn {
            found.push(source.violation(line, "a banner: a new module or nothing"));
        }
    }
    found
}

/// A comment that a compiler would take for a statement or an item.
fn dead_code(source: &Source) -> Vec<Violation> {
    let looks_like_code = |comment: &str| {
        let opens = [
            "let ", "use ", "pub ", "fn ", "impl ", "mod ", "return ", "if let ", "#[",
        ];
        let opens = opens.iter().any(|word| comment.starts_with(word));
        let ends = comment.ends_with([';', '{', '}']);
        let calls = comment.ends_with(");") || comment.ends_with("?;");
        (opens && ends) || calls || matches!(comment, "}" | "{" | "};" | "})" | "});")
    };
    let plain = source.prose().filter_map(|(line, text)| {
        let comment = text.trim().strip_prefix("//")?;
        (!comment.starts_with(['/', '!'])).then(|| (line, comment.trim()))
    });
    let dead = plain.filter(|(_, comment)| looks_like_code(comment));
    dead.map(|(line, _)| source.violation(line, "code in a comment: delete it"))
        .collect()
}

fn notes_in_document(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for note in NOTES.iter().filter(|note| has_word(line, note)) {
            let what = format!("`{note}`: do it, or open an issue");
            found.push(Violation {
                path: path.into(),
                line: index + 1,
                what,
            });
        }
    }
    found
}

#[test]
fn nothing_unfinished_is_left() {
    check("what is here is finished", rust_files(), notes);
    for (path, text) in documents() {
        expect_none("what is here is finished", &notes_in_document(&path, &text));
    }
}

#[test]
fn an_unfinished_place_is_found() {
    let text = "// TODO: later\nfn f() { todo!() }\nlet a = \"TODO\";\ndbg!(a);\nfn dbg() {}";
    assert_eq!(planted("src/x.rs", text, notes), [1, 2, 4]);
    assert_eq!(notes_in_document("README.md", "a\nFIXME b").len(), 1);
}

#[test]
fn the_library_prints_nothing() {
    check("only the command line speaks", rust_files(), prints);
}

#[test]
fn a_print_in_the_library_is_found() {
    let text = "fn f() { println!(\"x\"); }\n/// `println!`\nfn g() { writeln!(out, \"x\"); }";
    assert_eq!(planted("src/store/x.rs", text, prints), [1]);
    assert!(planted("src/cli/x.rs", text, prints).is_empty());
}

#[test]
fn docs_hold_no_empty_phrases_and_no_banners() {
    check(
        "a comment says what the code cannot",
        rust_files(),
        empty_phrases,
    );
}

#[test]
fn an_empty_phrase_is_found() {
    let text = "/// This struct represents a thing.\nstruct A;\n/// # Arguments\n// -------\n/// A thing.\n//! ```text\n";
    assert_eq!(planted("src/x.rs", text, empty_phrases), [1, 3, 4]);
}

#[test]
fn no_code_is_commented_out() {
    check("deleted code lives in the history", rust_files(), dead_code);
}

#[test]
fn commented_out_code_is_found() {
    let text = "// let a = 1;\n/// let doc = 1;\n// Use it; it is fine.\n// store.append(group);\n// }\n//! fn f() {}\nlet b = 2;";
    assert_eq!(planted("src/x.rs", text, dead_code), [1, 4, 5]);
}
