use std::fs;
use std::path::{Path, PathBuf};

use anabranch::replica::environment::{Environment, OperatingSystem};

use super::super::failure::{Failure, Kind};

/// A fresh folder among the system's temporary ones, gone when dropped unless it is kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    pub(super) fn create(system: &OperatingSystem, keep: bool) -> Result<Self, Failure> {
        let name = format!("anabranch-demo-{:016x}", system.entropy());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).map_err(|error| {
            let what = format!("cannot create {}: {error}", path.display());
            Failure::new(Kind::Failed, what).with_remedy("name another place with TMPDIR")
        })?;
        Ok(Self { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is left to the system, which clears such folders itself.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}
