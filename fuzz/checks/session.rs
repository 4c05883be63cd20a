//! Whatever a peer says, in whatever order, a session goes on or closes: it neither panics nor loops.
//!
//! The input is a script: one byte of circumstances, then records. A record is one byte of what
//! happens, a length in two bytes, and as many bytes of content; a frame gets its header here.

use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::event::{
    AggregateId, Commit, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::log::{Cursor, Entry, EntryKind, Epoch, Epochs, Received};
use anabranch::protocol::{
    CloseCode, Digests, Direction, Input, KnownPeer, Lineage, Local, Output, Phase, Prepared,
    Reason, Remedy, Role, Round, Session, SessionOptions, Standing, decode_frame,
};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Outputs that one input may cause; a livelock is a failure.
const OUTPUTS: usize = 2_000;
const EPOCH: Epoch = Epoch::from_bits(11);

/// Whether the session was ever open. Panics when a promise of the session does not hold.
pub(crate) fn check(data: &[u8]) -> bool {
    let Some((circumstances, script)) = data.split_first() else {
        return false;
    };
    let mut owner = Owner::new(*circumstances);
    owner.carry_out();
    let mut rest = script;
    while let Some(([what, low, high], after)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (content, after) = after.split_at(len);
        owner.happen(*what, content);
        owner.carry_out();
        rest = after;
    }
    owner.was_open
}

/// A session's owner with a log of three commits that takes, or refuses, whatever comes.
struct Owner {
    session: Session,
    log: Vec<(u64, Entry)>,
    received: Arc<Received>,
    known: Option<KnownPeer>,
    refuses: bool,
    now: Now,
    was_open: bool,
    was_closed: bool,
}

impl Owner {
    fn new(circumstances: u8) -> Self {
        let flag = |bit: u8| circumstances >> bit & 1 == 1;
        let me = ReplicaId::new(8, 1);
        let mut received = Received::new();
        let mut log = Vec::new();
        for (position, number) in (0..3).zip(1..) {
            let commit = commit(me, number);
            let chain_before = received.chain_before(me, commit.span().first());
            received.insert(&commit);
            log.push((
                position,
                Entry {
                    commit,
                    kind: EntryKind::Ready,
                    from: None,
                    chain_before,
                },
            ));
        }
        let mut epochs = Epochs::new();
        epochs.begin(EPOCH, 0);
        let cursor = Cursor {
            epoch: Epoch::from_bits(7),
            position: 5,
        };
        let known = KnownPeer {
            replica: ReplicaId::new(3, 1),
            cursor,
            own: None,
        };
        let known = flag(1).then_some(known);
        let local = Local {
            replica: me,
            own: received.chain(me),
            lineage: Lineage::from_bits(42),
            lineage_shared: flag(2),
            epochs,
            end: 3,
            peers: known.into_iter().collect(),
            staged: None,
        };
        let role = if flag(0) {
            Role::Listener
        } else {
            Role::Dialer
        };
        let direction = Direction {
            push: !flag(3),
            pull: !flag(4),
        };
        let options = SessionOptions {
            direction,
            ..SessionOptions::default()
        };
        let now = Now {
            wall_ms: 1_700_000_000_000,
            mono_ms: 1_000,
        };
        Self {
            session: Session::new(role, local, options, now),
            log,
            received: Arc::new(received),
            known,
            refuses: flag(5),
            now,
            was_open: false,
            was_closed: false,
        }
    }

    fn happen(&mut self, what: u8, content: &[u8]) {
        let input = match (what, content) {
            (0x00, _) => Input::Frame(Bytes::copy_from_slice(content)),
            (0x20, [after_ms, ..]) => {
                self.now.mono_ms += u64::from(*after_ms) * 200;
                Input::Tick
            }
            (0x21, _) => Input::Again,
            (0x22, _) => Input::Close {
                code: CloseCode::GOING_AWAY,
                reason: "stop".into(),
            },
            (0x23, _) => Input::Appended(Arc::new(Prepared::new(EPOCH, 3, 3, Vec::new()))),
            (0x24, _) => Input::Digests(Digests {
                round: Round::Ask,
                entries: Vec::new(),
            }),
            (kind, body) => {
                let kind = 0x10 | kind & 0x0f;
                let mut frame = vec![kind];
                let sum = xxh3_64_with_seed(body, u64::from(kind)).to_le_bytes();
                frame.extend(sum.iter().take(4));
                frame.extend_from_slice(body);
                Input::Frame(frame.into())
            }
        };
        self.session.handle(self.now, input);
    }

    /// Answers everything that the session asks, until it asks nothing more.
    fn carry_out(&mut self) {
        for _ in 0..OUTPUTS {
            self.was_open |= self.session.status().phase == Phase::Open;
            let Some(output) = self.session.poll_output() else {
                return;
            };
            assert!(
                !self.was_closed,
                "nothing follows the end of a session, but {output:?}"
            );
            for input in self.answer(output) {
                self.session.handle(self.now, input);
            }
        }
        panic!("a session asked {OUTPUTS} times without coming to rest");
    }

    fn answer(&mut self, output: Output) -> Vec<Input> {
        let end = 3;
        match output {
            Output::Send(frame) => {
                assert!(
                    decode_frame(&frame).is_ok(),
                    "a session sends what can be read"
                );
            }
            Output::Greeted(_) | Output::Stand => {
                let received = Arc::clone(&self.received);
                return vec![Input::Standing(Standing {
                    peer: self.known,
                    received,
                })];
            }
            Output::Read { since, .. } => {
                let entries = self.log.iter().filter(|(position, _)| *position >= since);
                let entries = entries.cloned().collect();
                return vec![Input::Entries {
                    entries,
                    next: end.max(since),
                    end,
                }];
            }
            Output::ReadAt { positions, .. } => {
                let entries = self
                    .log
                    .iter()
                    .filter(|(position, _)| positions.contains(position));
                let entries = entries.cloned().collect();
                let next = positions.last().map_or(0, |last| last + 1);
                return vec![Input::Entries { entries, next, end }];
            }
            Output::Locate(peer_has) => {
                let lacking = self
                    .log
                    .iter()
                    .filter(|(_, entry)| !peer_has.contains(entry.commit.id()));
                let positions = lacking.map(|(position, _)| *position).collect();
                return vec![Input::Located { positions, end }];
            }
            Output::Deliver(delivery) => {
                return self.take(
                    delivery.number,
                    delivery.commits.first().map(|first| first.commit.id()),
                );
            }
            Output::Stage { commit, index, .. } => return vec![Input::Staged { commit, index }],
            Output::Acked { position, .. } => {
                assert!(
                    position <= end,
                    "{position} was acknowledged and never sent"
                );
            }
            Output::Closed { .. } => self.was_closed = true,
            _ => {}
        }
        Vec::new()
    }

    fn take(&self, delivery: u64, first: Option<EventId>) -> Vec<Input> {
        let refused = first.filter(|_| self.refuses).map(|commit| Input::Refuse {
            commit,
            why: Reason::Forked,
            remedy: Remedy::Restamp,
        });
        let taken = [false, true].map(|durable| Input::Taken { delivery, durable });
        refused.map_or_else(|| taken.into(), |refused| vec![refused])
    }
}

fn commit(replica: ReplicaId, number: u64) -> Commit {
    let build = || {
        let seq = Seq::new(number)?;
        let event = Event::assemble(EventParts {
            id: EventId::new(replica, seq),
            commit: CommitSpan::new(seq, 1).ok()?,
            timestamp: Timestamp::at_millis(1_600_000_000_000 + number),
            written_ms: 1_600_000_000_000,
            aggregate: AggregateId::new("note/1").ok()?,
            event_type: EventType::new("written").ok()?,
            heads: Heads::NONE,
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::default(),
        });
        Commit::new(vec![event.ok()?]).ok()
    };
    build().unwrap_or_else(|| panic!("commit {number} of {replica} breaks a bound"))
}
