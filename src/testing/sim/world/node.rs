//! One replica: its engine while it runs, its disk, its clock, and those who use it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Now;
use crate::engine::{Birth, Engine, Filter, Outside, WatchId, Watched};
use crate::event::{AggregateId, EventId};
use crate::log::{Cursor, Epoch, Group, ReadLimit};
use crate::merge::Unguarded;
use crate::protocol::Lineage;
use crate::resolver::Registry;

use crate::testing::sim::disk::Disk;
use crate::testing::sim::random::Random;

/// When the world begins, in milliseconds since 1970.
pub(crate) const START: u64 = 1_700_000_000_000;

/// What a caller waits for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Record { marks: Vec<u64>, durable: bool },
    Ingest,
    Load { aggregate: AggregateId },
    Flush { end: u64 },
}

/// Somebody who watches, perhaps without reading.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) filter: Filter,
    pub(crate) since: u64,
    pub(crate) reads: bool,
    told: BTreeSet<EventId>,
    /// Aggregates of which more happened than one change names.
    crowded: BTreeSet<AggregateId>,
}

/// Somebody who tails, and keeps its cursor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tailer {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) seen: BTreeSet<EventId>,
}

pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) engine: Option<Engine>,
    pub(crate) disk: Disk,
    pub(crate) backup: Option<Disk>,
    pub(crate) registry: Registry,
    pub(crate) cache_bytes: usize,
    pub(crate) lineage: u128,
    /// Counts openings of the store; what belongs to an earlier one is ignored.
    pub(crate) opening: u64,
    pub(crate) skew_ms: i64,
    pub(crate) writing: Option<Group>,
    pub(crate) fail_next: bool,
    pub(crate) failed: bool,
    pub(crate) asks: BTreeMap<u64, Ask>,
    pub(crate) watchers: BTreeMap<WatchId, Watcher>,
    pub(crate) tailer: Tailer,
    /// When an older copy was put back: users do not write before the replica knows what it lost.
    pub(crate) restored: Option<u64>,
}

impl Node {
    pub(crate) fn new(number: usize, registry: Registry, cache_bytes: usize, skew_ms: i64) -> Self {
        Self {
            number,
            engine: None,
            disk: Disk::default(),
            backup: None,
            registry,
            cache_bytes,
            lineage: 42,
            opening: 0,
            skew_ms,
            writing: None,
            fail_next: false,
            failed: false,
            asks: BTreeMap::new(),
            watchers: BTreeMap::new(),
            tailer: Tailer::default(),
            restored: None,
        }
    }

    pub(crate) fn outside(&self, mono_ms: u64, random: &mut Random) -> Outside {
        let wall_ms = (START + mono_ms).saturating_add_signed(self.skew_ms);
        Outside {
            now: Now { wall_ms, mono_ms },
            entropy: random.next(),
        }
    }

    pub(crate) fn open(&mut self, mono_ms: u64, random: &mut Random) {
        let epoch = random.next();
        let opening = self.disk.open(epoch);
        let birth = Birth {
            epoch: Epoch::from_bits(epoch),
            device: self.number as u64 + 1,
            incarnation: random.next(),
            lineage: Lineage::from_bits(self.lineage),
        };
        self.opening += 1;
        self.failed = false;
        self.engine = Some(Engine::open(
            opening,
            &birth,
            self.registry.clone(),
            Arc::new(Unguarded),
            self.cache_bytes,
            self.outside(mono_ms, random),
        ));
    }

    /// The process is gone; with `power` so is what was not fsynced.
    pub(crate) fn stop(&mut self, power: bool) {
        self.engine = None;
        self.opening += 1;
        self.writing = None;
        self.asks.clear();
        self.watchers.clear();
        if power {
            self.disk.lose_power();
        }
    }

    pub(crate) fn watch(&mut self, watch: WatchId, filter: Filter, reads: bool) {
        let engine = self.engine.as_ref().unwrap();
        let watcher = Watcher {
            filter,
            since: engine.status().end,
            reads,
            told: BTreeSet::new(),
            crowded: BTreeSet::new(),
        };
        self.watchers.insert(watch, watcher);
    }

    /// Reads whatever a watch has to tell.
    pub(crate) fn read_watch(&mut self, watch: WatchId) {
        let (Some(engine), Some(watcher)) = (&mut self.engine, self.watchers.get_mut(&watch))
        else {
            return;
        };
        let limit = ReadLimit {
            entries: 64,
            bytes: 1 << 20,
        };
        for round in 0.. {
            assert!(round < 100_000, "a watch never ends");
            match engine.next_change(watch) {
                Watched::Change(change) => {
                    assert!(watcher.filter.passes(&change.aggregate));
                    if change.durable {
                        let safe = |id: &EventId| self.disk.has_durably(*id);
                        assert!(change.causes.iter().all(safe), "{change:?} is not durable");
                    }
                    if change.events > change.causes.len() as u64 {
                        watcher.crowded.insert(change.aggregate.clone());
                    }
                    watcher.told.extend(change.causes);
                }
                Watched::Behind(position) => {
                    let page = self.disk.since(position, limit);
                    engine.watch_page(watch, &page);
                }
                Watched::Idle => return,
                Watched::Gone => panic!("{watch:?} is gone"),
            }
        }
    }

    /// Demands that every watcher was told of everything since it came.
    pub(crate) fn check_watchers(&mut self) {
        for watch in self.watchers.keys().copied().collect::<Vec<_>>() {
            self.read_watch(watch);
            let watcher = &self.watchers[&watch];
            for entry in self.disk.entries.iter().skip(watcher.since as usize) {
                if entry.kind == crate::log::EntryKind::Waiting {
                    continue;
                }
                for event in entry.commit.events() {
                    let (id, aggregate) = (event.id(), event.aggregate());
                    let told = watcher.told.contains(&id) || watcher.crowded.contains(aggregate);
                    assert!(
                        told || !watcher.filter.passes(aggregate),
                        "replica {}: nobody told {watch:?} of {id} in {aggregate}",
                        self.number
                    );
                }
            }
        }
    }

    /// Reads on where the tail stood; each event once, its past before it.
    pub(crate) fn read_tail(&mut self) {
        let Some(engine) = &self.engine else { return };
        if self
            .tailer
            .cursor
            .is_some_and(|cursor| !engine.honours(cursor))
        {
            self.tailer = Tailer::default();
        }
        let epoch = engine.epoch().unwrap();
        let mut position = self.tailer.cursor.map_or(0, |cursor| cursor.position);
        while position < engine.stored_end() {
            let limit = ReadLimit {
                entries: 16,
                bytes: 1 << 16,
            };
            let page = self.disk.since(position, limit);
            for tailed in crate::engine::tailed(&page, &Filter::all(), epoch) {
                let event = &tailed.event;
                let id = event.id();
                assert!(self.tailer.seen.insert(id), "a tail shows {id} twice");
                for head in event.heads() {
                    let known = self.tailer.seen.contains(&head.id);
                    assert!(known, "a tail shows {id} before {}", head.id);
                }
                self.tailer.cursor = Some(tailed.cursor);
            }
            position = page.next;
        }
    }
}
