//! What is merged: commits of one event by several writers, made the same in every run.

use anabranch::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, OrderKey, Payload, PayloadError, ReplicaId, Seq, Timestamp, decode_commit,
    encode_block, encode_commit,
};
use anabranch::limits::BLOCK_EVENTS_MAX;
use anabranch::resolver::{
    AddWinsSet, Claims, Context, Counter, FieldEdit, FieldMerge, Footprint, Key, LastWriteWins,
    Registry, Resolver, ResolverId, SetEdit,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Fields of one aggregate where keys are fields.
const FIELDS: u64 = 100;

/// What is written under which rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// 32 bytes under a last-write-wins that commutes.
    Claimed,
    /// 32 bytes under the built-in one, which claims nothing.
    Replayed,
    /// 32 bytes in a field, an aggregate for each hundred keys.
    Fields,
    /// Steps of one.
    Steps,
    /// One element added.
    Elements,
}

/// How a workload is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    pub(crate) writers: u64,
    pub(crate) keys: u64,
    /// Every writer has seen what was written before; otherwise nobody has seen anybody's.
    pub(crate) causal: bool,
}

pub(crate) const PLANS: [Plan; 9] = [
    plan("W1 claimed", Rule::Claimed, 16, 10_000, false),
    plan("W1a replayed", Rule::Replayed, 16, 10_000, false),
    plan("W1a fields", Rule::Fields, 16, 10_000, false),
    plan("W1b hot", Rule::Claimed, 16, 100, false),
    plan("W1b hot, 100 writers", Rule::Claimed, 100, 100, false),
    plan("W13 counters", Rule::Steps, 16, 10_000, false),
    plan("W13 sets", Rule::Elements, 16, 10_000, false),
    plan("W3 live", Rule::Replayed, 16, 10_000, true),
    plan("W3 apart", Rule::Replayed, 16, 10_000, false),
];

impl Plan {
    /// Whether it is about what comes one by one.
    pub(crate) fn is_live(&self) -> bool {
        self.name.starts_with("W3")
    }
}

const fn plan(name: &'static str, rule: Rule, writers: u64, keys: u64, causal: bool) -> Plan {
    Plan {
        name,
        rule,
        writers,
        keys,
        causal,
    }
}

/// Encoded commits, in the order in which they were written; each of one event.
pub(crate) struct Workload {
    pub(crate) registry: Registry,
    pub(crate) commits: Vec<(u64, Vec<u8>)>,
    writers: u64,
}

impl Workload {
    pub(crate) fn new(plan: Plan, events: u64) -> Self {
        let mut desk = Desk::new(plan);
        let commits = (0..events).map(|_| desk.write()).collect();
        Self {
            registry: registry(plan.rule),
            commits,
            writers: plan.writers,
        }
    }

    /// One batch for each writer.
    pub(crate) fn by_writer(&self) -> Vec<Vec<&[u8]>> {
        let mut batches = vec![Vec::new(); usize::try_from(self.writers).unwrap()];
        for (writer, commit) in &self.commits {
            batches[usize::try_from(*writer).unwrap()].push(commit.as_slice());
        }
        batches
    }

    /// Batches of so many, of each writer in turn.
    pub(crate) fn in_turns(&self, size: usize) -> Vec<Vec<&[u8]>> {
        let whole = self.by_writer();
        let longest = whole.iter().map(Vec::len).max().unwrap_or_default();
        let turns = (0..longest).step_by(size);
        let batch = |from: usize| {
            whole.iter().filter_map(move |all| {
                let batch = all.get(from..(from + size).min(all.len()));
                batch.map(<[_]>::to_vec)
            })
        };
        turns.flat_map(batch).collect()
    }

    /// One after the other, as they were written.
    pub(crate) fn one_by_one(&self) -> Vec<Vec<&[u8]>> {
        let one = self.commits.iter();
        one.map(|(_, commit)| vec![commit.as_slice()]).collect()
    }
}

/// A batch in the form of the wire; a very large one in several pieces.
pub(crate) fn blocks(batch: &[&[u8]]) -> Vec<Bytes> {
    let block = |batch: &[&[u8]]| {
        let commits: Vec<Commit> = batch.iter().map(|c| decode_commit(c).unwrap()).collect();
        let mut bytes = Vec::new();
        encode_block(commits.iter(), &mut bytes);
        bytes.into()
    };
    batch.chunks(BLOCK_EVENTS_MAX).map(block).collect()
}

fn registry(rule: Rule) -> Registry {
    let empty = Registry::new();
    match rule {
        Rule::Claimed => empty.with("key", Claimed),
        Rule::Replayed => empty.with("key", LastWriteWins),
        Rule::Fields => empty.with("key", FieldMerge),
        Rule::Steps => empty.with("key", Counter),
        Rule::Elements => empty.with("key", AddWinsSet),
    }
    .unwrap()
}

