//! Live batches tell replicas and event types by numbers that the peer was told of.

use std::sync::Arc;

use anabranch::event::{BlockNames, Chain, ReplicaId};
use anabranch::log::{Entry, EntryKind, Epoch};
use anabranch::protocol::{
    Batch, Input, Message, Output, Prepared, decode_frame, decode_frame_with,
};
use bytes::Bytes;

use crate::driven::{Driven, NOW, refuse};
use crate::node::commit;
use crate::pair::BOTH;

/// A log of which every entry is sent as soon as it is written.
struct Written {
    names: BlockNames,
    entries: Vec<Entry>,
}

impl Written {
    fn new() -> Self {
        let (names, entries) = (BlockNames::new(), Vec::new());
        Self { names, entries }
    }

    /// The next event of a writer.
    fn next(&mut self, writer: u64) -> Arc<Prepared> {
        let writer = ReplicaId::new(writer, 1);
        let before: Vec<_> = self.entries.iter().map(|entry| &entry.commit).collect();
        let before: Vec<_> = before
            .into_iter()
            .filter(|c| c.replica() == writer)
            .collect();
        let chain = before
            .iter()
            .fold(Chain::START, |chain, c| c.chain_after(chain));
        let entry = Entry {
            commit: commit(writer, before.len() as u64 + 1, 1, 10),
            kind: EntryKind::Ready,
            from: None,
            chain_before: Some(chain),
        };
        self.entries.push(entry.clone());
        let next = self.entries.len() as u64;
        let epoch = Epoch::from_bits(1001);
        let entries = vec![(next - 1, entry)];
        Arc::new(Prepared::named(
            epoch,
            next - 1,
            next,
            entries,
            &mut self.names,
        ))
    }
}

fn sent(driven: &mut Driven, input: Input) -> Vec<Bytes> {
    driven.session.handle(NOW, input);
    let mut frames = Vec::new();
    while let Some(output) = driven.session.poll_output() {
        if let Output::Send(frame) = output {
            frames.push(frame);
        }
    }
    frames
}

fn sends(driven: &mut Driven, prepared: &Arc<Prepared>) -> Bytes {
    let mut frames = sent(driven, Input::Appended(Arc::clone(prepared)));
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

fn read(frame: &Bytes, names: &mut BlockNames) -> Batch {
    match decode_frame_with(frame, names, None).unwrap() {
        Message::Batch(batch) => batch,
        other => panic!("{}", other.kind()),
    }
}

#[test]
fn a_writer_is_told_once_and_by_a_number_from_then_on() {
    let mut written = Written::new();
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    let mut names = BlockNames::new();
    let (mut lengths, mut lone) = (Vec::new(), Vec::new());
    for writer in [5, 5, 6, 5, 6] {
        let frame = sends(&mut driven, &written.next(writer));
        let batch = read(&frame, &mut names);
        let entry = written.entries.last().unwrap();
        assert_eq!(batch.commits[0].commit, entry.commit);
        assert_eq!(batch.position, Some(written.entries.len() as u64));
        let told = batch.commits[0].continues.is_some();
        lone.push((told, decode_frame(&frame).is_ok()));
        lengths.push(frame.len());
    }
    let (first, new, known) = ((true, true), (true, false), (false, false));
    assert_eq!(
        lone,
        [first, known, new, known, known],
        "told with the chain, read alone"
    );
    assert!(lengths[1] + 20 < lengths[0] && lengths[3] + 20 < lengths[2]);
    assert_eq!((lengths[3], lengths[4]), (lengths[1], lengths[1]));
    let event = &written.entries[0].commit.events()[0];
    let content = event.payload().len() + event.aggregate().as_str().len();
    assert!(
        lengths[1] <= content + 22,
        "{} around {content}",
        lengths[1]
    );
}

#[test]
fn each_peer_is_told_what_it_does_not_know() {
    let mut written = Written::new();
    let mut early = Driven::open(BOTH, BOTH, true, 0);
    let first = written.next(5);
    sends(&mut early, &first);
    let mut late = Driven::open(BOTH, BOTH, true, 0);
    let mut names = BlockNames::new();
    read(&sends(&mut late, &first), &mut names);
    let second = written.next(5);
    let frame = sends(&mut late, &second);
    assert_eq!(sends(&mut early, &second), frame, "the same bytes for both");
    read(&frame, &mut names);
}

#[test]
fn what_is_sent_again_tells_everything_again() {
    let mut written = Written::new();
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    sends(&mut driven, &written.next(5));
    driven.feed(&refuse());
    sent(&mut driven, Input::Again);
    let entries = written
        .entries
        .iter()
        .cloned()
        .zip(0..)
        .map(|(e, at)| (at, e))
        .collect();
    let next = written.entries.len() as u64;
    sent(
        &mut driven,
        Input::Entries {
            entries,
            next,
            end: next,
        },
    );
    let frame = sends(&mut driven, &written.next(5));
    assert!(decode_frame(&frame).is_ok());
}

#[test]
fn a_number_that_nothing_was_told_of_is_refused() {
    let mut written = Written::new();
    let mut driven = Driven::open(BOTH, BOTH, true, 0);
    sends(&mut driven, &written.next(5));
    let frame = sends(&mut driven, &written.next(5));
    let error = decode_frame(&frame).unwrap_err().to_string();
    assert_eq!(error, "batch message: unknown number of a replica: 0");
}
