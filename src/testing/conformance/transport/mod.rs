//! What every carrier promises, each promise a test of its own.
//!
//! A carrier shows itself through [`Carrier`]: something that opens connections and hands out both
//! ends. [`transport_conformance!`](crate::transport_conformance) makes one `#[test]` per promise.
//! Each runs on one thread and fails when it takes longer than [`PATIENCE`]: a hang is a failure.
//!
//! Knows nothing of any particular carrier.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a broken promise is a panic"
)]

mod attempting;
mod many;
mod parting;
mod resuming;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join};
use tokio::time::{sleep, timeout};

pub use self::attempting::{
    attempted_frames_arrive_once_and_in_their_place, attempts_end_where_nobody_reads,
};
pub use self::many::{
    a_slow_reader_holds_up_no_other_connection, many_connections_keep_to_themselves,
};
pub use self::parting::{
    a_link_that_is_dropped_half_by_half_is_closed, a_long_reason_does_not_hold_up_its_code,
    closes_that_cross_end_both_ends,
};
pub use self::resuming::a_sync_is_resumed_over_the_next_connection;
use crate::limits::{FRAME_BYTES_MAX, PROMISE_MS, STALL_MS};
use crate::protocol::CloseCode;
use crate::transport::{Incoming, Link, LinkReceiver, LinkSender, TransportError};

/// Something that opens connections.
pub trait Carrier: Send + 'static {
    /// Opens a connection and returns its ends, the one that dialed first.
    fn connect(&mut self) -> BoxFuture<'_, (Link, Link)>;
}

/// How long one promise may take.
pub const PATIENCE: Duration = Duration::from_millis(PROMISE_MS);

/// How long nothing may move before a sender counts as held up.
const STALL: Duration = Duration::from_millis(STALL_MS);

/// More than any carrier, the operating system's buffers included, may hold in one direction.
const UNREAD_FRAMES: usize = 1024;
const UNREAD_FRAME_LEN: usize = 64 * 1024;

/// Declares a module of tests that hold a carrier to its promises.
///
/// It is given a name and a future of a [`Carrier`](crate::testing::conformance::transport::Carrier).
///
/// ```
/// use anabranch::testing::conformance::transport::Carrier;
/// use anabranch::transport::{Link, pair};
/// use futures::future::{BoxFuture, FutureExt, ready};
///
/// struct Pairs;
///
/// impl Carrier for Pairs {
///     fn connect(&mut self) -> BoxFuture<'_, (Link, Link)> {
///         ready(pair("near", "far")).boxed()
///     }
/// }
///
/// anabranch::transport_conformance!(pairs, ready(Pairs));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($name:ident, $carrier:expr) => {
        mod $name {
            use super::*;

            $crate::transport_conformance!(@promises $carrier;
                frames_arrive_whole_and_in_order
                attempted_frames_arrive_once_and_in_their_place
                attempts_end_where_nobody_reads
                frames_go_back_and_forth_at_once
                both_directions_flow_at_once
                a_cut_connection_ends_and_a_new_one_works
                a_reader_that_stops_holds_the_sender_up
                a_held_up_sender_keeps_nobody_from_receiving
                a_frame_above_the_bound_closes_with_1009
                close_codes_and_reasons_arrive_after_the_frames
                a_close_ends_both_halves_of_both_ends
                a_close_waits_for_a_silent_end_only_so_long
                a_dropped_link_closes_the_other_end
                a_dropped_receive_loses_nothing
                a_dropped_send_ends_the_connection
                a_link_that_is_dropped_half_by_half_is_closed
                closes_that_cross_end_both_ends
                a_long_reason_does_not_hold_up_its_code
                many_connections_keep_to_themselves
                a_slow_reader_holds_up_no_other_connection
                a_sync_is_resumed_over_the_next_connection
            );
        }
    };
    (@promises $carrier:expr; $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::testing::conformance::transport::hold(async {
                    let mut carrier = $carrier.await;
                    $crate::testing::conformance::transport::$promise(&mut carrier).await;
                });
            }
        )*
    };
}

/// Runs one promise on a runtime of its own.
///
/// # Panics
/// When it takes longer than [`PATIENCE`].
pub fn hold(promise: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime for the test");
    runtime.block_on(async { timeout(PATIENCE, promise).await.expect("the promise hangs") });
}

