//! What the outside sees: few root exports, no globs, errors that can grow, exceptions with reasons.

use super::source::{Source, Violation};
use super::tree::{check, file, library, planted, rust_files};

/// "About twenty" of the style, with room for three more.
const ROOT_EXPORTS: usize = 23;

fn glob_exports(source: &Source) -> Vec<Violation> {
    let globs = source.production().filter(|(_, code)| {
        let code = code.trim();
        code.starts_with("pub") && code.contains(" use ") && code.contains("::*")
    });
    globs
        .map(|(line, _)| source.violation(line, "a glob export: list the names"))
        .collect()
}

fn closed_errors(source: &Source) -> Vec<Violation> {
    let lines: Vec<_> = source.production().collect();
    let mut found = Vec::new();
    for (index, (line, code)) in lines.iter().enumerate() {
        let Some(rest) = code.trim().strip_prefix("pub enum ") else {
            continue;
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        let above = lines.iter().take(index).rev();
        let mut attributes = above
            .map(|(_, code)| code.trim())
            .take_while(|code| !code.ends_with(['}', ';']));
        if name.ends_with("Error") && !attributes.any(|code| code.starts_with("#[non_exhaustive]"))
        {
            found.push(source.violation(*line, format!("`{name}` must be `#[non_exhaustive]`")));
        }
    }
    found
}

fn silent_exceptions(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let is_lint =
            matches!(token.text.as_str(), "allow" | "expect") && source.at(index + 1) == "(";
        if !is_lint || !in_attribute(source, index) {
            continue;
        }
        let end = source.closing(index + 1);
        let reasoned = (index..end).any(|at| source.at(at) == "reason" && source.at(at + 1) == "=");
        let fixed = source.path.starts_with("src/") && !in_macro(source, index);
        if token.text == "allow" && fixed {
            found.push(source.violation(
                token.line,
                "`allow`: say `#[expect(..., reason = \"...\")]`",
            ));
        } else if !reasoned {
            found.push(source.violation(token.line, "an exception without a reason"));
        }
    }
    found
}

/// Whether the token lies in a macro, whose caller decides whether the lint has anything to say.
fn in_macro(source: &Source, index: usize) -> bool {
    (0..index).any(|at| source.at(at) == "macro_rules" && source.closing(at + 3) > index)
}

/// Whether the token lies between `#[` or `#![` and its end.
fn in_attribute(source: &Source, index: usize) -> bool {
    (0..index).any(|at| {
        let open = at + 1 + usize::from(source.at(at + 1) == "!");
        source.at(at) == "#"
            && source.at(open) == "["
            && open < index
            && source.closing(open) > index
    })
}

fn root_exports(source: &Source) -> usize {
    let mut count = 0;
    for (index, token) in source.tokens.iter().enumerate() {
        if token.text != "pub" || source.at(index + 1) != "use" {
            continue;
        }
        let names = source
            .tokens
            .iter()
            .skip(index)
            .take_while(|token| token.text != ";");
        let group: Vec<_> = names.map(|token| token.text.as_str()).collect();
        count += if group.contains(&"{") {
            group
                .split(|text| matches!(*text, "{" | "," | "}"))
                .skip(1)
                .filter(|part| !part.is_empty())
                .count()
        } else {
            1
        };
    }
    count
}

#[test]
fn nothing_is_exported_by_a_glob() {
    check("every export is listed", library(), glob_exports);
}

#[test]
fn a_glob_export_is_found() {
    let text = "pub use self::a::*;\nuse self::b::*;\npub(crate) use c::*;\npub use d::E;";
    assert_eq!(planted("src/x.rs", text, glob_exports), [1, 3]);
}

#[test]
fn error_enums_can_grow() {
    check("an error enum may gain variants", library(), closed_errors);
}

#[test]
fn an_error_enum_that_cannot_grow_is_found() {
    let text = "#[derive(Debug)]\n#[non_exhaustive]\npub enum AError {\n    B,\n}\n#[derive(Debug)]\npub enum CError {\n    D,\n}";
    assert_eq!(planted("src/x.rs", text, closed_errors), [7]);
}

#[test]
fn exceptions_from_lints_give_their_reason() {
    check("an exception says why", rust_files(), silent_exceptions);
}

#[test]
fn an_exception_without_a_reason_is_found() {
    let text = "#[allow(dead_code, reason = \"x\")]\n#[expect(dead_code)]\n#[expect(dead_code, reason = \"x\")]\n\
                #[cfg_attr(test, expect(dead_code))]\nlet a = [allow(b)];\nx.expect(1);";
    assert_eq!(planted("src/x.rs", text, silent_exceptions), [1, 2, 4]);
    let text = "macro_rules! m {\n() => {\n#[allow(a, reason = \"b\")]\n#[allow(a)]\nmod c {}\n}}";
    assert_eq!(planted("src/x.rs", text, silent_exceptions), [4]);
}

#[test]
fn the_root_exports_the_paved_road_only() {
    let count = root_exports(&Source::new("src/lib.rs", &file("src/lib.rs")));
    assert!(
        count <= ROOT_EXPORTS,
        "src/lib.rs exports {count} names, at most {ROOT_EXPORTS}"
    );
}

#[test]
fn root_exports_are_counted_by_name() {
    let source = Source::new(
        "src/lib.rs",
        "pub use a::B;\npub use c::{D, E,\n F};\nuse g::H;\npub mod i;",
    );
    assert_eq!(root_exports(&source), 4);
}
