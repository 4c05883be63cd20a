//! Writers that are nowhere on this network: their commits come by `ingest`, out of order.

use std::collections::BTreeMap;

use crate::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};
use crate::testing::sim::cast::Cast;
use crate::testing::sim::draws::Draws;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::plan::Plan;
use crate::testing::sim::users::rules;

const A_DAY: u64 = 86_400_000;

/// Commits of two writers who know of each other now and then.
pub(crate) fn commits(cast: &Cast, plan: &Plan, start_ms: u64, draws: &mut Draws) -> Vec<Commit> {
    let mut strangers = [Stranger::new(900), Stranger::new(901)];
    let mut commits = Vec::new();
    // A writer whose clock is far ahead spoils only the aggregates that it writes.
    let ahead = if plan.rate(Fault::WildStamp) > 0 {
        30 * A_DAY
    } else {
        0
    };
    let has_ghosts = plan.rate(Fault::UnknownType) > 0;
    let has_garbage = plan.rate(Fault::Garbage) > 0;
    for number in 0..draws.between(3, 10) {
        let who = draws.below(2) as usize;
        let clock = Timestamp::at_millis(start_ms + number * 40 + if who == 1 { ahead } else { 0 });
        let lines = (0..draws.between(1, 3)).map(|_| {
            let name = if has_ghosts && draws.chance(20) {
                rules::aggregate("ghost/1")
            } else {
                cast.any(draws).clone()
            };
            let payload = if has_garbage && draws.chance(20) {
                rules::garbage(draws)
            } else {
                cast.payload(&name, draws)
            };
            (name, payload)
        });
        let lines: Vec<(AggregateId, Payload)> = lines.collect();
        commits.push(strangers[who].write(lines, clock));
        if draws.chance(30) {
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

    fn write(&mut self, lines: Vec<(AggregateId, Payload)>, clock: Timestamp) -> Commit {
        let span = CommitSpan::new(Seq::new(self.last + 1).unwrap(), lines.len()).unwrap();
        let known = |(name, _): &(AggregateId, Payload)| Some(self.heads.get(name)?.1);
        let floor = lines.iter().filter_map(known).max();
        let timestamp = floor.map_or(clock, |floor| clock.max(floor.next().unwrap()));
        let mut events = Vec::new();
        for (aggregate, payload) in lines {
            self.last += 1;
            let id = EventId::new(self.replica, Seq::new(self.last).unwrap());
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
                payload,
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
