//! Claims that a peer cannot rightly make, each of which ends the session.

use anabranch::limits::CREDIT_BYTES;
use anabranch::log::{Cursor, Epoch};
use anabranch::protocol::{Batch, CloseCode, Delivered, Input, Message, Role, Summary};

use crate::driven::{Driven, after, hello, peer};
use crate::node::commit;
use crate::pair::BOTH;

#[test]
fn an_acknowledgement_of_what_was_never_sent_or_going_backwards_is_a_violation() {
    let ack = |batch, durable| Message::Ack { batch, durable };
    let sent = || {
        let mut driven = Driven::open(BOTH, BOTH, true, 0);
        for _ in 0..3 {
            let prepared = driven.node.record(1, 10);
            driven.handle(Input::Appended(prepared));
        }
        driven
    };
    let outcomes = [
        (vec![ack(0, true), ack(2, true)], true),
        (
            vec![ack(1, false), ack(0, true), ack(1, true), ack(2, false)],
            true,
        ),
        (vec![ack(3, false)], false),
        (vec![ack(u64::MAX, true)], false),
        (vec![ack(1, true), ack(0, true)], false),
        (vec![ack(1, true), ack(1, true)], false),
        (vec![ack(1, true), ack(1, false)], false),
        (vec![ack(2, false), ack(1, false)], false),
    ];
    for (acks, is_fine) in outcomes {
        let driven = after(sent(), &acks);
        assert_eq!(driven.closed.is_none(), is_fine, "{acks:?}");
    }
}

#[test]
fn credit_for_what_was_not_spent_is_a_violation() {
    for bytes in [CREDIT_BYTES, u64::MAX] {
        let driven = after(
            Driven::open(BOTH, BOTH, true, 1),
            &[Message::Credit { bytes }],
        );
        assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
    }
}

#[test]
fn a_peer_that_sends_more_than_was_granted_is_cut_off() {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    let mut commits = 0;
    while driven.closed.is_none() {
        let commit = commit(peer(), commits + 1, 1, 200 * 1024);
        let commits_of = vec![Delivered {
            commit,
            continues: None,
        }];
        driven.feed(&Message::Batch(Batch {
            position: None,
            commits: commits_of,
        }));
        commits += 1;
        assert!(commits * 200 * 1024 <= CREDIT_BYTES + 200 * 1024);
    }
    assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
}

#[test]
fn a_summary_that_does_not_end_or_is_not_in_order_is_a_violation() {
    let endless = Message::Summary(Summary {
        more: true,
        tracks: Vec::new(),
    });
    let mut driven = Driven::open(BOTH, BOTH, false, 1);
    for _ in 0..100 {
        driven.feed(&endless);
    }
    assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
}

#[test]
fn a_hello_that_contradicts_itself_is_a_violation() {
    for (resumes, cursor) in [(true, None), (false, Some(5)), (true, Some(5))] {
        let mut driven = Driven::new(Role::Dialer, BOTH, 1);
        let cursor = cursor.map(|position| Cursor {
            epoch: Epoch::from_bits(3),
            position,
        });
        let Message::Hello(mut claims) = hello(cursor, BOTH) else {
            panic!("a hello")
        };
        claims.resumes = resumes;
        driven.feed(&Message::Hello(claims));
        assert_eq!(driven.closed, Some(CloseCode::PROTOCOL_VIOLATION));
    }
}