/// Sizes around every length that an encoding of frames may treat differently.
fn sizes() -> Vec<usize> {
    let edges = [
        125,
        126,
        4096,
        16 * 1024,
        65_535,
        65_536,
        256 * 1024,
        FRAME_BYTES_MAX - 1,
    ];
    [0, 1]
        .into_iter()
        .chain(edges.into_iter().flat_map(|size| [size, size + 1]))
        .collect()
}

/// A frame that no frame of another number resembles: a window, `number` bytes on, into noise.
fn frame(number: usize, size: usize) -> Bytes {
    static NOISE: OnceLock<Bytes> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut seed = 7_u64;
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[0]
        };
        (0..=FRAME_BYTES_MAX + UNREAD_FRAMES)
            .map(|_| byte())
            .collect()
    });
    noise.slice(number..number + size)
}

async fn expect_frame(receiver: &mut dyn LinkReceiver, wanted: &Bytes) {
    match receiver.receive().await {
        Incoming::Frame(frame) => {
            assert!(frame == *wanted, "another frame of {} bytes", frame.len());
        }
        Incoming::Closed { code, reason } => panic!("closed with {code:?}: {reason}"),
    }
}

/// Reads to the end and returns the number of frames before it, with the code and the reason.
async fn read_out(receiver: &mut dyn LinkReceiver) -> (usize, Option<CloseCode>, String) {
    let mut frames = 0;
    loop {
        match receiver.receive().await {
            Incoming::Frame(_) => frames += 1,
            Incoming::Closed { code, reason } => return (frames, code, reason),
        }
    }
}

/// Sends until the connection says that it is over.
async fn send_out(sender: &mut dyn LinkSender) -> TransportError {
    loop {
        if let Err(error) = sender.send(vec![frame(0, 1024)]).await {
            return error;
        }
    }
}

/// Frames of every size arrive unchanged, in the order of sending, however they are grouped.
pub async fn frames_arrive_whole_and_in_order(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let frames: Vec<Bytes> = sizes()
        .into_iter()
        .enumerate()
        .map(|(number, size)| frame(number, size))
        .collect();
    let groups = [1, 2, frames.len()];
    let send = async {
        for group in groups {
            for group in frames.chunks(group) {
                near.sender.send(group.to_vec()).await.expect("sent");
            }
        }
        near.sender
            .send(Vec::new())
            .await
            .expect("nothing is sent, too");
    };
    let receive = async {
        for _ in groups {
            for wanted in &frames {
                expect_frame(&mut *far.receiver, wanted).await;
            }
        }
    };
    join(send, receive).await;
}

/// What one end has sent arrives though nothing follows it, and an end that waits is woken by it.
pub async fn frames_go_back_and_forth_at_once(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let answer = async {
        for number in 0..200 {
            expect_frame(&mut *far.receiver, &frame(number, 100)).await;
            let back = vec![frame(number, 50)];
            far.sender.send(back).await.expect("sent");
        }
    };
    let ask = async {
        for number in 0..200 {
            let there = vec![frame(number, 100)];
            near.sender.send(there).await.expect("sent");
            expect_frame(&mut *near.receiver, &frame(number, 50)).await;
        }
    };
    join(ask, answer).await;
}

/// Both ends stream at the same time, each more than the connection holds.
pub async fn both_directions_flow_at_once(carrier: &mut impl Carrier) {
    let (near, far) = carrier.connect().await;
    let run = |link: Link| async move {
        let Link {
            mut sender,
            mut receiver,
            ..
        } = link;
        let send = async {
            for number in 0..128 {
                sender
                    .send(vec![frame(number, 256 * 1024)])
                    .await
                    .expect("sent");
            }
        };
        let receive = async {
            for number in 0..128 {
                expect_frame(&mut *receiver, &frame(number, 256 * 1024)).await;
            }
        };
        join(send, receive).await;
        // An end that left now could take what is still under way with it.
        (sender, receiver)
    };
    join(run(near), run(far)).await;
}

/// What had arrived before the cut can be read, then the end is told; the next connection is new.
pub async fn a_cut_connection_ends_and_a_new_one_works(carrier: &mut impl Carrier) {
    for _ in 0..3 {
        let (mut near, mut far) = carrier.connect().await;
        near.sender
            .send(vec![frame(1, 100), frame(2, 100)])
            .await
            .expect("sent");
        expect_frame(&mut *far.receiver, &frame(1, 100)).await;
        drop(near);
        let (frames, code, _) = read_out(&mut *far.receiver).await;
        assert!(frames <= 1, "{frames} frames after the first of two");
        assert_eq!(code, None);
        let (again, _, _) = read_out(&mut *far.receiver).await;
        assert_eq!(again, 0, "nothing follows the end");
        assert!(matches!(
            send_out(&mut *far.sender).await,
            TransportError::Closed { .. }
        ));
    }
    frames_arrive_whole_and_in_order(carrier).await;
}

