//! One event per message to a receiver that is watched, and two replicas that meet again.

use anabranch::engine::{Filter, Input, LinkId, WatchId};
use anabranch::event::{AggregateId, Draft};
use anabranch::limits::BATCH_EVENTS_MAX;
use anabranch::log::Durability;
use anabranch::protocol::{CloseCode, Role};
use anabranch::resolver::Registry;
use bytes::Bytes;

use super::Rule;
use super::author::Author;
use super::bulk::{LINK, RECEIVER, SENDER, exchange};
use super::node::{Node, opened};
use crate::Done;
use crate::inputs::{Batch, Write};
use crate::peers::{Pair, Reconnect};

const WATCH: WatchId = WatchId(1);

/// Messages of one event each.
pub(crate) struct Live {
    rule: Rule,
    /// What opens the connection.
    greeting: Vec<Bytes>,
    messages: Vec<Bytes>,
    aggregates: Vec<AggregateId>,
}

impl Live {
    pub(crate) fn record(rule: Rule, writes: &[Write], causal: bool) -> Done<Self> {
        let mut author = Author::new(rule, causal)?;
        let mut sender = Node::whole(SENDER, Registry::new())?;
        let mut receiver = watched(rule)?;
        sender.give(opened(LINK, Role::Dialer, BATCH_EVENTS_MAX));
        let mut greeting = Vec::new();
        exchange(&mut sender, &mut receiver, |frame| {
            greeting.push(frame.clone());
        });
        let mut messages = Vec::with_capacity(writes.len());
        for write in writes {
            sender.ingest(vec![author.commit(write)?]);
            exchange(&mut sender, &mut receiver, |frame| {
                messages.push(frame.clone());
            });
            receiver.take_changes(WATCH);
        }
        if messages.len() != writes.len() || receiver.events() != writes.len() as u64 {
            let count = messages.len();
            return Err(format!("{count} messages for {} events", writes.len()).into());
        }
        let mut numbers: Vec<usize> = writes.iter().map(|write| rule.number(write.key)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let aggregates = numbers.into_iter().map(|number| Rule::aggregate(number));
        Ok(Self {
            rule,
            greeting,
            messages,
            aggregates: aggregates.collect::<Done<_>>()?,
        })
    }

    /// A receiver that has been greeted and is watched.
    pub(crate) fn receiver(&self) -> Done<Receiver> {
        let mut node = watched(self.rule)?;
        for frame in &self.greeting {
            node.frame(LINK, frame.clone());
        }
        node.out.clear();
        Ok(Receiver { node })
    }

    pub(crate) fn messages(&self) -> &[Bytes] {
        &self.messages
    }

    /// Mean bytes of a message.
    pub(crate) fn bytes(&self) -> f64 {
        let bytes: usize = self.messages.iter().map(Bytes::len).sum();
        bytes as f64 / self.messages.len().max(1) as f64
    }

    /// Stands for all states of a receiver.
    pub(crate) fn state(&self, receiver: &mut Receiver) -> Done<u64> {
        let mut sum = 0_u64;
        for aggregate in &self.aggregates {
            let digest = receiver.node.digest(aggregate).ok_or("no digest")?;
            sum = sum.wrapping_add(xxhash_rust::xxh3::xxh3_64(&digest));
        }
        Ok(sum)
    }
}

/// A receiver whose every change is told, which means that it is folded.
fn watched(rule: Rule) -> Done<Node> {
    let mut node = Node::receiver(RECEIVER, rule.registry())?;
    node.give(opened(LINK, Role::Listener, BATCH_EVENTS_MAX));
    let (watch, filter) = (WATCH, Filter::all());
    node.give(Input::Watch { watch, filter });
    Ok(node)
}

/// A receiver of messages.
pub(crate) struct Receiver {
    node: Node,
}

impl Receiver {
    /// Takes a message; what it changes can be read afterwards.
    pub(crate) fn take(&mut self, message: &Bytes) {
        self.node.frame(LINK, message.clone());
        self.node.out.clear();
        self.node.take_changes(WATCH);
    }
}

/// Two replicas with everything in common that are apart for a while.
pub(crate) struct Meeting {
    rule: Rule,
    first: Node,
    second: Node,
    link: LinkId,
}

impl Meeting {
    pub(crate) fn new(rule: Rule, shared: &[Batch]) -> Done<Self> {
        let mut author = Author::new(rule, false)?;
        let mut first = Node::whole(SENDER, rule.registry())?;
        for batch in shared {
            let commits = batch.writes.iter().map(|write| author.commit(write));
            first.ingest(commits.collect::<Done<_>>()?);
        }
        let second = Node::whole(RECEIVER, rule.registry())?;
        let link = LINK;
        let mut meeting = Self {
            rule,
            first,
            second,
            link,
        };
        meeting.connect();
        meeting.part();
        Ok(meeting)
    }

    fn connect(&mut self) -> usize {
        let (link, events) = (self.link, BATCH_EVENTS_MAX);
        self.second.give(opened(link, Role::Listener, events));
        self.first.give(opened(link, Role::Dialer, events));
        exchange(&mut self.first, &mut self.second, |_| {})
    }

    fn part(&mut self) {
        for node in [&mut self.first, &mut self.second] {
            node.give(Input::LinkClosed {
                link: self.link,
                code: Some(CloseCode::DONE),
                reason: String::new(),
            });
        }
        self.link = LinkId(self.link.0 + 1);
    }
}

impl Pair for Meeting {
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()> {
        for (node, writes) in [(&mut self.first, here), (&mut self.second, there)] {
            for write in writes {
                let aggregate = Rule::aggregate(self.rule.number(write.key))?;
                let ticket = node.ticket();
                node.give(Input::Record {
                    ticket,
                    drafts: vec![Draft::raw(aggregate, "set", self.rule.payload(write)?)?],
                    bases: Vec::new(),
                    durability: Durability::Durable,
                });
            }
        }
        Ok(())
    }

    fn reconnect(&mut self) -> Done<Reconnect> {
        let (bytes, time) = crate::measure::cpu(|| self.connect());
        self.part();
        if self.first.events() != self.second.events() {
            return Err("one of the two lacks something".into());
        }
        Ok(Reconnect { time, bytes })
    }
}
