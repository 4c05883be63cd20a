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
    let again = draws.below(20);
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
        if number == again {
            let last = commits[commits.len() - 1].clone();
            commits.extend(write_again(&last, draws));
        }
        if draws.chance(30) {
            let other = strangers[who].heads.clone();
            strangers[1 - who].heads.extend(other);
        }
    }
    commits
}

/// The same line of work twice over: two later incarnations of a writer, neither of which knew of the
/// other, write one of its commits again.
fn write_again(commit: &Commit, draws: &mut Draws) -> Vec<Commit> {
    let again = [2, 3].map(|incarnation| {
        let mut again = Stranger::new(commit.replica().device());
        again.replica = ReplicaId::new(commit.replica().device(), incarnation);
        let later = commit.timestamp().millis() + draws.between(1, 500);
        let stamp = commit.timestamp().max(Timestamp::at_millis(later));
        again.rewrite(commit, stamp)
    });
    again.into()
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

    /// The same events under this name, each in the place of the one that it repeats.
    fn rewrite(&mut self, commit: &Commit, timestamp: Timestamp) -> Commit {
        let span = CommitSpan::new(Seq::FIRST, commit.events().len()).unwrap();
        let mut renamed: BTreeMap<EventId, Head> = BTreeMap::new();
        let mut events = Vec::new();
        for event in commit.events() {
            self.last += 1;
            let id = EventId::new(self.replica, Seq::new(self.last).unwrap());
            let heads = event.heads().iter();
            let heads = heads.map(|head| renamed.get(&head.id).copied().unwrap_or(*head));
            let new = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                heads: Heads::new(heads.collect()).unwrap(),
                replaces: Some(event.id()),
                ..event.parts().clone()
            });
            let new = new.unwrap();
            self.chain = self.chain.extend(new.digest());
            renamed.insert(
                event.id(),
                Head {
                    id,
                    tag: self.chain.tag(),
                },
            );
            events.push(new);
        }
        Commit::new(events).unwrap()
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