/// A sender waits for its reader: what the connection holds is bounded, and nothing is lost.
pub async fn a_reader_that_stops_holds_the_sender_up(carrier: &mut impl Carrier) {
    let (near, mut far) = carrier.connect().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = tokio::spawn(stream_frames(near, sent.clone()));
    let held = stalled(&sent).await;
    assert!(
        held < UNREAD_FRAMES,
        "{held} frames of {UNREAD_FRAME_LEN} bytes were taken unread"
    );
    for number in 0..UNREAD_FRAMES {
        expect_frame(&mut *far.receiver, &frame(number, UNREAD_FRAME_LEN)).await;
    }
    sending.await.expect("the sender goes on");
}

async fn stream_frames(mut link: Link, sent: Arc<AtomicUsize>) -> Link {
    for number in 0..UNREAD_FRAMES {
        link.sender
            .send(vec![frame(number, UNREAD_FRAME_LEN)])
            .await
            .expect("sent");
        sent.fetch_add(1, Ordering::Relaxed);
    }
    link
}

/// Returns once the count stands still. A count that only paused makes the caller's check easier to
/// pass, never harder.
async fn stalled(count: &AtomicUsize) -> usize {
    loop {
        let before = count.load(Ordering::Relaxed);
        sleep(STALL).await;
        if count.load(Ordering::Relaxed) == before && before > 0 {
            return before;
        }
    }
}

/// While one end's sender waits for a reader that stopped, the same end still receives.
pub async fn a_held_up_sender_keeps_nobody_from_receiving(carrier: &mut impl Carrier) {
    let (near, mut far) = carrier.connect().await;
    let Link {
        mut sender,
        mut receiver,
        ..
    } = near;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        for number in 0..UNREAD_FRAMES {
            sender
                .send(vec![frame(number, UNREAD_FRAME_LEN)])
                .await
                .expect("sent");
            count.fetch_add(1, Ordering::Relaxed);
        }
        sender
    });
    let held = stalled(&sent).await;
    assert!(held < UNREAD_FRAMES);
    for number in 0..16 {
        far.sender
            .send(vec![frame(number, 1000)])
            .await
            .expect("sent");
        expect_frame(&mut *receiver, &frame(number, 1000)).await;
    }
    for number in 0..UNREAD_FRAMES {
        expect_frame(&mut *far.receiver, &frame(number, UNREAD_FRAME_LEN)).await;
    }
    sending.await.expect("the sender goes on");
}

/// A frame above the bound does not arrive; both ends learn why, whichever of them sent it.
pub async fn a_frame_above_the_bound_closes_with_1009(carrier: &mut impl Carrier) {
    for dialer_sends in [true, false] {
        let (near, far) = carrier.connect().await;
        let (mut near, mut far) = if dialer_sends {
            (near, far)
        } else {
            (far, near)
        };
        near.sender.send(vec![frame(1, 10)]).await.expect("sent");
        let large = frame(2, FRAME_BYTES_MAX + 1);
        let (sent, (frames, code, _)) =
            join(near.sender.send(vec![large]), read_out(&mut *far.receiver)).await;
        let bytes = FRAME_BYTES_MAX + 1;
        assert_eq!(
            sent,
            Err(TransportError::FrameTooLarge {
                bytes,
                max: FRAME_BYTES_MAX
            })
        );
        assert_eq!((frames, code), (1, Some(CloseCode::TOO_BIG)));
        assert!(near.sender.send(vec![frame(3, 10)]).await.is_err());
    }
}

/// A goodbye comes after everything that was sent before it, with its code and its reason.
pub async fn close_codes_and_reasons_arrive_after_the_frames(carrier: &mut impl Carrier) {
    let codes = [
        CloseCode::DONE,
        CloseCode::GOING_AWAY,
        CloseCode::PROTOCOL_VIOLATION,
        CloseCode::INTERNAL,
        CloseCode::HELLO_TIMEOUT,
        CloseCode::LINEAGE_MISMATCH,
        CloseCode::UNSUPPORTED_VERSION,
        CloseCode::DEAD_PEER,
    ];
    for code in codes {
        for dialer_closes in [true, false] {
            let (near, far) = carrier.connect().await;
            let (mut near, mut far) = if dialer_closes {
                (near, far)
            } else {
                (far, near)
            };
            let frames = vec![frame(1, 10), frame(2, 100_000), frame(3, 10)];
            let goodbye = async {
                near.sender.send(frames).await.expect("sent");
                near.sender
                    .close(code, format!("reason of {code}: größer"))
                    .await;
            };
            let ((), (frames, heard, reason)) = join(goodbye, read_out(&mut *far.receiver)).await;
            assert_eq!((frames, heard), (3, Some(code)));
            assert_eq!(reason, format!("reason of {code}: größer"));
        }
    }
}

