//! Each planted bug has an entry in the table, a site, and a value that the compiler knows.

use std::collections::BTreeSet;

use super::source::Source;
use super::tree::{file, library, rust_files};

/// What stands in quotes right behind each occurrence of `before`.
fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = String> + 'a {
    let behind = text.split(before).skip(1);
    behind.filter_map(|rest| {
        Some(
            rest.trim_start()
                .strip_prefix('"')?
                .split_once('"')?
                .0
                .into(),
        )
    })
}

fn table() -> Vec<String> {
    quoted(&file("src/mutants/table.rs"), "    mutant(").collect()
}

fn sites(source: &Source) -> BTreeSet<String> {
    quoted(&source.text, "mutant!(").collect()
}

#[test]
fn every_planted_bug_has_a_site_and_every_site_an_entry() {
    let entries = table();
    let names: BTreeSet<String> = entries.iter().cloned().collect();
    assert_eq!(
        entries.len(),
        names.len(),
        "a name stands in the table twice"
    );
    assert!(names.len() > 33, "{} planted bugs", names.len());
    let outside = |source: &&Source| !source.path.starts_with("src/mutants/");
    let found: BTreeSet<String> = library().filter(outside).flat_map(sites).collect();
    assert_eq!(
        names, found,
        "the table, and what stands in `mutant!` in src"
    );
}

#[test]
fn the_compiler_knows_every_planted_bug() {
    let manifest = file("Cargo.toml");
    let known: Vec<String> = quoted(&manifest, "cfg(mutant, values(").collect();
    assert_eq!(table(), known, "the table, and check-cfg in Cargo.toml");
}

#[test]
fn bugs_are_planted_in_production_code_only() {
    for source in rust_files()
        .iter()
        .filter(|source| source.path != "tests/tidy/mutants.rs")
    {
        let is_tool = !source.path.starts_with("src/") || source.path.starts_with("src/testing/");
        let planted =
            !is_tool || source.path.starts_with("src/mutants/") || sites(source).is_empty();
        assert!(planted, "{} plants a bug", source.path);
    }
}
