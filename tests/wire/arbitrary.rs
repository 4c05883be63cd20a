//! Commits of every shape that is well formed, with far more coincidences than real ones have.

use anabranch::event::{
    AggregateId, ChainTag, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};
use proptest::prelude::*;
use proptest::sample::select;

/// What one event says of itself.
#[derive(Clone, Debug)]
struct Content {
    aggregate: String,
    event_type: String,
    heads: Vec<(ReplicaId, u64, u16)>,
    replaces: Option<u64>,
    metadata: Vec<(String, String)>,
    payload: Vec<u8>,
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    prop_oneof![
        4 => (0..4u64, 0..2u64).prop_map(|(device, incarnation)| ReplicaId::new(device, incarnation)),
        1 => any::<[u8; 16]>().prop_map(ReplicaId::from_bytes),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 1..40u64,
        2 => 100..100_000u64,
        1 => (u64::MAX - 9_000)..(u64::MAX - 8_000),
        1 => 1..u64::MAX / 2,
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let aggregate = prop_oneof![
        4 => select(vec!["note/1", "note/2", "note/12", "cart/ä", "cart/å"]).prop_map(String::from),
        2 => "(note|a long type of an aggregate)/[a-z0-9]{1,20}",
        1 => "[a-zäöü]{1,4}/[a-zäöü/]{0,3}[a-zäöü]{1,400}".prop_filter("whole segments", |name| !name.contains("//")),
    ];
    let event_type = prop_oneof![4 => Just(String::from("set")), 1 => "[a-z]{1,128}"];
    let head = || (replica(), number(), any::<u16>());
    let heads = prop_oneof![3 => prop::collection::vec(head(), 0..3), 1 => prop::collection::vec(head(), 0..40)];
    let metadata = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(("[a-z]{1,8}", ".{0,30}"), 0..5),
    ];
    let payload = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 9),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ];
    let replaces = prop::option::weighted(0.1, number());
    (aggregate, event_type, heads, replaces, metadata, payload).prop_map(
        |(aggregate, event_type, heads, replaces, metadata, payload)| Content {
            aggregate,
            event_type,
            heads,
            replaces,
            metadata,
            payload,
        },
    )
}

fn stamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (0..50u64, 0..3u64).prop_map(|(ms, logic)| Timestamp::from_bits((1_700_000_000_000 + ms) << 16 | logic)),
        1 => any::<u64>().prop_map(Timestamp::from_bits),
    ]
}

fn event(
    id: EventId,
    commit: CommitSpan,
    timestamp: Timestamp,
    written_ms: u64,
    content: Content,
) -> Event {
    let mut heads: Vec<Head> = Vec::new();
    for (replica, number, tag) in content.heads {
        let head = EventId::new(replica, Seq::new(number).unwrap());
        let is_before = replica != id.replica || head.seq < id.seq;
        if is_before && heads.iter().all(|known| known.id != head) {
            heads.push(Head {
                id: head,
                tag: ChainTag::from_bits(tag),
            });
        }
    }
    let mut metadata = Metadata::new();
    for (key, value) in &content.metadata {
        metadata.insert(key, value).unwrap();
    }
    let earlier = ReplicaId::new(id.replica.device(), id.replica.incarnation() ^ 1);
    let replaces = content
        .replaces
        .map(|number| EventId::new(earlier, Seq::new(number).unwrap()));
    Event::assemble(EventParts {
        id,
        commit,
        timestamp,
        written_ms,
        aggregate: AggregateId::new(&content.aggregate).unwrap(),
        event_type: EventType::new(&content.event_type).unwrap(),
        heads: Heads::new(heads).unwrap(),
        replaces,
        metadata,
        payload: Payload::from_bytes(content.payload.into()).unwrap(),
    })
    .unwrap()
}

pub(crate) fn commit() -> impl Strategy<Value = Commit> {
    let wall = prop_oneof![3 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let contents = prop_oneof![
        3 => prop::collection::vec(content(), 1),
        1 => prop::collection::vec(content(), 1..6),
    ];
    (replica(), number(), stamp(), wall, contents).prop_map(
        |(replica, first, stamp, wall, contents)| {
            let first = Seq::new(first).unwrap();
            let span = CommitSpan::new(first, contents.len()).unwrap();
            let events = (first.get()..).zip(contents).map(|(seq, content)| {
                let id = EventId::new(replica, Seq::new(seq).unwrap());
                event(id, span, stamp, wall.unwrap_or(stamp.millis()), content)
            });
            Commit::new(events.collect()).unwrap()
        },
    )
}

/// Any commits; in every second list those of one writer follow each other.
pub(crate) fn commits(max: usize) -> impl Strategy<Value = Vec<Commit>> {
    let any_order = prop::collection::vec(commit(), 0..max);
    (any_order, any::<bool>()).prop_map(|(commits, in_order)| {
        if in_order {
            following(commits)
        } else {
            commits
        }
    })
}

/// The same contents, each writer's seqs without holes and each event naming the last one of its
/// aggregate.
fn following(commits: Vec<Commit>) -> Vec<Commit> {
    let mut last: Vec<Event> = Vec::new();
    let mut written: Vec<Commit> = Vec::new();
    for commit in commits {
        let before = written
            .iter()
            .rev()
            .find(|c| c.replica() == commit.replica());
        let first = before.map_or(Seq::FIRST, |c| c.span().last().next().unwrap());
        let span = CommitSpan::new(first, commit.events().len()).unwrap();
        let mut events = Vec::new();
        for (seq, event) in (first.get()..).zip(commit.events()) {
            let mut parts = event.parts().clone();
            parts.id.seq = Seq::new(seq).unwrap();
            parts.commit = span;
            let of_aggregate = last
                .iter()
                .rev()
                .find(|e| *e.aggregate() == parts.aggregate);
            let tag = ChainTag::from_bits(seq as u16);
            let heads = of_aggregate.map(|e| Head { id: e.id(), tag });
            parts.heads = Heads::new(heads.into_iter().collect()).unwrap();
            let event = Event::assemble(parts).unwrap();
            last.push(event.clone());
            events.push(event);
        }
        written.push(Commit::new(events).unwrap());
    }
    written
}
