use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::event::AggregateId;
use crate::limits::{AGGREGATE_ID_BYTES_MAX, FILTER_TERMS_MAX};

/// Which aggregates a subscriber wants to see: all, or those under any of some prefixes, compared in
/// whole segments. At most 64 prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    prefixes: Vec<String>,
}

/// A filter that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FilterError {
    /// More prefixes than the bound.
    #[error("filter has {terms} prefixes, at most {max} are allowed")]
    TooManyTerms {
        /// Prefixes found.
        terms: usize,
        /// The bound.
        max: usize,
    },
    /// A prefix longer than any aggregate id.
    #[error("filter prefix has {bytes} bytes, at most {max} are allowed")]
    TermTooLong {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

impl Filter {
    /// Everything.
    pub const fn all() -> Self {
        Self {
            prefixes: Vec::new(),
        }
    }

    /// One aggregate, and those named below it.
    pub fn aggregate(aggregate: &AggregateId) -> Self {
        Self {
            prefixes: alloc::vec![aggregate.as_str().into()],
        }
    }

    /// Aggregates under any of these prefixes; none at all means everything.
    ///
    /// # Errors
    /// [`FilterError`] names the bound.
    pub fn under<S: Into<String>>(
        prefixes: impl IntoIterator<Item = S>,
    ) -> Result<Self, FilterError> {
        let prefixes: Vec<String> = prefixes.into_iter().map(Into::into).collect();
        if prefixes.len() > FILTER_TERMS_MAX {
            let terms = prefixes.len();
            return Err(FilterError::TooManyTerms {
                terms,
                max: FILTER_TERMS_MAX,
            });
        }
        if let Some(long) = prefixes
            .iter()
            .find(|prefix| prefix.len() > AGGREGATE_ID_BYTES_MAX)
        {
            let bytes = long.len();
            return Err(FilterError::TermTooLong {
                bytes,
                max: AGGREGATE_ID_BYTES_MAX,
            });
        }
        Ok(Self { prefixes })
    }

    /// Whether an aggregate is wanted.
    pub fn passes(&self, aggregate: &AggregateId) -> bool {
        self.prefixes.is_empty()
            || self
                .prefixes
                .iter()
                .any(|prefix| aggregate.is_under(prefix))
    }
}
