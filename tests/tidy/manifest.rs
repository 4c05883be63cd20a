//! The package keeps its shape: features, dependencies, licences.

use super::tree::file;

const PACKAGES: [&str; 8] = [
    "tokio",
    "serde",
    "ciborium",
    "fjall",
    "tokio-tungstenite",
    "futures",
    "thiserror",
    "proptest",
];
const FEATURES: [&str; 8] = [
    "replica",
    "fjall",
    "websocket",
    "hub",
    "cli",
    "testing",
    "full",
    "std",
];
const PURE: [&str; 5] = ["bytes", "ciborium", "serde", "thiserror", "xxhash-rust"];

/// The lines of one table, joined: `[features]` up to the next header, comments left out.
fn table<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let header = format!("[{name}]");
    let inside = manifest
        .lines()
        .skip_while(|line| line.trim() != header)
        .skip(1);
    let inside = inside.take_while(|line| !line.starts_with('['));
    inside
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .collect()
}

fn entry<'a>(manifest: &'a str, name: &str, key: &str) -> Option<&'a str> {
    table(manifest, name).into_iter().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == key).then(|| value.trim())
    })
}

fn complaints(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    if entry(manifest, "features", "default") != Some(r#"["fjall", "websocket"]"#) {
        found.push(r#"[features] default must be ["fjall", "websocket"]"#.into());
    }
    for feature in FEATURES {
        if entry(manifest, "features", feature).is_none() {
            found.push(format!("[features] must hold `{feature}`"));
        }
    }
    for package in PACKAGES {
        if entry(manifest, "dependencies", package).is_none() {
            found.push(format!("[dependencies] must hold `{package}`"));
        }
    }
    for line in table(manifest, "dependencies") {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if !PURE.contains(&name.trim()) && !value.contains("optional = true") {
            found.push(format!(
                "[dependencies] `{}` must be optional: the core does without",
                name.trim()
            ));
        }
        if PURE.contains(&name.trim()) && !value.contains("default-features = false") {
            found.push(format!(
                "[dependencies] `{}` must not bring `std`",
                name.trim()
            ));
        }
    }
    if !table(manifest, "[bin]")
        .iter()
        .any(|line| line.contains(r#"required-features = ["cli"]"#))
    {
        found.push(r#"the binary must say required-features = ["cli"]"#.into());
    }
    if entry(manifest, "package", "license") != Some(r#""MIT OR Apache-2.0""#) {
        found.push("[package] license must be \"MIT OR Apache-2.0\"".into());
    }
    if entry(manifest, "lints.rust", "unsafe_code") != Some(r#""forbid""#) {
        found.push("[lints.rust] must forbid unsafe_code".into());
    }
    found
}

#[test]
fn the_manifest_keeps_its_shape() {
    let found = complaints(&file("Cargo.toml"));
    assert!(found.is_empty(), "Cargo.toml:\n  {}\n", found.join("\n  "));
}

#[test]
fn a_changed_manifest_is_found() {
    let manifest = file("Cargo.toml");
    for (old, new) in [
        (
            r#"default = ["fjall", "websocket"]"#,
            r#"default = ["fjall"]"#,
        ),
        ("ciborium = {", "minicbor = {"),
        ("required-features = [\"cli\"]", ""),
        ("unsafe_code = \"forbid\"", "unsafe_code = \"deny\""),
        (
            "fjall = { version = \"3.1.13\", optional = true",
            "fjall = { version = \"3.1.13\"",
        ),
    ] {
        assert!(manifest.contains(old), "the manifest no longer says {old}");
        assert!(
            !complaints(&manifest.replace(old, new)).is_empty(),
            "{old} -> {new} went unnoticed"
        );
    }
}

#[test]
fn both_licences_are_here_in_full() {
    assert!(file("LICENSE-MIT").contains("THE SOFTWARE IS PROVIDED \"AS IS\""));
    let apache = file("LICENSE-APACHE");
    assert!(
        apache.contains("Version 2.0, January 2004") && apache.contains("9. Accepting Warranty")
    );
}
