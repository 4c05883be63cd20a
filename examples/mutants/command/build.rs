use std::path::PathBuf;
use std::process::Command;

use super::table::MUTANTS;

/// Builds this example with every bug in it, and returns where the program is.
pub(crate) fn build() -> Result<PathBuf, String> {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = package.join("target").join("mutants");
    let names = MUTANTS.iter().map(|mutant| mutant.name);
    let flags = names.map(|name| format!("\u{1f}--cfg\u{1f}mutant=\"{name}\""));
    let flags: String = std::iter::once("--cfg\u{1f}mutant".into())
        .chain(flags)
        .collect();
    eprintln!(
        "building with {} bugs in {}",
        MUTANTS.len(),
        target.display()
    );
    let status = Command::new(env!("CARGO"))
        .current_dir(&package)
        .args([
            "build",
            "--quiet",
            "--profile",
            "mutants",
            "--example",
            "mutants",
        ])
        .args([
            "--no-default-features",
            "--features",
            "testing",
            "--target-dir",
        ])
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err("the build with the bugs failed".into());
    }
    let name = format!("mutants{}", std::env::consts::EXE_SUFFIX);
    Ok(target.join("mutants").join("examples").join(name))
}
