use futures::future::join;

use super::{Carrier, expect_frame, frame, read_out, send_out};
use crate::limits::REASON_BYTES_MAX;
use crate::protocol::CloseCode;
use crate::transport::{Link, TransportError};

/// A link whose halves were dropped one after the other, in either order, is over for the other end.
pub async fn a_link_that_is_dropped_half_by_half_is_closed(carrier: &mut impl Carrier) {
    for sender_first in [true, false] {
        let (near, mut far) = carrier.connect().await;
        let Link {
            mut sender,
            receiver,
            ..
        } = near;
        sender.send(vec![frame(1, 100)]).await.expect("sent");
        expect_frame(&mut *far.receiver, &frame(1, 100)).await;
        if sender_first {
            drop(sender);
            drop(receiver);
        } else {
            drop(receiver);
            drop(sender);
        }
        let (frames, code, _) = read_out(&mut *far.receiver).await;
        assert_eq!((frames, code), (0, None));
    }
}

/// Two ends that say goodbye at the same moment both end, and neither waits for the other.
pub async fn closes_that_cross_end_both_ends(carrier: &mut impl Carrier) {
    for _ in 0..8 {
        let (mut near, mut far) = carrier.connect().await;
        let close_near = near.sender.close(CloseCode::DONE, "enough".to_owned());
        let close_far = far
            .sender
            .close(CloseCode::GOING_AWAY, "no more".to_owned());
        let closes = join(close_near, close_far);
        let ends = join(read_out(&mut *near.receiver), read_out(&mut *far.receiver));
        let (_, (near_heard, far_heard)) = join(closes, ends).await;
        assert_eq!((near_heard.0, far_heard.0), (0, 0));
        for sender in [&mut near.sender, &mut far.sender] {
            let refused = send_out(&mut **sender).await;
            assert!(matches!(refused, TransportError::Closed { .. }));
        }
    }
}

/// A reason may be cut short, at a whole character; its code arrives in any case.
pub async fn a_long_reason_does_not_hold_up_its_code(carrier: &mut impl Carrier) {
    // One byte before characters of two and of three, so that no bound falls between all of them.
    for (first, character) in [("", "x"), ("a", "ß"), ("", "ß"), ("ab", "€"), ("a", "€")] {
        let times = (REASON_BYTES_MAX - first.len()) / character.len();
        let reason = format!("{first}{}", character.repeat(times));
        let (mut near, mut far) = carrier.connect().await;
        let close = near.sender.close(CloseCode::INTERNAL, reason.clone());
        let ((), (_, code, heard)) = join(close, read_out(&mut *far.receiver)).await;
        assert_eq!(code, Some(CloseCode::INTERNAL));
        assert!(reason.starts_with(&heard), "{heard:?}");
        assert!(heard.len() > 100, "{heard:?}");
    }
}
