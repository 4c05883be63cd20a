//! The laws of [`EventStore`], as tests that anybody who writes a store can run.
//!
//! Give a [`StoreHome`], which says where a store lives and how to open it, and
//! [`store_conformance!`](crate::store_conformance) makes one `#[test]` of each law. Every law is
//! checked against lists that are searched from end to end, never against another store.
//!
//! The suite knows nothing of back ends, and of runtimes only that futures are polled.
//!
//! ```
//! use anabranch::store::MemoryStore;
//! use anabranch::testing::conformance::store::StoreHome;
//!
//! struct MemoryHome(MemoryStore);
//!
//! impl StoreHome for MemoryHome {
//!     type Store = MemoryStore;
//!
//!     fn new() -> Self {
//!         Self(MemoryStore::new())
//!     }
//!
//!     fn open(&self) -> MemoryStore {
//!         self.0.clone()
//!     }
//!
//!     fn lose_power(&self, store: MemoryStore) {
//!         store.power_loss();
//!     }
//! }
//!
//! anabranch::store_conformance!(memory, MemoryHome);
//! # fn main() {}
//! ```
#![expect(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "a law is a sentence, and panics where it does not hold"
)]

mod author;
pub mod folding;
pub mod lasting;
mod model;
pub mod random;
pub mod reading;
mod rig;
pub mod verifying;
pub mod writing;

use crate::store::EventStore;

/// Where the store of one test lives. Dropped after the store; cleans up then.
pub trait StoreHome: 'static {
    /// What lives there.
    type Store: EventStore;

    /// An empty place, of its own for every call.
    fn new() -> Self;

    /// Opens what is there. No other store of this home is open when it is called.
    fn open(&self) -> Self::Store;

    /// Ends the use of a store as a loss of power would: what was fsynced is there at the next
    /// [`open`](Self::open), anything else may be gone.
    ///
    /// A home that cannot do that drops the store; two laws are weaker then.
    fn lose_power(&self, store: Self::Store);
}

/// One test for each law of [`EventStore`](crate::store::EventStore), in a module of this name, for
/// stores that live in a [`StoreHome`](crate::testing::conformance::store::StoreHome).
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $home:ty) => {
        mod $name {
            #[allow(unused_imports, reason = "a home may need nothing from outside")]
            use super::*;

            $crate::store_conformance! { @laws $home;
                writing: a_group_is_read_back_as_it_was_appended,
                writing: positions_count_from_zero_without_holes,
                writing: a_second_copy_of_an_event_is_refused,
                writing: a_group_that_breaks_a_rule_changes_nothing,
                writing: only_what_waits_is_released,
                writing: a_commit_may_wait_and_be_released_in_one_group,
                writing: an_empty_group_is_a_group,
                writing: groups_queued_together_are_answered_in_order,
                writing: nothing_is_written_before_begin,
                writing: the_greatest_commit_fits,
                writing: the_longest_commit_fits,
                writing: the_longest_name_and_note_key_fit,
                reading: past_the_end_there_is_nothing,
                reading: a_page_ends_at_the_first_bound_but_is_never_empty,
                reading: entries_are_read_at_the_positions_asked_for,
                reading: each_event_is_located_where_its_commit_arrived,
                reading: digest_chain_and_stamp_are_known_of_each_event,
                reading: a_chain_is_known_where_everything_before_it_was_here,
                reading: a_released_entry_keeps_the_chain_value_it_was_given,
                reading: nothing_is_known_of_an_event_that_is_not_here,
                reading: a_reader_beside_a_writer_sees_whole_groups_in_order,
                folding: history_covers_what_is_ready_and_not_what_waits,
                folding: an_event_of_another_aggregate_comes_with_its_commit,
                folding: a_fold_hides_what_it_covers,
                folding: a_later_fold_replaces_an_earlier_one,
                folding: an_aggregate_that_is_not_here_has_no_history,
                folding: aggregates_are_listed_under_whole_segments,
                folding: aggregates_are_listed_in_pages,
                folding: aggregates_with_long_histories_are_listed_once,
                lasting: every_opening_is_listed_with_its_start,
                lasting: a_second_begin_goes_on_where_the_first_was,
                lasting: a_close_and_an_open_change_nothing,
                lasting: a_store_that_was_dropped_is_whole_and_not_clean,
                lasting: closing_twice_is_closing_once,
                lasting: what_was_received_is_told_with_its_gaps,
                lasting: what_waits_is_told_in_the_order_of_arrival,
                lasting: notes_are_put_replaced_and_removed,
                lasting: what_was_durable_survives_a_loss_of_power,
                lasting: a_durable_append_covers_the_buffered_ones_before_it,
                lasting: a_flush_covers_what_was_buffered,
                lasting: a_loss_of_power_leaves_whole_groups,
                verifying: an_empty_store_is_whole,
                verifying: what_waits_and_what_was_released_is_no_fault,
                verifying: progress_is_told_up_to_the_last_entry,
                verifying: a_fold_that_makes_no_sense_to_whoever_knows_is_a_fault,
                verifying: compacting_changes_nothing,
                random: random_uses_agree_with_a_plain_list,
            }
        }
    };
    (@laws $home:ty; $($group:ident: $law:ident,)*) => {
        $(
            #[test]
            fn $law() {
                $crate::testing::conformance::store::$group::$law::<$home>();
            }
        )*
    };
}
