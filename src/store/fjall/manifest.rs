//! The check of fjall's manifests that fjall leaves out.
//!
//! Each keyspace has a file `current` that names its newest manifest, `v` and a number, and holds
//! its checksum. fjall does not compare it: a flipped bit in a manifest may drop a table in silence,
//! or ask for 64 GiB of memory and so end the process. So manifests are compared before fjall reads
//! them. A `current` of another shape than fjall 3.1 writes is left to fjall.

use std::fs;
use std::path::Path;
use std::string::String;

use xxhash_rust::xxh3::xxh3_128;

use crate::store::StoreError;

/// Compares the manifest of every keyspace with its checksum. Reads a few hundred bytes for each,
/// and some more for each table file there is.
pub(super) fn check(data: &Path) -> Result<(), StoreError> {
    let unreadable = |error: std::io::Error| StoreError::io("read the manifests", &error);
    for keyspace in fs::read_dir(data.join("keyspaces")).map_err(unreadable)? {
        let keyspace = keyspace.map_err(unreadable)?;
        let name = keyspace.file_name().to_string_lossy().into_owned();
        if name.parse::<u64>().is_err() {
            return Err(damaged(
                format!("data/keyspaces/{name}"),
                "it is no table of ours",
            ));
        }
        let current = keyspace.path().join("current");
        if !current.is_file() {
            continue;
        }
        let current = fs::read(current).map_err(unreadable)?;
        let Some((id, sum)) = parse(&current) else {
            continue;
        };
        let manifest = fs::read(keyspace.path().join(format!("v{id}")));
        let what = || format!("manifest {id} of table {name}");
        let manifest = manifest.map_err(|error| damaged(what(), &error.to_string()))?;
        if xxh3_128(&manifest) != sum {
            return Err(damaged(what(), "its checksum is wrong"));
        }
    }
    Ok(())
}

/// Number and checksum of the newest manifest: u64, u128 and the checksum's kind, little-endian.
fn parse(current: &[u8]) -> Option<(u64, u128)> {
    let (id, rest) = current.split_first_chunk::<8>()?;
    let (sum, kind) = rest.split_first_chunk::<16>()?;
    (kind == [0]).then_some((u64::from_le_bytes(*id), u128::from_le_bytes(*sum)))
}

fn damaged(what: String, reason: &str) -> StoreError {
    StoreError::Damaged {
        what,
        reason: reason.into(),
    }
}
