//! Tries to prove a resolver wrong.
//!
//! A rule is trusted with every merge, so it is tried before it ships: on every small history of who
//! wrote what having seen what, then on long random ones, against each [`Law`]. A law that breaks is
//! shown in the smallest history found, drawn, with both outcomes side by side and a test to paste.
//!
//! The [guide] goes from a first draft with a mistake to a rule at work.
//!
//! The search counts work and not time, and finds the same every time. It is told nothing of a rule
//! but what its trait says; what cannot be seen there, a [`Suite`] may be given.
//!
//! ```
//! use anabranch::resolver::Counter;
//! use anabranch::testing::laws::{self, Alphabet, Budget};
//!
//! let report = laws::check(Counter, Alphabet::of(&[1, -2]), Budget::new(2_000));
//! report.assert_kept();
//! ```
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a harness, which runs in tests, over numbers that it counted itself"
)]

mod bench;
mod budget;
mod checks;
mod diagram;
mod draws;
mod elsewhere;
mod exhibit;
#[doc = include_str!("guide.md")]
pub mod guide {}
mod history;
mod law;
mod path;
mod quiet;
mod report;
mod search;
pub mod shapes;
mod shrink;
mod suite;
mod walk;
mod words;

pub use budget::Budget;
pub use exhibit::Exhibit;
pub use history::{History, Word};
pub use law::Law;
pub use report::{Failure, Partly, Report, Trial};
pub use suite::Suite;
pub use words::{Alphabet, Payloads};

use crate::resolver::Resolver;

/// Tries all laws that concern any rule.
///
/// # Panics
/// If there is no payload, or one cannot be written.
pub fn check(resolver: impl Resolver, payloads: impl Payloads, budget: Budget) -> Report {
    Suite::new(resolver, payloads).with_budget(budget).check()
}

/// Declares a module of tests that hold a resolver to the laws, one `#[test]` for each [`Law`], and
/// one that asks another process, with another hash seed, time zone and locale.
///
/// It is given a name, how the resolver is made, and where payloads come from: a proptest strategy
/// whose values can be serialized, or an [`Alphabet`]. After a semicolon may follow what else the
/// [`Suite`] is told. A function `suite` in the module makes the suite; the tests that failures print
/// call it.
///
/// ```
/// use anabranch::resolver::Counter;
/// use anabranch::testing::laws::{Alphabet, Budget, History, Law};
///
/// anabranch::resolver_laws!(counter_laws, Counter, -3i64..3);
/// anabranch::resolver_laws!(
///     small_counter_laws, Counter, Alphabet::of(&[1, -2]);
///     |suite| suite.with_budget(Budget::new(10_000)).with_reducer(|steps: &[i64]| {
///         steps.iter().sum::<i64>()
///     })
/// );
///
/// # fn main() {
/// let history = History::new().event("A", [], "01").event("B", [], "21");
/// small_counter_laws::suite().assert_keeps(Law::Sequence, &history);
/// # }
/// ```
#[macro_export]
macro_rules! resolver_laws {
    ($name:ident, $resolver:expr, $payloads:expr) => {
        $crate::resolver_laws!($name, $resolver, $payloads; |suite| suite);
    };
    ($name:ident, $resolver:expr, $payloads:expr; |$suite:ident| $told:expr) => {
        #[allow(dead_code, reason = "what a test calls, where there are tests")]
        mod $name {
            use super::*;

            /// What is tried.
            pub(super) fn suite() -> $crate::testing::laws::Suite<impl $crate::resolver::Resolver> {
                let $suite = $crate::testing::laws::Suite::new($resolver, $payloads)
                    .made_by(concat!(stringify!($name), "::suite()"));
                $told
            }

            #[test]
            fn determinism_in_another_process() {
                suite().assert_same_elsewhere(concat!(
                    module_path!(),
                    "::determinism_in_another_process"
                ));
            }

            $crate::resolver_laws!(@laws
                determinism Determinism,
                purity Purity,
                totality Totality,
                state_split StateSplit,
                rollback Rollback,
                footprint Footprint,
                commutation Commutation,
                sequence Sequence,
                loss Loss,
                resolution Resolution,
                invariants Invariants,
                growth Growth,
                delivery Delivery,
            );
        }
    };
    (@laws $($test:ident $law:ident,)*) => {
        $(
            #[test]
            fn $test() {
                suite().check_law($crate::testing::laws::Law::$law).assert_kept();
            }
        )*
    };
}
