//! Writers that are nowhere on this network: their commits come by `ingest`, out of order.

use std::collections::BTreeMap;

use crate::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, ReplicaId, Seq, Timestamp,
};

use crate::testing::sim::random::Random;
use crate::testing::sim::users::rules::{self, AGGREGATES};

const A_DAY: u64 = 86_400_000;

/// Commits of two writers who know of each other now and then.
pub(crate) fn commits(start_ms: u64, random: &mut Random) -> Vec<Commit> {
    let mut strangers = [Stranger::new(900), Stranger::new(901)];
    let mut commits = Vec::new();
    // A writer whose clock is far ahead spoils only the aggregates that it writes.
    let ahead = if random.chance(30) { 30 * A_DAY } else { 0 };
    for number in 0..random.between(3, 10) {
        let who = random.below(2) as usize;
        let clock = Timestamp::at_millis(start_ms + number * 40 + if who == 1 { ahead } else { 0 });
        let lines = random.between(1, 3);
        let names: Vec<&str> = (0..lines).map(|_| *random.pick(&AGGREGATES)).collect();
        commits.push(strangers[who].write(&names, clock, random));
        if random.chance(30) {
            let other = strangers[who].heads.clone();
            strangers[1 - who].heads.extend(other);
        }
    }
    commits
}

struct Stranger {
    replica: ReplicaId,
    last: u64,
    chain: Chain,
    /// Of each aggregate the event it would name, with its stamp.
    heads: BTreeMap<AggregateId, (Head, Timestamp)>,
}

impl Stranger {
    fn new(device: u64) -> Self {
        Self {
            replica: ReplicaId::new(device, 1),
            last: 0,
            chain: Chain::START,
            heads: BTreeMap::new(),
        }
    }

    fn write(&mut self, names: &[&str], clock: Timestamp, random: &mut Random) -> Commit {
        let span = CommitSpan::new(Seq::new(self.last + 1).unwrap(), names.len()).unwrap();
        let known = |name: &&str| self.heads.get(&rules::aggregate(name));
        let floor = names.iter().filter_map(|name| Some(known(name)?.1)).max();
        let timestamp = floor.map_or(clock, |floor| clock.max(floor.next().unwrap()));
        let mut events = Vec::new();
        for name in names {
            self.last += 1;
            let id = EventId::new(self.replica, Seq::new(self.last).unwrap());
            let aggregate = rules::aggregate(name);
            let head = self.heads.get(&aggregate).map(|(head, _)| *head);
            let event = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: clock.millis(),
                aggregate: aggregate.clone(),
                event_type: EventType::new("written").unwrap(),
                heads: Heads::new(head.into_iter().collect()).unwrap(),
                replaces: None,
                metadata: Metadata::new(),
                payload: rules::payload(name, random),
            })
            .unwrap();
            self.chain = self.chain.extend(event.digest());
            let tag = self.chain.tag();
            self.heads.insert(aggregate, (Head { id, tag }, timestamp));
            events.push(event);
        }
        Commit::new(events).unwrap()
    }
}
