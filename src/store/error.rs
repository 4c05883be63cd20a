use std::path::PathBuf;

use thiserror::Error;

/// What a store can fail with. Tells apart what to retry, what to repair and when to stop.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another handle of this one, has the directory open.
    #[error(
        "store {path} is in use{}: close it, or reach it through a running hub",
        holder.as_ref().map(|h| format!(" by {h}")).unwrap_or_default()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who holds it, for example `process 4711 (anabranch serve)`, where that is known.
        holder: Option<String>,
    },
    /// The directory holds something else.
    #[error(
        "{path} is not an anabranch store: {reason}; name an empty or absent folder, or an existing store"
    )]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Written by a newer version.
    #[error("store {path} has format {found}, this program reads up to {max}: upgrade the program")]
    UnsupportedFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program reads.
        max: u32,
    },
    /// Written by an older version, in a format that is not read any more.
    #[error(
        "store {path} has format {found}, this program reads {min} and later: read it with the program that wrote it, or empty the folder and sync from a peer"
    )]
    OutdatedFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format this program reads.
        min: u32,
    },
    /// Bytes are not what was written, or acknowledged entries are gone.
    #[error(
        "store is damaged at {what}: {reason}; restore a copy, or empty the folder and sync from a peer"
    )]
    Damaged {
        /// Which record.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An earlier write failed, so what is on the medium is unknown.
    #[error("store refuses writes since one failed ({reason}): close it and open it again")]
    Poisoned {
        /// The first failure.
        reason: String,
    },
    /// The operating system refused.
    #[error("store cannot {action}: {reason}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        reason: String,
    },
    /// A group breaks a rule of the log.
    #[error("store refuses the group: {reason}")]
    BadGroup {
        /// Which rule.
        reason: String,
    },
    /// The store was closed, or a later `begin` took over.
    #[error("store is closed")]
    Closed,
}

#[cfg(feature = "fjall")]
impl StoreError {
    /// What the operating system refused.
    pub(super) fn io(action: &str, error: &std::io::Error) -> Self {
        Self::Io {
            action: action.into(),
            reason: error.to_string(),
        }
    }
}