/// After a close neither end sends, and both receivers end, the one that was waiting included.
pub async fn a_close_ends_both_halves_of_both_ends(carrier: &mut impl Carrier) {
    let (near, mut far) = carrier.connect().await;
    let Link {
        mut sender,
        mut receiver,
        ..
    } = near;
    let waiting = tokio::spawn(async move {
        read_out(&mut *receiver).await;
        receiver
    });
    tokio::task::yield_now().await;
    let close = sender.close(CloseCode::DONE, String::new());
    let ((), (_, code, _)) = join(close, read_out(&mut *far.receiver)).await;
    assert_eq!(code, Some(CloseCode::DONE));
    waiting.await.expect("the closing end's receiver ends");
    assert!(matches!(
        sender.send(vec![frame(1, 1)]).await,
        Err(TransportError::Closed { .. })
    ));
    assert!(matches!(
        send_out(&mut *far.sender).await,
        TransportError::Closed { .. }
    ));
    sender
        .close(CloseCode::DONE, "a second close changes nothing".to_owned())
        .await;
}

/// An end that neither reads nor answers cannot keep the other from closing.
pub async fn a_close_waits_for_a_silent_end_only_so_long(carrier: &mut impl Carrier) {
    let (near, far) = carrier.connect().await;
    let Link { mut sender, .. } = near;
    timeout(
        PATIENCE / 3,
        sender.close(CloseCode::GOING_AWAY, "stopping".to_owned()),
    )
    .await
    .expect("a close ends by itself");
    drop(far);
}

/// Dropping a link is a close without a code.
pub async fn a_dropped_link_closes_the_other_end(carrier: &mut impl Carrier) {
    for dialer_drops in [true, false] {
        let (near, far) = carrier.connect().await;
        let (near, mut far) = if dialer_drops {
            (near, far)
        } else {
            (far, near)
        };
        let ((), (frames, code, _)) =
            join(async { drop(near) }, read_out(&mut *far.receiver)).await;
        assert_eq!((frames, code), (0, None));
    }
}

/// A `receive` may be dropped at any point and asked for again.
pub async fn a_dropped_receive_loses_nothing(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let frames: Vec<Bytes> = sizes()
        .into_iter()
        .enumerate()
        .map(|(number, size)| frame(number, size))
        .collect();
    let send = async {
        for frame in &frames {
            near.sender.send(vec![frame.clone()]).await.expect("sent");
        }
        near.sender.close(CloseCode::DONE, String::new()).await;
    };
    let receive = async {
        let mut received = Vec::new();
        loop {
            match futures::poll!(far.receiver.receive()) {
                std::task::Poll::Ready(Incoming::Frame(frame)) => received.push(frame),
                std::task::Poll::Ready(Incoming::Closed { code, .. }) => return (received, code),
                std::task::Poll::Pending => tokio::task::yield_now().await,
            }
        }
    };
    let ((), (received, code)) = join(send, receive).await;
    assert_eq!(code, Some(CloseCode::DONE));
    assert!(
        received == frames,
        "{} frames of {}",
        received.len(),
        frames.len()
    );
}

/// Half a group may have left when a send is dropped, so nothing can follow it.
pub async fn a_dropped_send_ends_the_connection(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let group: Vec<Bytes> = (0..UNREAD_FRAMES)
        .map(|number| frame(number, UNREAD_FRAME_LEN))
        .collect();
    let dropped = timeout(STALL, near.sender.send(group)).await;
    assert!(dropped.is_err(), "the carrier took everything unread");
    let after = near.sender.send(vec![frame(0, 1)]).await;
    assert!(
        matches!(after, Err(TransportError::Closed { .. })),
        "{after:?}"
    );
    drop(near);
    let (frames, code, _) = read_out(&mut *far.receiver).await;
    assert!(frames < UNREAD_FRAMES);
    assert_eq!(code, None);
}
