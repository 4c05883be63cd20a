//! The laws of [`EventStore`](crate::store::EventStore), as tests that anybody who writes a store can
//! run.
//!
//! Give [`store_conformance!`](crate::store_conformance) a name and a factory, which returns a fresh
//! place and the store in it, and each law becomes a `#[test]`. Every law is checked against lists
//! that are searched from end to end, never against another store. A store that hangs fails.
//!
//! The suite knows nothing of back ends, and of runtimes only that futures are polled.
//!
//! ```
//! use anabranch::store::MemoryStore;
//! use anabranch::testing::conformance::store::Place;
//!
//! // A place, how a store is opened in it, and what a loss of power leaves there.
//! anabranch::store_conformance!(memory, || Place::with_power(
//!     MemoryStore::new(),
//!     |memory| Ok(memory.clone()),
//!     |_, store| store.power_loss(),
//! ));
//! # fn main() {}
//! ```
//!
//! A store in a folder needs no more than `|| Place::opened(tempfile::tempdir().unwrap(), |folder|
//! MyStore::open(folder.path()))`. Whoever needs more, as a server that is to be asked to crash,
//! implements [`StoreGuard`].
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
pub mod beside;
pub mod bounds;
pub mod folding;
mod guard;
pub mod lasting;
mod model;
mod pace;
pub mod random;
pub mod reading;
mod rig;
pub mod verifying;
pub mod writing;

pub use self::guard::{Place, StoreGuard};

/// One test for each law of [`EventStore`](crate::store::EventStore), in a module of this name.
///
/// The factory is an expression that can be called as often as wanted: it returns a
/// [`StoreGuard`](crate::testing::conformance::store::StoreGuard) of a place that is fresh and empty,
/// and the store in it. There is an example at [`conformance::store`](crate::testing::conformance::store).
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $factory:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "a factory may need nothing from outside")]
            use super::*;

            $crate::store_conformance! { @laws $factory;
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
                reading: a_chain_value_that_the_caller_brings_is_not_believed,
                reading: a_released_entry_keeps_the_chain_value_it_was_given,
                reading: nothing_is_known_of_an_event_that_is_not_here,
                reading: a_reader_beside_a_writer_sees_whole_groups_in_order,
                bounds: numbers_beyond_the_signed_range_are_kept,
                bounds: names_are_told_apart_to_the_byte,
                bounds: note_keys_are_bytes_and_not_text,
                bounds: large_folds_and_notes_are_kept_whole,
                bounds: a_group_of_many_commits_fits,
                bounds: many_questions_at_once_are_answered,
                bounds: note_keys_are_refused_beyond_the_bound_and_not_before,
                beside: every_place_is_its_own,
                beside: a_read_sees_what_was_answered_before_it,
                beside: a_history_beside_a_writer_goes_on_where_its_fold_ends,
                beside: readers_beside_a_writer_do_not_disturb_one_another,
                beside: a_second_opening_is_refused_or_takes_over,
                beside: an_append_that_nobody_waits_for_is_whole_or_absent,
                folding: history_covers_what_is_ready_and_not_what_waits,
                folding: an_event_of_another_aggregate_comes_with_its_commit,
                folding: a_fold_hides_what_it_covers,
                folding: a_later_fold_replaces_an_earlier_one,
                folding: an_aggregate_that_is_not_here_has_no_history,
                folding: aggregates_are_listed_under_whole_segments,
                folding: aggregates_are_listed_in_pages,
                folding: aggregates_with_long_histories_are_listed_once,
                lasting: an_opening_without_a_begin_leaves_no_trace,
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
                lasting: an_opening_survives_a_loss_of_power,
                lasting: a_fold_is_lost_with_what_it_covers,
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
    (@laws $factory:expr; $($group:ident: $law:ident,)*) => {
        $(
            #[test]
            fn $law() {
                $crate::testing::conformance::store::$group::$law(&$factory);
            }
        )*
    };
}
