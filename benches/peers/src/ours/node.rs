//! One engine in this thread, whose store answers at once and whose frames wait to be fetched.

use std::collections::VecDeque;
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::engine::{
    Birth, Effect, Engine, Input, LinkId, LinkOptions, Outside, Ticket, WatchId, Watched,
};
use anabranch::event::{AggregateId, Commit};
use anabranch::log::{Epoch, Opening};
use anabranch::merge::Unguarded;
use anabranch::protocol::{Direction, Lineage, Role};
use anabranch::replica::Zstd;
use anabranch::resolver::Registry;
use anabranch::store::{self, EventStore, MemoryStore};
use bytes::Bytes;
use futures::FutureExt;

use super::author::START_MS;
use super::store::KeptLog;
use crate::Done;

/// All that is measured fits in memory.
const CACHE_BYTES: usize = 8 << 30;

/// What answers an engine.
enum Store {
    /// The crate's own store in memory, which answers everything.
    Memory(MemoryStore),
    /// A log and no more.
    Kept(Box<KeptLog>),
}

/// An engine with its store.
pub(crate) struct Node {
    engine: Engine,
    store: Store,
    /// Frames to be sent.
    pub(crate) out: VecDeque<(LinkId, Bytes)>,
    answers: VecDeque<Input>,
    tickets: u64,
    /// Its time.
    mono_ms: u64,
}

/// One end of a connection.
pub(crate) fn opened(link: LinkId, role: Role, batch_events: usize) -> Input {
    let options = LinkOptions {
        direction: Direction {
            push: true,
            pull: true,
        },
        batch_events,
        once: false,
        address: None,
    };
    Input::LinkOpened {
        link,
        role,
        options,
    }
}

impl Node {
    /// A replica that can be asked everything.
    pub(crate) fn whole(number: u64, registry: Registry) -> Done<Self> {
        let store = MemoryStore::new();
        let opening = now(store.begin(Epoch::from_bits(number)))??;
        Ok(Self::open(number, registry, opening, Store::Memory(store)))
    }

    /// Compresses where the other end does, too.
    pub(crate) fn compressing(mut self) -> Self {
        self.engine = self.engine.with_compression(Arc::new(Zstd::new()));
        self
    }

    /// A replica that receives.
    pub(crate) fn receiver(number: u64, registry: Registry) -> Done<Self> {
        let opening = now(MemoryStore::new().begin(Epoch::from_bits(number)))??;
        Ok(Self::open(
            number,
            registry,
            opening,
            Store::Kept(Box::default()),
        ))
    }

    fn open(number: u64, registry: Registry, opening: Opening, store: Store) -> Self {
        let birth = Birth {
            epoch: Epoch::from_bits(number),
            device: number,
            incarnation: number,
            lineage: Lineage::from_bits(7),
        };
        let guard = Arc::new(Unguarded);
        let engine = Engine::open(opening, &birth, registry, guard, CACHE_BYTES, outside(0));
        let mut node = Self {
            engine,
            store,
            out: VecDeque::new(),
            answers: VecDeque::new(),
            tickets: 0,
            mono_ms: 0,
        };
        node.carry_out();
        node
    }

    /// Gives the engine an input and sees to it that everything that follows is done.
    pub(crate) fn give(&mut self, input: Input) {
        self.engine.handle(outside(self.mono_ms), input);
        self.carry_out();
        while let Some(answer) = self.next_answer() {
            self.engine.handle(outside(self.mono_ms), answer);
            self.carry_out();
        }
    }

    /// What the store says, and then that the time has come for whatever waits for it.
    fn next_answer(&mut self) -> Option<Input> {
        let answer = self.answers.pop_front();
        answer.or_else(|| {
            let due = self.engine.deadline();
            // What is gathered for a moment is sent in it; nothing else is due so soon.
            let due = due.filter(|due| *due <= self.mono_ms + 1)?;
            self.mono_ms = self.mono_ms.max(due);
            Some(Input::Tick)
        })
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.engine.poll_effect() {
            match effect {
                Effect::Send { link, frame } => self.out.push_back((link, frame)),
                effect => {
                    let answer = self.store.answer(effect);
                    self.answers.extend(answer);
                }
            }
        }
    }

    pub(crate) fn frame(&mut self, link: LinkId, frame: Bytes) {
        self.give(Input::LinkFrame { link, frame });
    }

    pub(crate) fn ingest(&mut self, commits: Vec<Commit>) {
        let ticket = self.ticket();
        self.give(Input::Ingest { ticket, commits });
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Takes every change that a watch has to tell; each is folded.
    pub(crate) fn take_changes(&mut self, watch: WatchId) -> usize {
        let mut changes = 0;
        while let Watched::Change(_) = self.engine.next_change(watch) {
            changes += 1;
        }
        changes
    }

    /// Brings an aggregate into memory and folds it; whether it has a state.
    pub(crate) fn read(&mut self, aggregate: &AggregateId) -> bool {
        if self.engine.timeline(aggregate).is_none() {
            let ticket = self.ticket();
            self.give(Input::Load {
                ticket,
                aggregate: aggregate.clone(),
                whole: false,
            });
        }
        let timeline = self.engine.timeline(aggregate);
        timeline.is_some_and(|timeline| timeline.state().is_ok())
    }

    /// Stands for the state of an aggregate that is in memory.
    pub(crate) fn digest(&mut self, aggregate: &AggregateId) -> Option<[u8; 16]> {
        self.read(aggregate);
        let digest = self.engine.timeline(aggregate)?.digest()?;
        Some(digest.to_bytes())
    }

    pub(crate) fn events(&self) -> u64 {
        self.engine.received().events()
    }
}

impl Store {
    fn answer(&mut self, effect: Effect) -> Option<Input> {
        match self {
            Self::Memory(store) => now(store::answer(store, effect)).ok()?,
            Self::Kept(log) => match effect {
                Effect::Write(group) => {
                    log.append(group);
                    Some(Input::Written)
                }
                Effect::ReadHistory {
                    request,
                    aggregate,
                    from,
                } => Some(Input::HistoryRead {
                    request,
                    result: Ok(log.history(&aggregate, from)),
                }),
                _ => None,
            },
        }
    }
}

/// What is answered at once.
fn now<T>(answer: impl Future<Output = T>) -> Done<T> {
    answer
        .now_or_never()
        .ok_or_else(|| "the store in memory has to wait".into())
}

/// It is a while after everything was written.
fn outside(mono_ms: u64) -> Outside {
    Outside {
        now: Now {
            wall_ms: START_MS + 1_000_000_000,
            mono_ms,
        },
        entropy: 1,
    }
}