/// Where commits are written.
struct Desk {
    plan: Plan,
    random: u64,
    event_type: EventType,
    names: Vec<AggregateId>,
    /// By writer: events so far, and the chain.
    written: Vec<(u64, Chain)>,
    /// By aggregate and writer: its last event there.
    own: Vec<Vec<Option<Head>>>,
    /// By aggregate: the last event there.
    last: Vec<Option<Head>>,
    stamp: u64,
}

impl Desk {
    fn new(plan: Plan) -> Self {
        let aggregates = match plan.rule {
            Rule::Fields => plan.keys / FIELDS,
            _ => plan.keys,
        };
        let name = |number| AggregateId::new(&format!("key/{number:06}")).unwrap();
        let (count, writers) = (
            usize::try_from(aggregates).unwrap(),
            usize::try_from(plan.writers).unwrap(),
        );
        Self {
            plan,
            random: 0x9e37_79b9_7f4a_7c15,
            event_type: EventType::new("set").unwrap(),
            names: (0..aggregates).map(name).collect(),
            written: vec![(0, Chain::START); writers],
            own: vec![vec![None; writers]; count],
            last: vec![None; count],
            stamp: 1_700_000_000_000 << 16,
        }
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    fn write(&mut self) -> (u64, Vec<u8>) {
        let (writer, key) = (
            self.draw() % self.plan.writers,
            self.draw() % self.plan.keys,
        );
        let at = usize::try_from(match self.plan.rule {
            Rule::Fields => key / FIELDS,
            _ => key,
        })
        .unwrap();
        let payload = self.payload(key);
        let by = usize::try_from(writer).unwrap();
        let named = if self.plan.causal {
            self.last[at]
        } else {
            self.own[at][by]
        };
        self.stamp += 1 << 10;
        let (seq, chain) = self.written[by];
        let id = EventId::new(replica(writer), Seq::new(seq + 1).unwrap());
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(id.seq, 1).unwrap(),
            timestamp: Timestamp::from_bits(self.stamp),
            written_ms: self.stamp >> 16,
            aggregate: self.names[at].clone(),
            event_type: self.event_type.clone(),
            heads: Heads::new(named.into_iter().collect()).unwrap(),
            replaces: None,
            metadata: Metadata::new(),
            payload,
        })
        .unwrap();
        let chain = chain.extend(event.digest());
        self.written[by] = (seq + 1, chain);
        let head = Some(Head {
            id,
            tag: chain.tag(),
        });
        (self.own[at][by], self.last[at]) = (head, head);
        let mut bytes = Vec::new();
        encode_commit(&Commit::new(vec![event]).unwrap(), &mut bytes);
        (writer, bytes)
    }

    fn payload(&mut self, key: u64) -> Payload {
        let value: Vec<u8> = (0..4).flat_map(|_| self.draw().to_le_bytes()).collect();
        let value = ciborium::Value::Bytes(value);
        match self.plan.rule {
            Rule::Claimed | Rule::Replayed => Payload::encode(&value),
            Rule::Fields => {
                let field = format!("f{:02}", key % FIELDS);
                Payload::encode(&FieldEdit::new().set([field], &value).unwrap())
            }
            Rule::Steps => Payload::encode(&1),
            Rule::Elements => {
                Payload::encode(&SetEdit::new().add(&(self.draw() % FIELDS)).unwrap())
            }
        }
        .unwrap()
    }
}

/// Ids as they are drawn, not 1, 2, 3.
fn replica(writer: u64) -> ReplicaId {
    let mixed = (writer + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ReplicaId::new(mixed, mixed.rotate_left(29))
}

/// Last write wins, of two stamps the greater: in any order.
struct Claimed;

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Register {
    key: Option<OrderKey>,
    value: Vec<u8>,
}

impl Resolver for Claimed {
    type State = Register;
    type Payload = Opaque;

    fn id(&self) -> ResolverId {
        ResolverId::new("claimed", 1)
    }

    fn init(&self, _: &AggregateId) -> Register {
        Register::default()
    }

    fn apply(&self, state: &mut Register, payload: &Opaque, cx: &Context<'_, Opaque>) {
        if state.key < Some(cx.key()) {
            state.key = Some(cx.key());
            state.value.clear();
            state.value.extend_from_slice(payload.0.as_bytes());
        }
    }

    fn footprint(&self, _: &Opaque) -> Footprint {
        Footprint::Keys(vec![Key::everything()])
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }

    fn decode(&self, payload: &Payload) -> Result<Opaque, PayloadError> {
        Ok(Opaque(payload.clone()))
    }
}

/// A payload that nobody looks into.
pub(crate) struct Opaque(Payload);

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(deserializer)?;
        let payload = Payload::encode(&value).map_err(serde::de::Error::custom)?;
        Ok(Self(payload))
    }
}
