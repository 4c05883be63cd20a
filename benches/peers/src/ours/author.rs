//! Writers: events as their replicas would have written them.

use std::collections::HashMap;

use anabranch::event::{
    Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads, Metadata,
    ReplicaId, Seq, Timestamp,
};

use super::Rule;
use crate::Done;
use crate::inputs::{Random, Write};

/// When the first write happens, in milliseconds since 1970.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// Writers and what they have seen.
pub(crate) struct Author {
    rule: Rule,
    /// Each write has seen all earlier ones of its aggregate; otherwise its writer's own alone.
    causal: bool,
    lanes: Vec<Lane>,
    heads: HashMap<(usize, usize), (Head, Timestamp)>,
    event_type: EventType,
}

struct Lane {
    replica: ReplicaId,
    next: Seq,
    chain: Chain,
    last: Timestamp,
}

impl Author {
    pub(crate) fn new(rule: Rule, causal: bool) -> Done<Self> {
        Ok(Self {
            rule,
            causal,
            lanes: Vec::new(),
            heads: HashMap::new(),
            event_type: EventType::new("set")?,
        })
    }

    /// The commit of one write.
    pub(crate) fn commit(&mut self, write: &Write) -> Done<Commit> {
        while self.lanes.len() <= write.replica {
            let mut random = Random::new(77 + self.lanes.len() as u64);
            self.lanes.push(Lane {
                replica: ReplicaId::new(random.next(), random.next()),
                next: Seq::FIRST,
                chain: Chain::START,
                last: Timestamp::ZERO,
            });
        }
        let number = self.rule.number(write.key);
        let lane = &mut self.lanes[write.replica];
        let seen = (if self.causal { 0 } else { write.replica }, number);
        let known = self.heads.get(&seen).copied();
        let ms = START_MS + write.at as u64 / 8;
        let floor = known.map_or(lane.last, |(_, stamp)| stamp.max(lane.last));
        let floor = floor.next().ok_or("stamps are at their end")?;
        let timestamp = Timestamp::at_millis(ms).max(floor);
        let id = EventId::new(lane.replica, lane.next);
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(lane.next, 1)?,
            timestamp,
            written_ms: ms,
            aggregate: Rule::aggregate(number)?,
            event_type: self.event_type.clone(),
            heads: Heads::new(known.iter().map(|(head, _)| *head).collect())?,
            replaces: None,
            metadata: Metadata::new(),
            payload: self.rule.payload(write)?,
        })?;
        lane.chain = lane.chain.extend(event.digest());
        lane.next = lane.next.next().ok_or("a writer is out of seqs")?;
        lane.last = timestamp;
        let tag = lane.chain.tag();
        self.heads.insert(seen, (Head { id, tag }, timestamp));
        Ok(Commit::new(vec![event])?)
    }
}
