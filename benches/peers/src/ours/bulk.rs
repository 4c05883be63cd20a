//! Batches to a receiver: frames that were recorded, given to one that has nothing yet.

use anabranch::engine::LinkId;
use anabranch::event::{AggregateId, BlockNames, Commit};
use anabranch::limits::COMMIT_EVENTS_MAX;
use anabranch::merge::Aggregates;
use anabranch::protocol::{Message, Role, decode_frame_with, frame_kind};
use anabranch::resolver::Registry;
use bytes::Bytes;

use super::Rule;
use super::author::Author;
use super::node::{Node, opened};
use crate::Done;
use crate::inputs::Batch;

/// The one connection of a receiver.
pub(super) const LINK: LinkId = LinkId(1);

/// Who sends, and who receives.
pub(super) const SENDER: u64 = 1_001;
pub(super) const RECEIVER: u64 = 1_002;

/// What a receiver is sent.
pub(crate) struct Bulk {
    rule: Rule,
    batch_events: usize,
    frames: Vec<Bytes>,
    aggregates: Vec<AggregateId>,
    pub(crate) events: usize,
}

impl Bulk {
    /// Records what a peer sends that got these batches in this order. Its batches have so many
    /// events, or as many as the protocol allows.
    pub(crate) fn record(
        rule: Rule,
        batches: &[Batch],
        order: &[usize],
        per_batch: Option<usize>,
    ) -> Done<Self> {
        let commits = commits(rule, batches)?;
        let mut sender = Node::whole(SENDER, Registry::new())?;
        for at in order {
            sender.ingest(commits[*at].clone());
        }
        let batch_events = per_batch.unwrap_or(COMMIT_EVENTS_MAX);
        let mut receiver = Node::receiver(RECEIVER, rule.registry())?;
        let frames = converse(&mut sender, &mut receiver, batch_events);
        let events = commits.iter().map(Vec::len).sum();
        if receiver.events() != events as u64 {
            let came = receiver.events();
            return Err(format!("the receiver has {came} of {events} events").into());
        }
        Ok(Self {
            rule,
            batch_events,
            frames,
            aggregates: aggregates(rule, batches)?,
            events,
        })
    }

    /// A receiver takes everything and folds everything.
    pub(crate) fn receive(&self) -> Done<Received> {
        let mut node = Node::receiver(RECEIVER, self.rule.registry())?;
        node.give(opened(LINK, Role::Listener, self.batch_events));
        for frame in &self.frames {
            node.frame(LINK, frame.clone());
            node.out.clear();
        }
        for aggregate in &self.aggregates {
            if !node.read(aggregate) {
                return Err(format!("{aggregate} has no state").into());
            }
        }
        Ok(Received { node })
    }

    /// Stands for all states of one that has received everything.
    pub(crate) fn state(&self, received: &mut Received) -> Done<u64> {
        let mut sum = 0_u64;
        for aggregate in &self.aggregates {
            let digest = received.node.digest(aggregate).ok_or("no digest")?;
            sum = sum.wrapping_add(mixed(aggregate, digest));
        }
        Ok(sum)
    }

    /// Bytes of the frames that carry events.
    pub(crate) fn bytes(&self) -> usize {
        self.batches().map(Bytes::len).sum()
    }

    /// Frames that carry events.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Bytes> {
        let is_batch = |frame: &&Bytes| frame_kind(frame) == Some("batch");
        self.frames.iter().filter(is_batch)
    }

    pub(crate) fn frames(&self) -> &[Bytes] {
        &self.frames
    }
}

/// Bytes of all frames to a receiver, where both ends compress.
pub(crate) fn compressed(rule: Rule, batches: &[Batch]) -> Done<usize> {
    let mut sender = Node::whole(SENDER, Registry::new())?.compressing();
    for commits in commits(rule, batches)? {
        sender.ingest(commits);
    }
    let mut receiver = Node::receiver(RECEIVER, rule.registry())?.compressing();
    let frames = converse(&mut sender, &mut receiver, COMMIT_EVENTS_MAX);
    Ok(frames.iter().map(Bytes::len).sum())
}

/// A receiver with everything.
pub(crate) struct Received {
    node: Node,
}

