//! Which cursors are handed out, and which batches are acknowledged.

use anabranch::event::EventId;
use anabranch::limits::UNTOLD_BATCHES_MAX;
use anabranch::log::{Cursor, Epoch, Epochs};
use anabranch::protocol::{
    Input, Message, Output, Reason, Remedy, Role, Session, SessionOptions, Summary,
};

use crate::driven::{Driven, EPOCH, NOW, batch, hello, peer};
use crate::node::seq;
use crate::pair::{BOTH, read};

const NEW: Cursor = Cursor {
    epoch: EPOCH,
    position: 3,
};

/// A dialer whose peer resumes from its cursor and offers one that this end does not honour, and
/// the batches of that peer, with a new cursor.
fn disappointed() -> (Driven, Message) {
    let mut driven = Driven::new(Role::Dialer, BOTH, 1);
    let old = Cursor {
        epoch: EPOCH,
        position: 0,
    };
    driven.node.cursors.insert(peer(), old);
    let local = driven.node.local(&[peer()]);
    driven.session = Session::new(Role::Dialer, local, SessionOptions::default(), NOW);
    let lost = Cursor {
        epoch: Epoch::from_bits(88),
        position: 9,
    };
    let Message::Hello(mut claims) = hello(Some(lost), BOTH) else {
        panic!("a hello")
    };
    claims.resumes = true;
    driven.feed(&Message::Hello(claims));

    let Message::Batch(mut with_cursor) = batch() else {
        panic!("a batch")
    };
    with_cursor.position = Some(NEW.position);
    (driven, Message::Batch(with_cursor))
}

#[test]
fn a_cursor_is_held_back_until_the_peer_has_durably_acknowledged_what_it_lacked() {
    let (mut driven, with_cursor) = disappointed();
    let mut epochs = Epochs::new();
    epochs.begin(NEW.epoch, 0);
    let honoured = |cursor: &Option<Cursor>| cursor.map(|cursor| epochs.honours(cursor, 1_000));

    driven.feed(&with_cursor);
    driven.feed(&Message::Fill);
    driven.feed(&with_cursor);
    driven.feed(&Message::Summary(Summary {
        more: false,
        tracks: Vec::new(),
    }));
    driven.feed(&with_cursor);
    let seen: Vec<_> = driven.cursors.iter().map(honoured).collect();
    assert_eq!(
        seen,
        [Some(false); 3],
        "a void cursor takes the place of the old one"
    );

    driven.feed(&Message::Ack {
        batch: 0,
        durable: false,
    });
    assert_eq!(driven.cursors.len(), 3);
    driven.feed(&Message::Ack {
        batch: 0,
        durable: true,
    });
    assert_eq!(
        driven.cursors.last(),
        Some(&Some(NEW)),
        "now it is handed out"
    );
    driven.feed(&with_cursor);
    assert_eq!(driven.cursors[3..], [Some(NEW), Some(NEW)]);
    assert_eq!(driven.closed, None);
}

#[test]
fn a_cursor_that_was_held_back_is_forgotten_with_a_refused_delivery() {
    let (mut driven, with_cursor) = disappointed();
    driven.feed(&Message::Summary(Summary {
        more: false,
        tracks: Vec::new(),
    }));
    driven.feed(&Message::Fill);
    driven.feed(&with_cursor);
    let commit = EventId::new(peer(), seq(1));
    driven.handle(Input::Refuse {
        commit,
        why: Reason::Forked,
        remedy: Remedy::Restamp,
    });
    driven.feed(&Message::Again);
    driven.feed(&Message::Ack {
        batch: 0,
        durable: true,
    });
    assert!(!driven.cursors.contains(&Some(NEW)));
    driven.feed(&with_cursor);
    assert_eq!(driven.cursors.last(), Some(&Some(NEW)));
}

#[test]
fn what_was_taken_stays_taken_when_less_becomes_durable() {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    for _ in 0..UNTOLD_BATCHES_MAX + 2 {
        driven.feed(&batch());
    }
    driven.session.handle(
        NOW,
        Input::Taken {
            delivery: UNTOLD_BATCHES_MAX,
            durable: false,
        },
    );
    driven.session.handle(
        NOW,
        Input::Taken {
            delivery: 0,
            durable: true,
        },
    );
    assert_eq!(acks(&mut driven), [(0, true), (UNTOLD_BATCHES_MAX, false)]);
}

#[test]
fn what_is_durable_before_long_is_acknowledged_once() {
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    for delivery in 0..UNTOLD_BATCHES_MAX {
        driven.feed(&batch());
        for durable in [false, true] {
            let taken = Input::Taken { delivery, durable };
            driven.session.handle(NOW, taken);
            let told = acks(&mut driven);
            assert_eq!(told.len(), usize::from(durable));
            assert!(told.iter().all(|told| *told == (delivery, true)));
        }
    }
}

/// What was acknowledged since somebody looked.
fn acks(driven: &mut Driven) -> Vec<(u64, bool)> {
    let mut acks = Vec::new();
    while let Some(output) = driven.session.poll_output() {
        if let Output::Send(frame) = output
            && let Message::Ack { batch, durable } = read(&frame)
        {
            acks.push((batch, durable));
        }
    }
    acks
}
