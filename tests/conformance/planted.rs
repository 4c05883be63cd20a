//! The suite is worth what it catches: stores with one planted mistake each, and the law that tells.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anabranch::store::MemoryStore;
use anabranch::testing::conformance::store::{
    beside, bounds, folding, lasting, reading, verifying, writing,
};

use super::wrong_store::{WrongPlace, WrongStore};

type Make = Box<dyn Fn() -> (WrongPlace, WrongStore)>;
type Law = fn(&Make);

macro_rules! sins {
    ($($sin:ident: $group:ident::$law:ident,)*) => {
        /// What is wrong with a store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Sin {
            Nothing,
            $($sin,)*
        }

        /// Each mistake, with the law that names it.
        const SINS: &[(Sin, &str, Law)] = &[
            $((Sin::$sin, stringify!($law), $group::$law::<WrongPlace>),)*
        ];
    };
}

sins! {
    ShowsHalfAGroup: reading::a_reader_beside_a_writer_sees_whole_groups_in_order,
    LeavesHoles: writing::a_group_that_breaks_a_rule_changes_nothing,
    ReadsAnOldSnapshot: beside::a_read_sees_what_was_answered_before_it,
    KeepsRemovedNotes: lasting::notes_are_put_replaced_and_removed,
    TakesEmptyForAbsent: lasting::notes_are_put_replaced_and_removed,
    KeepsFoldsApart: lasting::a_fold_is_lost_with_what_it_covers,
    CutsBlobs: bounds::large_folds_and_notes_are_kept_whole,
    HasSignedColumns: bounds::numbers_beyond_the_signed_range_are_kept,
    IgnoresCase: bounds::names_are_told_apart_to_the_byte,
    TrimsNames: bounds::names_are_told_apart_to_the_byte,
    EndsKeysAtNul: bounds::note_keys_are_bytes_and_not_text,
    BindsFewParameters: bounds::many_questions_at_once_are_answered,
    WritesWithoutARight: beside::a_second_opening_is_refused_or_takes_over,
    NeverFsyncs: lasting::what_was_durable_survives_a_loss_of_power,
    FlushesNothing: lasting::a_flush_covers_what_was_buffered,
    LosesOpenings: lasting::an_opening_survives_a_loss_of_power,
    ForgetsWaitingAtASecondBegin: lasting::a_second_begin_goes_on_where_the_first_was,
    SortsWaitingByName: lasting::what_waits_is_told_in_the_order_of_arrival,
    IsAlwaysClean: lasting::a_store_that_was_dropped_is_whole_and_not_clean,
    ClosesOnce: lasting::closing_twice_is_closing_once,
    IgnoresDuplicates: writing::a_second_copy_of_an_event_is_refused,
    ForgetsTheSender: writing::a_group_is_read_back_as_it_was_appended,
    BelievesChains: reading::a_chain_value_that_the_caller_brings_is_not_believed,
    CountsNoBytes: reading::a_page_ends_at_the_first_bound_but_is_never_empty,
    GivesEmptyPages: reading::a_page_ends_at_the_first_bound_but_is_never_empty,
    AnswersInTheOrderOfIds: reading::nothing_is_known_of_an_event_that_is_not_here,
    LocatesRangeByRange: reading::each_event_is_located_where_its_commit_arrived,
    ShowsWhatWaits: folding::history_covers_what_is_ready_and_not_what_waits,
    ComparesTextPrefixes: folding::aggregates_are_listed_under_whole_segments,
    ReadsFoldAfterEntries: beside::a_history_beside_a_writer_goes_on_where_its_fold_ends,
    SharesAStatement: beside::readers_beside_a_writer_do_not_disturb_one_another,
    StopsHalfWay: beside::an_append_that_nobody_waits_for_is_whole_or_absent,
    SharesItsPlace: beside::every_place_is_its_own,
    CompactsNotesAway: verifying::compacting_changes_nothing,
}

fn factory(sin: Sin) -> Make {
    let only = MemoryStore::new();
    Box::new(move || match sin {
        Sin::SharesItsPlace => WrongPlace::with(only.clone(), sin),
        _ => WrongPlace::with(MemoryStore::new(), sin),
    })
}

fn is_kept(law: Law, sin: Sin) -> bool {
    let make = factory(sin);
    catch_unwind(AssertUnwindSafe(|| law(&make))).is_ok()
}

#[test]
fn each_planted_mistake_is_caught_by_the_law_that_names_it() {
    assert!(SINS.len() >= 30);
    let mut escaped = Vec::new();
    for (sin, name, law) in SINS {
        // Mistakes that show only between two threads may hide once on a busy machine.
        let is_caught = (0..4).any(|_| !is_kept(*law, *sin));
        println!("{:30} {name}", format!("{sin:?}"));
        if !is_caught {
            escaped.push(sin);
        }
    }
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

#[test]
fn a_store_with_nothing_planted_keeps_these_laws() {
    for (_, name, law) in SINS {
        assert!(is_kept(*law, Sin::Nothing), "{name}");
    }
}
