//! Bugs planted on purpose, to see whether the simulation finds them.
//!
//! A site reads `mutant!("name")` and is the constant `false` in an ordinary build. With
//! `--cfg mutant="name"` that bug is there. A build that is given all of them, and the bare `--cfg mutant`,
//! has none until `choose` is told which, so that one build serves them all.
//!
//! What each bug is, and which promise it breaks, stands in `table.rs`; this module knows nothing
//! else of the crate.

#[cfg(mutant)]
mod chosen;
#[cfg(mutant)]
pub mod table;

#[cfg(mutant)]
pub use chosen::choose;
#[cfg(mutant)]
pub(crate) use chosen::{is_chosen, number};

/// Whether the planted bug of this name is there.
#[cfg(mutant)]
macro_rules! mutant {
    ($name:literal) => {
        cfg!(mutant = $name) && $crate::mutants::is_chosen(const { $crate::mutants::number($name) })
    };
}

/// Whether the planted bug of this name is there.
#[cfg(not(mutant))]
macro_rules! mutant {
    ($name:literal) => {
        cfg!(mutant = $name)
    };
}
