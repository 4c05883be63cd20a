//! The authors' replicas while they write: their clocks, their chains, and what each event had seen.

use std::collections::BTreeMap;
use std::error::Error;

use anabranch::clock::HybridClock;
use anabranch::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};

use crate::data::{Line, Numbers};
use crate::words::author;

/// What the authors' replicas know while they write, line by line.
#[derive(Default)]
pub(crate) struct Authors {
    lanes: BTreeMap<ReplicaId, Lane>,
    /// Of each record, who wrote it, in the order of lines.
    records: BTreeMap<AggregateId, Vec<Wrote>>,
}

struct Lane {
    clock: HybridClock,
    next: Seq,
    chain: Chain,
}

#[derive(Clone, Copy)]
struct Wrote {
    line: usize,
    head: Head,
    timestamp: Timestamp,
}

/// How a commit gets its timestamp.
#[derive(Clone, Copy)]
pub(crate) enum Stamp {
    /// From its lane's clock, when the author's own shows so many milliseconds since 1970.
    Clock(u64),
    /// It is that of another commit.
    Like(Timestamp, u64),
}

impl Authors {
    /// What the last one of some lines writes: the payloads of each record, in their order. Nothing
    /// if there are none.
    pub(crate) fn commit(
        &mut self,
        lines: &[Line],
        replica: ReplicaId,
        stamp: Stamp,
        payloads: &BTreeMap<AggregateId, Vec<Payload>>,
    ) -> Result<Option<Commit>, Box<dyn Error>> {
        let count = payloads.values().map(Vec::len).sum();
        if count == 0 {
            return Ok(None);
        }
        let seen = payloads.keys().map(|record| self.heads(record, lines));
        let seen: Vec<Vec<Wrote>> = seen.collect();
        let lane = self.lanes.entry(replica).or_insert_with(|| Lane {
            clock: HybridClock::new(),
            next: Seq::FIRST,
            chain: Chain::START,
        });
        let (timestamp, written_ms) = match stamp {
            Stamp::Clock(now_ms) => {
                let floor = seen.iter().flatten().map(|wrote| wrote.timestamp).max();
                (lane.clock.tick(now_ms, floor)?, now_ms)
            }
            Stamp::Like(timestamp, written_ms) => (timestamp, written_ms),
        };
        let span = CommitSpan::new(lane.next, count)?;
        let mut metadata = Metadata::new();
        metadata.insert("by", &author(replica))?;
        let mut events = Vec::new();
        for ((record, payloads), seen) in payloads.iter().zip(seen) {
            let mut heads: Vec<Head> = seen.iter().map(|wrote| wrote.head).collect();
            for payload in payloads {
                let id = EventId::new(replica, lane.next);
                let event = Event::assemble(EventParts {
                    id,
                    commit: span,
                    timestamp,
                    written_ms,
                    aggregate: record.clone(),
                    event_type: EventType::new("edited")?,
                    heads: Heads::new(heads)?,
                    replaces: None,
                    metadata: metadata.clone(),
                    payload: payload.clone(),
                })?;
                lane.chain = lane.chain.extend(event.digest());
                lane.next = lane.next.next().ok_or("a lane is out of seqs")?;
                let head = Head {
                    id,
                    tag: lane.chain.tag(),
                };
                heads = vec![head];
                events.push(event);
            }
            let wrote = |head: &Head| Wrote {
                line: lines.len().saturating_sub(1),
                head: *head,
                timestamp,
            };
            let record = self.records.entry(record.clone()).or_default();
            record.extend(heads.first().map(wrote));
        }
        Ok(Some(Commit::new(events)?))
    }

    /// The maximal ones of the record's events in the past of the last line.
    fn heads(&self, record: &AggregateId, lines: &[Line]) -> Vec<Wrote> {
        let past = |line: usize| lines.get(line).map(|line| &line.past);
        let includes = |past: Option<&Numbers>, line| past.is_some_and(|past| past.contains(line));
        let own = lines.last().map(|line| &line.past);
        let mut heads: Vec<Wrote> = Vec::new();
        let writers = self.records.get(record).into_iter().flatten().rev();
        for wrote in writers.filter(|wrote| includes(own, wrote.line)) {
            let is_seen = |later: &Wrote| includes(past(later.line), wrote.line);
            if !heads.iter().any(is_seen) {
                heads.push(*wrote);
            }
        }
        heads
    }
}
