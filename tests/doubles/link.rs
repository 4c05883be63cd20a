use std::time::Duration;

use anabranch::protocol::CloseCode;
use anabranch::testing::doubles::{Direction, FaultyTransport, LinkFault, LinkFaults, Passed};
use anabranch::transport::in_process::InProcess;
use anabranch::transport::{Incoming, Link, Transport, TransportError, pair};
use bytes::Bytes;
use futures::FutureExt;

use super::world::soon;

fn ends(faults: &LinkFaults) -> (Link, Link) {
    let (near, far) = pair("near", "far");
    (faults.wrap(near), far)
}

fn frame(number: u8) -> Bytes {
    Bytes::from(vec![number; 8])
}

async fn hear(link: &mut Link) -> Option<Bytes> {
    match soon(link.receiver.receive()).await {
        Incoming::Frame(frame) => Some(frame),
        Incoming::Closed { code, .. } => {
            assert_eq!(code, None);
            None
        }
    }
}

async fn say(link: &mut Link, number: u8) -> Result<(), TransportError> {
    soon(link.sender.send(vec![frame(number)])).await
}

#[tokio::test]
async fn a_cut_after_some_frames_in_either_direction_is_told_to_both_ends() {
    for direction in [Direction::Outgoing, Direction::Incoming] {
        for frames in 0..3_u8 {
            let faults = LinkFaults::new();
            faults.put(1, direction, frames.into(), LinkFault::Cut);
            let (mut near, mut far) = ends(&faults);
            for number in 0..frames {
                let (from, to) = match direction {
                    Direction::Outgoing => (&mut near, &mut far),
                    Direction::Incoming => (&mut far, &mut near),
                };
                say(from, number).await.unwrap();
                assert_eq!(hear(to).await, Some(frame(number)));
            }
            assert_eq!(hear(&mut near).await, None);
            assert_eq!(hear(&mut far).await, None);
            assert!(say(&mut near, 9).await.is_err());
            assert!(say(&mut far, 9).await.is_err());
            assert_eq!(faults.fired(), 1);
        }
    }
}

#[tokio::test]
async fn frames_that_vanish_are_told_to_nobody_and_the_other_direction_goes_on() {
    let faults = LinkFaults::new();
    faults.put_on_all(Direction::Outgoing, 1, LinkFault::Silence);
    let (mut near, mut far) = ends(&faults);
    for number in 0..3 {
        say(&mut near, number).await.unwrap();
    }
    assert_eq!(hear(&mut far).await, Some(frame(0)));
    assert!(hear(&mut far).now_or_never().is_none());
    say(&mut far, 7).await.unwrap();
    assert_eq!(hear(&mut near).await, Some(frame(7)));
    soon(near.sender.close(CloseCode::DONE, String::new())).await;
    drop(near);
    assert!(hear(&mut far).now_or_never().is_none(), "somebody told it");
    assert!(say(&mut far, 8).await.is_ok());
    faults.release();
    assert_eq!(hear(&mut far).await, None);
}

#[tokio::test]
async fn a_goodbye_from_beyond_the_silence_is_not_heard() {
    let faults = LinkFaults::new();
    faults.put(1, Direction::Incoming, 0, LinkFault::Silence);
    let (mut near, mut far) = ends(&faults);
    say(&mut far, 1).await.unwrap();
    drop(far);
    assert!(hear(&mut near).now_or_never().is_none());
    faults.cut_all();
    assert_eq!(hear(&mut near).await, None);
}

#[tokio::test]
async fn frames_that_are_held_pass_in_order_when_they_are_released() {
    let faults = LinkFaults::new();
    faults.put(1, Direction::Incoming, 1, LinkFault::Hold);
    let (mut near, mut far) = ends(&faults);
    for number in 0..3 {
        say(&mut far, number).await.unwrap();
    }
    assert_eq!(hear(&mut near).await, Some(frame(0)));
    for _ in 0..3 {
        assert!(hear(&mut near).now_or_never().is_none());
    }
    faults.release();
    for number in 1..3 {
        assert_eq!(hear(&mut near).await, Some(frame(number)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_frame_comes_as_late_as_the_script_says() {
    let faults = LinkFaults::new();
    let length = Duration::from_secs(3);
    for direction in [Direction::Outgoing, Direction::Incoming] {
        faults.put(1, direction, 0, LinkFault::Delay(length));
    }
    let (mut near, mut far) = ends(&faults);
    let asked = tokio::time::Instant::now();
    say(&mut near, 1).await.unwrap();
    assert_eq!(hear(&mut far).await, Some(frame(1)));
    assert_eq!(asked.elapsed(), length);
    say(&mut far, 2).await.unwrap();
    assert_eq!(hear(&mut near).await, Some(frame(2)));
    assert_eq!(asked.elapsed(), 2 * length);
}

#[tokio::test]
async fn one_bit_of_one_frame_is_turned_over() {
    let faults = LinkFaults::new();
    faults.put(1, Direction::Outgoing, 1, LinkFault::Corrupt);
    let (mut near, mut far) = ends(&faults);
    for number in 0..3 {
        say(&mut near, number).await.unwrap();
    }
    assert_eq!(hear(&mut far).await, Some(frame(0)));
    let other = hear(&mut far).await.unwrap();
    let differing: u32 = other
        .iter()
        .zip(frame(1))
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!((other.len(), differing), (8, 1));
    assert_eq!(hear(&mut far).await, Some(frame(2)));
}

#[tokio::test]
async fn attempts_to_connect_are_refused_by_number_and_counted() {
    let (network, faults) = (InProcess::new(), LinkFaults::new());
    let _listener = network.listen("hub").unwrap();
    let transport = FaultyTransport::new(network, faults.clone());
    faults.refuse_dial(2);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(transport.dial("mem://hub").await.is_ok());
    }
    faults.refuse_dials(true);
    let refused = transport.dial("mem://hub").await.unwrap_err();
    assert!(matches!(refused, TransportError::Refused { .. }));
    faults.clear();
    outcomes.push(transport.dial("mem://hub").await.is_ok());
    assert_eq!(outcomes, [true, false, true, true]);
    assert_eq!((faults.dials(), faults.fired()), (5, 2));
    assert_eq!(faults.passed(), [Passed::default(); 3]);
    assert!(transport.serves("mem://x") && !transport.serves("ws://x"));
}
