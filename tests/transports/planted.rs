//! The suite is worth what it catches: carriers with one planted mistake each, and the promise that
//! tells.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anabranch::testing::conformance::transport::{self, PATIENCE};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::wrong_carrier::WrongCarrier;

macro_rules! sins {
    ($($sin:ident: $promise:ident,)*) => {
        /// What is wrong with a carrier.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Sin {
            Nothing,
            $($sin,)*
        }

        const SINS: &[(Sin, &str)] = &[$((Sin::$sin, stringify!($promise)),)*];

        /// Whether the promise that names this mistake is kept by a carrier. Its clock stands still
        /// while anything can be done, so who waits for ever is found out at once.
        fn is_kept(promise: Sin, sin: Sin) -> bool {
            let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
            let held = async {
                let mut carrier = WrongCarrier::new(sin);
                let promise = async {
                    match promise {
                        Sin::Nothing => {}
                        $(Sin::$sin => transport::$promise(&mut carrier).await,)*
                    }
                };
                timeout(PATIENCE, promise).await.unwrap();
            };
            catch_unwind(AssertUnwindSafe(|| runtime.unwrap().block_on(held))).is_ok()
        }
    };
}

sins! {
    SwapsFrames: frames_arrive_whole_and_in_order,
    RepeatsFrames: frames_arrive_whole_and_in_order,
    SkipsEmptyFrames: frames_arrive_whole_and_in_order,
    JoinsFrames: frames_arrive_whole_and_in_order,
    CutsLongFrames: frames_arrive_whole_and_in_order,
    TakesAndDeniesIt: attempted_frames_arrive_once_and_in_their_place,
    ClaimsWhatHasNotLeft: attempted_frames_arrive_once_and_in_their_place,
    LeavesInAnyNumber: attempts_end_where_nobody_reads,
    KeepsTheLastFrameBack: frames_go_back_and_forth_at_once,
    QueuesWithoutBound: a_reader_that_stops_holds_the_sender_up,
    LocksBothHalves: a_held_up_sender_keeps_nobody_from_receiving,
    CutsWhatIsTooLong: a_frame_above_the_bound_closes_with_1009,
    ForgetsTheCode: close_codes_and_reasons_arrive_after_the_frames,
    ForgetsTheReason: close_codes_and_reasons_arrive_after_the_frames,
    ClosesAtOnce: close_codes_and_reasons_arrive_after_the_frames,
    ClosesOneHalf: a_close_ends_both_halves_of_both_ends,
    WaitsForTheOtherEnd: a_close_waits_for_a_silent_end_only_so_long,
    KeepsDroppedLinks: a_dropped_link_closes_the_other_end,
    LosesWithADroppedReceive: a_dropped_receive_loses_nothing,
    GoesOnAfterADroppedSend: a_dropped_send_ends_the_connection,
    BreaksCharacters: a_long_reason_does_not_hold_up_its_code,
    MixesConnections: many_connections_keep_to_themselves,
    SharesAQueue: a_slow_reader_holds_up_no_other_connection,
    BringsOldFramesAgain: a_cut_connection_ends_and_a_new_one_works,
    TurnsABit: a_sync_is_resumed_over_the_next_connection,
}

#[test]
fn each_planted_mistake_is_caught_by_the_promise_that_names_it() {
    assert!(SINS.len() >= 20);
    let mut escaped = Vec::new();
    for (sin, promise) in SINS {
        println!("{:25} {promise}", format!("{sin:?}"));
        if is_kept(*sin, *sin) {
            escaped.push(sin);
        }
    }
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

#[test]
fn a_carrier_with_nothing_planted_keeps_these_promises() {
    for (sin, promise) in SINS {
        assert!(is_kept(*sin, Sin::Nothing), "{promise}");
    }
}
