//! The files of this package, and how violations are told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::source::{Source, Violation};

const RUST_FOLDERS: [&str; 5] = ["src", "tests", "examples", "benches", "fuzz"];

/// Every Rust file of the package, in the order of paths; read once for all rules.
pub(crate) fn rust_files() -> &'static [Source] {
    static FILES: OnceLock<Vec<Source>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut found = Vec::new();
        for folder in RUST_FOLDERS {
            collect(&root().join(folder), &mut found);
        }
        found.sort();
        assert!(found.len() > 40, "only {} Rust files found", found.len());
        found
            .iter()
            .map(|path| Source::new(&relative(path), &read(path)))
            .collect()
    })
}

/// The files under `src`.
pub(crate) fn library() -> impl Iterator<Item = &'static Source> {
    rust_files()
        .iter()
        .filter(|source| source.path.starts_with("src/"))
}

/// The text of every document at the root, with its name.
pub(crate) fn documents() -> Vec<(String, String)> {
    let names = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let present = names
        .iter()
        .map(|name| root().join(name))
        .filter(|path| path.exists());
    present.map(|path| (relative(&path), read(&path))).collect()
}

/// A file of the package by its path from the root.
pub(crate) fn file(path: &str) -> String {
    read(&root().join(path))
}

/// Fails with one line per violation.
pub(crate) fn expect_none(rule: &str, violations: &[Violation]) {
    let told: Vec<_> = violations
        .iter()
        .map(|v| format!("{}:{}: {}", v.path, v.line, v.what))
        .collect();
    assert!(told.is_empty(), "{rule}\n  {}\n", told.join("\n  "));
}

/// Applies a rule for one file to many.
pub(crate) fn check(
    rule: &str,
    sources: impl IntoIterator<Item = &'static Source>,
    find: impl Fn(&Source) -> Vec<Violation>,
) {
    expect_none(
        rule,
        &sources.into_iter().flat_map(find).collect::<Vec<_>>(),
    );
}

/// The lines at which a rule finds something in a planted text.
pub(crate) fn planted(
    path: &str,
    text: &str,
    find: impl Fn(&Source) -> Vec<Violation>,
) -> Vec<usize> {
    find(&Source::new(path, text))
        .iter()
        .map(|violation| violation.line)
        .collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if path.is_dir() && name.as_deref() != Some("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
