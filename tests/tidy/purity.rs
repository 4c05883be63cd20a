//! The core is `core` + `alloc`; clock, entropy, environment and sleep have one door.

use super::source::{Source, Violation, has_word};
use super::tree::{check, file, library, planted, rust_files};

const CORE: [&str; 8] = [
    "limits", "event", "clock", "resolver", "merge", "log", "protocol", "engine",
];
const ENVIRONMENT: &str = "src/replica/environment.rs";

/// What only the environment may call.
const OUTSIDE_WORLD: [&str; 13] = [
    "SystemTime::now",
    "Instant::now",
    "UNIX_EPOCH",
    "env::var",
    "env::vars",
    "env::var_os",
    "thread::sleep",
    "time::sleep",
    "time::sleep_until",
    "getrandom",
    "RandomState",
    "thread_rng",
    "OsRng",
];

fn is_core(path: &str) -> bool {
    CORE.iter().any(|module| {
        path.strip_prefix("src/")
            .and_then(|path| path.strip_prefix(module))
            .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    })
}

fn std_in_core(source: &Source) -> Vec<Violation> {
    if !is_core(&source.path) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, code) in source.production() {
        for (name, instead) in [
            ("std", "use `core::` or `alloc::`"),
            ("async", "the core is sans-IO"),
        ] {
            if has_word(code, name) {
                found.push(source.violation(line, format!("`{name}` in the core: {instead}")));
            }
        }
    }
    found
}

fn outside_world(source: &Source) -> Vec<Violation> {
    if source.path == ENVIRONMENT {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, code) in source.production() {
        for name in OUTSIDE_WORLD.iter().filter(|name| has_word(code, name)) {
            found.push(source.violation(
                line,
                format!("`{name}` belongs to {ENVIRONMENT}; pass its result in"),
            ));
        }
    }
    found
}

/// Sleeping is no synchronisation, unless time itself stands still.
fn sleeping_tests(source: &Source) -> Vec<Violation> {
    if source.text.contains("start_paused") {
        return Vec::new();
    }
    let sleeps = source
        .code()
        .filter(|(line, code)| source.is_test(*line) && has_word(code, "sleep"));
    sleeps
        .map(|(line, _)| source.violation(line, "a sleep: wait for the thing itself"))
        .collect()
}

#[test]
fn the_core_does_without_the_standard_library() {
    check(
        "core modules are `core` + `alloc`, without IO",
        library(),
        std_in_core,
    );
}

#[test]
fn the_standard_library_in_the_core_is_found() {
    let text = "use std::vec::Vec;\nuse alloc::vec::Vec;\n// std::fmt is not code\n#[cfg(test)]\nmod tests { use std::vec; }";
    assert_eq!(planted("src/event/x.rs", text, std_in_core), [1]);
    assert_eq!(planted("src/limits.rs", text, std_in_core), [1]);
    assert!(planted("src/store/x.rs", text, std_in_core).is_empty());
}

#[test]
fn the_crate_without_features_is_no_std() {
    let root = file("src/lib.rs");
    let attribute = "#![cfg_attr(not(feature = \"std\"), no_std)]";
    assert!(root.contains(attribute), "src/lib.rs must say {attribute}");
    for module in ["store", "transport", "replica", "open"] {
        let gated = format!("#[cfg(feature = \"replica\")]\npub mod {module};");
        let declared = format!("mod {module};");
        assert!(
            !root.contains(&declared) || root.contains(&gated),
            "src/lib.rs must say {gated}"
        );
    }
}

#[test]
fn clock_entropy_and_environment_enter_through_one_file() {
    check(
        "the outside world comes in through one file",
        library(),
        outside_world,
    );
}

#[test]
fn a_second_door_to_the_outside_world_is_found() {
    let text = "let now = Instant::now();\nlet now = clock.now();\nstd::env::var(\"X\");\ntokio::time::sleep(d).await;";
    assert_eq!(planted("src/hub/mod.rs", text, outside_world), [1, 3, 4]);
    assert!(planted(ENVIRONMENT, text, outside_world).is_empty());
}

#[test]
fn no_test_waits_by_sleeping() {
    check(
        "tests wait for what they wait for",
        rust_files(),
        sleeping_tests,
    );
}

#[test]
fn a_sleeping_test_is_found() {
    let text = "#[test]\nfn t() {\n    thread::sleep(SECOND);\n}";
    assert_eq!(planted("src/hub/mod.rs", text, sleeping_tests), [3]);
    assert_eq!(
        planted(
            "tests/cli.rs",
            "fn wait() { sleep(SECOND) }",
            sleeping_tests
        ),
        [1]
    );
}
