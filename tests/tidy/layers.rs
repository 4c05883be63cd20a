//! Imports point down, neighbours do not know each other, foreign crates stay where they belong.

use super::source::{Source, Violation, has_word};
use super::tree::{check, library, planted};

/// From the bottom to the top; modules of one row do not know each other.
const LAYERS: [&[&str]; 11] = [
    &["limits", "mutants"],
    &["event"],
    &["clock", "resolver", "log"],
    &["merge"],
    &["protocol"],
    &["engine"],
    &["store", "transport"],
    &["replica"],
    &["open", "hub"],
    &["cli"],
    &["main"],
];

/// Knows everything but these, and nobody knows it.
const SIDE: &str = "testing";
const UNKNOWN_TO_SIDE: [&str; 3] = ["hub", "cli", "main"];

/// Foreign crates and the only places whose production code may name them.
const HOMES: [(&str, &[&str]); 11] = [
    (
        "fjall",
        &[
            "src/store/fjall/",
            "src/store/fjall.rs",
            "src/store/mod.rs",
            "src/open/",
            "src/testing/",
            "src/cli/",
            "src/main.rs",
            "src/lib.rs",
        ],
    ),
    (
        "tokio_tungstenite",
        &[
            "src/transport/websocket/",
            "src/transport/websocket.rs",
            "src/hub/",
        ],
    ),
    ("httparse", &["src/transport/websocket/", "src/hub/"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("clap_complete", &["src/cli/"]),
    ("serde_json", &["src/cli/", "src/main.rs"]),
    ("proptest", &["src/testing/"]),
    ("getrandom", &["src/replica/environment.rs"]),
    ("zstd", &["src/replica/zstd.rs"]),
    ("tracing", &["src/replica/shell.rs"]),
    (
        "tokio",
        &[
            "src/store/",
            "src/transport/",
            "src/replica/",
            "src/open/",
            "src/hub/",
            "src/cli/",
            "src/testing/",
            "src/main.rs",
        ],
    ),
];

/// Names of concrete back ends, and where production code may not say them.
const BACK_ENDS: [(&str, &[&str]); 7] = [
    ("FjallStore", &["src/replica/", "src/hub/"]),
    ("MemoryStore", &["src/replica/", "src/hub/"]),
    ("memory", &["src/replica/", "src/hub/"]),
    ("websocket", &["src/replica/"]),
    ("WebSocket", &["src/replica/"]),
    ("in_process", &["src/replica/", "src/hub/"]),
    ("InProcess", &["src/replica/", "src/hub/"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The names of the modules that lead to a file: `src/event/cbor/mod.rs` is `event`, `cbor`.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    inner
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib"))
        .map(String::from)
        .collect()
}

/// Every name directly under the crate's root that the file's production code mentions.
fn root_names(source: &Source) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut inline: Vec<usize> = Vec::new();
    let depth_of_file = module_path(&source.path).len();
    let mut index = 0;
    while index < source.tokens.len() {
        inline.retain(|end| *end > index);
        if source.at(index) == "mod" && source.at(index + 2) == "{" {
            inline.push(source.closing(index + 2));
        }
        let starts = source.at(index + 1) == "::" && !(index > 0 && source.at(index - 1) == "::");
        let (mut up, mut at) = (0, index);
        while starts && source.at(at) == "super" && source.at(at + 1) == "::" {
            up += 1;
            at += 2;
        }
        if starts && source.at(index) == "crate" {
            up = usize::MAX;
            at = index + 2;
        }
        if up >= depth_of_file + inline.len() && at > index {
            heads_of(source, at, &mut names);
        }
        index = at.max(index + 1);
    }
    names.retain(|(line, _)| !source.is_test(*line));
    names
}

/// The first segments of what stands at `at`: one name, or a group in braces.
fn heads_of(source: &Source, at: usize, names: &mut Vec<(usize, String)>) {
    let mut add = |index: usize| {
        if source.at(index + 1) != "!" {
            names.push((source.line_of(index), source.at(index).into()));
        }
    };
    if source.at(at) != "{" {
        return add(at);
    }
    let end = source.closing(at);
    let mut index = at + 1;
    while index < end {
        add(index);
        while index < end && source.at(index) != "," {
            index = if source.at(index) == "{" {
                source.closing(index)
            } else {
                index
            } + 1;
        }
        index += 1;
    }
}

fn upward_imports(source: &Source) -> Vec<Violation> {
    let path = module_path(&source.path);
    let Some(own) = path.first() else {
        return Vec::new();
    };
    let complain = |(line, name): &(usize, String)| {
        let what = match (layer(own), layer(name)) {
            _ if own == name => None,
            (_, None) if name == SIDE => Some(format!("`{own}` may not know `{SIDE}`")),
            (_, None) => Some(format!(
                "`crate::{name}`: name it by its module, not by the root export"
            )),
            (None, Some(_)) if own != SIDE => Some(format!(
                "module `{own}` has no layer; give it one in tests/tidy/layers.rs"
            )),
            (None, Some(_)) if UNKNOWN_TO_SIDE.contains(&name.as_str()) => {
                Some(format!("`{SIDE}` may not know `{name}`"))
            }
            (Some(own_layer), Some(other)) if other >= own_layer => Some(format!(
                "`{own}` may not know `{name}`: move what it needs down, or pass it in"
            )),
            _ => None,
        };
        what.map(|what| source.violation(*line, what))
    };
    root_names(source).iter().filter_map(complain).collect()
}

fn within(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn strayed_crates(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let home = HOMES.iter().find(|(name, _)| *name == token.text);
        let is_crate = source.at(index + 1) == "::"
            && (index == 0 || !matches!(source.at(index - 1), "::" | "."));
        if let Some((name, places)) = home
            && is_crate
            && !source.is_test(token.line)
            && !within(&source.path, places)
        {
            found.push(source.violation(
                token.line,
                format!("`{name}` belongs to {}", places.join(", ")),
            ));
        }
    }
    found
}

fn named_back_ends(source: &Source) -> Vec<Violation> {
    let forbidden: Vec<_> = BACK_ENDS
        .iter()
        .filter(|(_, places)| within(&source.path, places))
        .collect();
    let mut found = Vec::new();
    for (line, code) in source.production() {
        for (name, _) in forbidden.iter().filter(|(name, _)| has_word(code, name)) {
            let what =
                format!("`{name}` is a concrete back end: take the trait, name it in src/open/");
            found.push(source.violation(line, what));
        }
    }
    found
}

#[test]
fn imports_point_down_only() {
    check(
        "a module knows only the layers below it",
        library(),
        upward_imports,
    );
}

#[test]
fn an_upward_import_is_found() {
    let text = "use crate::event::Id;\nuse crate::{limits::X, merge::{A, B}, engine};\nuse super::super::store::S;\n\
                fn f() { crate::protocol::g() }\nuse super::mend;\nuse crate::Event;\n#[cfg(test)]\nmod tests { use crate::engine::E; }";
    assert_eq!(
        planted("src/merge/timeline.rs", text, upward_imports),
        [2, 3, 4, 6]
    );
    assert_eq!(
        planted("src/merge/mod.rs", "use super::engine::E;", upward_imports),
        [1]
    );
    assert_eq!(
        planted(
            "src/store/mod.rs",
            "use crate::transport::Link;",
            upward_imports
        ),
        [1]
    );
    assert_eq!(
        planted(
            "src/testing/mod.rs",
            "use crate::hub::Hub; use crate::replica::R;",
            upward_imports
        ),
        [1]
    );
    assert_eq!(
        planted(
            "src/replica/mod.rs",
            "use crate::testing::Fault;",
            upward_imports
        ),
        [1]
    );
    assert_eq!(
        planted(
            "src/merge/mod.rs",
            "mod inner { use super::a; use super::super::engine::E; }",
            upward_imports
        ),
        [1]
    );
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    check(
        "a back end's crate is named in its own module only",
        library(),
        strayed_crates,
    );
}

#[test]
fn a_strayed_crate_is_found() {
    let text = "use fjall::Database;\nuse crate::store::fjall::X;\nasync fn f() { tokio::spawn(g()).await }";
    assert_eq!(planted("src/engine/mod.rs", text, strayed_crates), [1, 3]);
    assert!(planted("src/store/fjall/mod.rs", text, strayed_crates).is_empty());
}

#[test]
fn the_replica_and_the_hub_name_no_concrete_back_end() {
    check(
        "the handle knows traits, not back ends",
        library(),
        named_back_ends,
    );
}

#[test]
fn a_named_back_end_is_found() {
    let text =
        "use crate::store::MemoryStore;\n/// See `MemoryStore`.\nfn f(store: &dyn EventStore) {}";
    assert_eq!(
        planted("src/replica/builder.rs", text, named_back_ends),
        [1]
    );
    assert!(planted("src/open/memory.rs", text, named_back_ends).is_empty());
}
