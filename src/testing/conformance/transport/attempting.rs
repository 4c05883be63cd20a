//! What a carrier promises of frames that are to leave without waiting.

use bytes::Bytes;
use futures::future::join;

use super::{Carrier, UNREAD_FRAME_LEN, UNREAD_FRAMES, expect_frame, frame, sizes};
use crate::transport::{Attempt, LinkSender};

/// Sends a frame as whoever does not want to wait: what an attempt leaves over is sent.
async fn push(sender: &mut dyn LinkSender, frame: &Bytes) {
    let rest = match sender.attempt(frame) {
        Attempt::Left => return,
        Attempt::Begun => Vec::new(),
        Attempt::NotBegun => vec![frame.clone()],
    };
    sender.send(rest).await.expect("sent");
}

/// A frame that was attempted arrives once, unchanged, in its place among those that were sent,
/// whether it left at once or with the next send.
pub async fn attempted_frames_arrive_once_and_in_their_place(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let sizes: Vec<usize> = sizes().into_iter().cycle().take(120).collect();
    let push_all = async {
        for (number, size) in sizes.iter().enumerate() {
            let frame = frame(number, *size);
            if number % 5 == 4 {
                near.sender.send(vec![frame]).await.expect("sent");
            } else {
                push(&mut *near.sender, &frame).await;
            }
        }
        near.sender.send(Vec::new()).await.expect("sent");
    };
    let receive = async {
        for (number, size) in sizes.iter().enumerate() {
            expect_frame(&mut *far.receiver, &frame(number, *size)).await;
        }
    };
    join(push_all, receive).await;
}

/// An attempt never waits, and a carrier that nobody reads soon takes no more.
pub async fn attempts_end_where_nobody_reads(carrier: &mut impl Carrier) {
    let (mut near, mut far) = carrier.connect().await;
    let size = UNREAD_FRAME_LEN / 8;
    let mut left = 0;
    let last = loop {
        match near.sender.attempt(&frame(left % UNREAD_FRAMES, size)) {
            Attempt::Left => left += 1,
            other => break other,
        }
        assert!(left < UNREAD_FRAMES * 8, "it holds {left} frames");
    };
    let rest = match last {
        Attempt::NotBegun => vec![frame(left % UNREAD_FRAMES, size)],
        _ => Vec::new(),
    };
    let send = async { near.sender.send(rest).await.expect("sent") };
    let receive = async {
        for number in 0..=left {
            let wanted = frame(number % UNREAD_FRAMES, size);
            expect_frame(&mut *far.receiver, &wanted).await;
        }
    };
    join(send, receive).await;
}
