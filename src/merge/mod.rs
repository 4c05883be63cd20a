//! The merge core: from commits in any order to one state per aggregate.
//!
//! An [`Inbox`] holds commits back until their causal past is here. A [`Timeline`] keeps the ready
//! events of one aggregate in canonical order and folds them with the aggregate's resolver.
//! [`Aggregates`] is both together, for whoever embeds the merge without a store or a network.
//!
//! The invariant kept here: a state is a pure function of the set of ready events, whatever the
//! order, the repetition and the grouping in which they came, whether they are in memory or only
//! their fold is.
//!
//! This module knows neither stores nor peers, reads no clock, and runs resolvers only under the
//! [`Guard`] it is given.

mod aggregates;
mod evidence;
mod explanation;
mod guard;
mod inbox;
mod name_table;
mod sentence;
mod shortcut;
mod stored_fold;
mod timeline;

pub use aggregates::{Aggregates, StateError};
pub use evidence::{BrokenLaw, Evidence};
pub use explanation::{
    Contested, ExplainedPiece, ExplainedRace, Explanation, NotARaceCursor, Party, RaceCounts,
    RaceCursor, RacePage, RaceQuery, Side, Sources, WhichRaces,
};
pub use guard::{Guard, Panic, Unguarded};
pub(crate) use inbox::Tags;
pub use inbox::{Inbox, Ready, Receipt, tags};
pub(crate) use name_table::NameTable;
pub use sentence::Wording;
pub use shortcut::{Shortcut, Shortcuts};
pub use stored_fold::{FoldError, StaleFold, StoredFold};
pub use timeline::{
    BasisError, Costs, FoldOutcome, Ground, Integration, Outcome, Placed, Replay, Standing,
    Timeline, TrialError, Unresolved,
};