/// A receiver that is given recorded frames one by one, by somebody who has nothing else of them.
pub(crate) struct Replay {
    node: Node,
}

impl Replay {
    pub(crate) fn new() -> Done<Self> {
        let mut node = Node::receiver(RECEIVER, Rule::LastWriteWins.registry())?;
        node.give(opened(LINK, Role::Listener, COMMIT_EVENTS_MAX));
        Ok(Self { node })
    }

    pub(crate) fn frame(&mut self, frame: Vec<u8>) {
        self.node.frame(LINK, frame.into());
        self.node.out.clear();
    }

    /// Folds so many keys; how many of them have a state.
    pub(crate) fn fold(&mut self, keys: usize) -> Done<usize> {
        let mut folded = 0;
        for key in 0..keys {
            let aggregate = Rule::aggregate(Rule::LastWriteWins.number(key))?;
            folded += usize::from(self.node.read(&aggregate));
        }
        Ok(folded)
    }
}

/// The merge alone: decoded batches, without session, engine and store. Gives what stands for all
/// states.
pub(crate) fn core(bulk: &Bulk, frames: &[Bytes]) -> Done<Aggregates> {
    let mut aggregates = Aggregates::new(bulk.rule.registry());
    let mut names = BlockNames::new();
    for frame in frames {
        let Message::Batch(batch) = decode_frame_with(frame, &mut names, None)? else {
            continue;
        };
        for delivered in &batch.commits {
            aggregates.receive(&delivered.commit);
        }
    }
    aggregates.fold_all();
    Ok(aggregates)
}

/// The merge of commits that are decoded already, under field merge.
pub(crate) fn merge(commits: &[&Commit]) -> Aggregates {
    let mut aggregates = Aggregates::new(Rule::Fields.registry());
    for commit in commits {
        aggregates.receive(commit);
    }
    aggregates.fold_all();
    aggregates
}

impl Bulk {
    /// What [`state`](Self::state) would be of these.
    pub(crate) fn state_of(&self, aggregates: &mut Aggregates) -> Done<u64> {
        let mut sum = 0_u64;
        for aggregate in &self.aggregates {
            let digest = aggregates.digest(aggregate)?;
            sum = sum.wrapping_add(mixed(aggregate, digest.to_bytes()));
        }
        Ok(sum)
    }
}

pub(super) fn mixed(aggregate: &AggregateId, digest: [u8; 16]) -> u64 {
    let name = xxhash_rust::xxh3::xxh3_64(aggregate.as_str().as_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(&digest, name)
}

/// The commits of each batch.
fn commits(rule: Rule, batches: &[Batch]) -> Done<Vec<Vec<Commit>>> {
    let mut author = Author::new(rule, false)?;
    let mut of = |batch: &Batch| {
        batch
            .writes
            .iter()
            .map(|write| author.commit(write))
            .collect()
    };
    batches.iter().map(&mut of).collect()
}

fn aggregates(rule: Rule, batches: &[Batch]) -> Done<Vec<AggregateId>> {
    let writes = batches.iter().flat_map(|batch| &batch.writes);
    let mut numbers: Vec<usize> = writes.map(|write| rule.number(write.key)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
        .into_iter()
        .map(|number| Rule::aggregate(number))
        .collect()
}

/// Connects two nodes and lets them talk until both are silent; what the receiver was sent.
pub(super) fn converse(sender: &mut Node, receiver: &mut Node, batch_events: usize) -> Vec<Bytes> {
    receiver.give(opened(LINK, Role::Listener, batch_events));
    sender.give(opened(LINK, Role::Dialer, batch_events));
    let mut frames = Vec::new();
    exchange(sender, receiver, |frame| frames.push(frame.clone()));
    frames
}

/// Carries frames until neither end has more to say; bytes both ways.
pub(super) fn exchange(
    sender: &mut Node,
    receiver: &mut Node,
    mut sent: impl FnMut(&Bytes),
) -> usize {
    let mut bytes = 0;
    loop {
        if let Some((link, frame)) = sender.out.pop_front() {
            bytes += frame.len();
            sent(&frame);
            receiver.frame(link, frame);
        } else if let Some((link, frame)) = receiver.out.pop_front() {
            bytes += frame.len();
            sender.frame(link, frame);
        } else {
            return bytes;
        }
    }
}
