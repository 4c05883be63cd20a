use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join, join_all};
use tokio::time::timeout;

use super::{
    Carrier, PATIENCE, UNREAD_FRAME_LEN, UNREAD_FRAMES, expect_frame, frame, read_out, stalled,
};
use crate::protocol::CloseCode;

const CONNECTIONS: usize = 48;

/// Each of many connections carries what was given to it, both ways, and ends with its own words.
pub async fn many_connections_keep_to_themselves(carrier: &mut impl Carrier) {
    let mut links = Vec::new();
    for _ in 0..CONNECTIONS {
        links.push(carrier.connect().await);
    }
    let converse = links
        .into_iter()
        .enumerate()
        .map(|(number, link)| async move {
            let (mut near, mut far) = link;
            for round in 0..4 {
                let (there, back) = (frame(number + 64 * round, 700), frame(number, 300 + round));
                near.sender.send(vec![there.clone()]).await.expect("sent");
                far.sender.send(vec![back.clone()]).await.expect("sent");
                expect_frame(&mut *far.receiver, &there).await;
                expect_frame(&mut *near.receiver, &back).await;
            }
            let reason = format!("connection {number}");
            let close = near.sender.close(CloseCode::DONE, reason.clone());
            let ((), heard) = join(close, read_out(&mut *far.receiver)).await;
            assert_eq!(heard, (0, Some(CloseCode::DONE), reason));
        });
    join_all(converse).await;
}

/// While one connection waits for a reader who stopped, others flow, and new ones are opened.
pub async fn a_slow_reader_holds_up_no_other_connection(carrier: &mut impl Carrier) {
    let (mut slow, _unread) = carrier.connect().await;
    let (mut open, mut opposite) = carrier.connect().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        for number in 0..UNREAD_FRAMES {
            let group = vec![frame(number, UNREAD_FRAME_LEN)];
            if slow.sender.send(group).await.is_err() {
                return;
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(stalled(&sent).await < UNREAD_FRAMES);
    let others = async {
        for number in 0..64 {
            let there = frame(number, 10_000);
            open.sender.send(vec![there.clone()]).await.expect("sent");
            expect_frame(&mut *opposite.receiver, &there).await;
        }
        let (mut near, mut far) = carrier.connect().await;
        near.sender.send(vec![frame(1, 10)]).await.expect("sent");
        expect_frame(&mut *far.receiver, &frame(1, 10)).await;
    };
    let waited = timeout(PATIENCE / 3, others).await;
    waited.expect("other connections flow");
    sending.abort();
}
