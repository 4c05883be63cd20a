//! Events on foot: whole commits as lines of JSON, written by `export`, taken by `import`.
//!
//! `line` is the form of a line, `reading` gets lines from a file or a pipe. Invariants: a commit
//! that is read is the one that was written, to the byte, or it is no commit; nothing that was not
//! taken goes unmentioned; memory holds a page of the log, or a few lines.

mod export;
mod import;
mod line;
mod reading;

pub(super) use self::export::run as export;
pub(super) use self::import::run as import;
