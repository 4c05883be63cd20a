//! The histories whose size is bounded: what each write costs in a block.

use std::collections::BTreeMap;

use anabranch::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};

/// Steps of a generator that is the same everywhere.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A text of 32 hexadecimal digits, half of which matter.
fn value(draws: &mut Draws) -> Payload {
    let text = format!("{:016x}{:016x}", draws.next(), draws.next());
    Payload::encode(&text).unwrap()
}

fn write(writer: u64, seq: u64, ms: u64, key: u64, heads: Heads, payload: Payload) -> Commit {
    let seq = Seq::new(seq).unwrap();
    let id = EventId::new(
        ReplicaId::new(writer.wrapping_mul(0x9e37_79b9_7f4a_7c15), 77),
        seq,
    );
    let event = Event::assemble(EventParts {
        id,
        commit: CommitSpan::new(seq, 1).unwrap(),
        timestamp: Timestamp::at_millis(ms),
        written_ms: ms,
        aggregate: AggregateId::new(&format!("key/{key}")).unwrap(),
        event_type: EventType::new("set").unwrap(),
        heads,
        replaces: None,
        metadata: Metadata::new(),
        payload,
    });
    Commit::new(vec![event.unwrap()]).unwrap()
}

/// What one replica wrote while apart: nobody had seen any of it.
pub(crate) fn concurrent(seed: u64, writes: u64, keys: u64) -> Vec<Commit> {
    let mut draws = Draws(seed);
    let mut ms = 1_790_000_000_000;
    let one = |seq| {
        ms += 1 + draws.next() % 8;
        let key = draws.next() % keys;
        write(seed, seq, ms, key, Heads::NONE, value(&mut draws))
    };
    (1..=writes).map(one).collect()
}

/// What so many replicas wrote in turn, each having seen everything before.
pub(crate) fn causal(replicas: u64, count: u64, keys: u64) -> Vec<Commit> {
    let mut draws = Draws(1);
    let mut last = BTreeMap::new();
    let mut chains: BTreeMap<u64, (u64, Chain)> = BTreeMap::new();
    let mut commits = Vec::new();
    for at in 0..count {
        let (writer, key) = (draws.next() % replicas, draws.next() % keys);
        let (seq, chain) = chains.entry(writer).or_insert((0, Chain::START));
        *seq += 1;
        let heads = Heads::new(last.get(&key).copied().into_iter().collect()).unwrap();
        let ms = 1_790_000_000_000 + at * 3;
        let commit = write(writer + 1, *seq, ms, key, heads, value(&mut draws));
        *chain = commit.chain_after(*chain);
        last.insert(
            key,
            Head {
                id: commit.id(),
                tag: chain.tag(),
            },
        );
        commits.push(commit);
    }
    commits
}
