//! One replica: its engine while it runs, its disk, its clock, and those who use it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Now;
use crate::engine::{Basis, Birth, Engine, Filter, Input, Outside, WatchId};
use crate::event::{AggregateId, EventId, ReplicaId};
use crate::log::{Cursor, Epoch, Group};
use crate::merge::Unguarded;
use crate::protocol::Lineage;
use crate::resolver::Registry;
use crate::testing::sim::clocks::Clock;
use crate::testing::sim::disk::Disk;
use crate::testing::sim::draws::Draws;
use crate::testing::sim::faults::Fault;

/// When the world begins, in milliseconds since 1970.
pub(crate) const START: u64 = 1_700_000_000_000;

/// What a caller waits for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Record {
        marks: Vec<u64>,
        durable: bool,
        odd: Option<Fault>,
    },
    Ingest,
    /// Of another commit under a name that is taken.
    Forged,
    Load {
        aggregate: AggregateId,
    },
    Flush {
        end: u64,
    },
}

/// Somebody who watches, perhaps without reading.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) filter: Filter,
    pub(crate) since: u64,
    pub(crate) reads: bool,
    pub(crate) told: BTreeSet<EventId>,
    /// Aggregates of which more happened than one change names.
    pub(crate) crowded: BTreeSet<AggregateId>,
}

/// Somebody who tails, and keeps its cursor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tailer {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) seen: BTreeSet<EventId>,
    /// In which opening it last read.
    pub(crate) opening: u64,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they combine"
)]
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) engine: Option<Engine>,
    /// When it wants to be told the time.
    pub(crate) due: Option<u64>,
    pub(crate) disk: Disk,
    pub(crate) backup: Option<Disk>,
    pub(crate) registry: Registry,
    /// It came up with other rules than the others have, and has written nothing since.
    pub(crate) is_other: bool,
    pub(crate) cache_bytes: usize,
    pub(crate) lineage: u128,
    /// Counts openings of the store; what belongs to an earlier one is ignored.
    pub(crate) opening: u64,
    pub(crate) clock: Clock,
    pub(crate) writing: Option<Group>,
    /// How the next write fails.
    pub(crate) fail_next: Option<Fault>,
    pub(crate) full_until: u64,
    pub(crate) failed: bool,
    /// A read has failed since the store was opened.
    pub(crate) unread: bool,
    /// It was found that the store is damaged.
    pub(crate) found: bool,
    pub(crate) paused: bool,
    pub(crate) backlog: Vec<Input>,
    pub(crate) asks: BTreeMap<u64, Ask>,
    pub(crate) readings: Vec<Basis>,
    pub(crate) watchers: BTreeMap<WatchId, Watcher>,
    pub(crate) tailer: Tailer,
    /// As far as tails were told that the log has grown.
    pub(crate) appended: u64,
    /// How far it had read its peers' logs when that was last looked at, in which opening and after how
    /// many connections that summaries were told over; nothing while there is such a connection.
    pub(crate) cursors: Option<((u64, usize), BTreeMap<ReplicaId, Cursor>)>,
    /// When an older copy was put back: users do not write before the replica knows what it lost.
    pub(crate) restored: Option<u64>,
    /// Who it was when that store was first opened.
    pub(crate) was: Option<ReplicaId>,
    /// Who it was when it ended, and of which log, if all of that was fsynced.
    pub(crate) ended_as: Option<(ReplicaId, Lineage)>,
}

impl Node {
    pub(crate) fn new(number: usize, registry: Registry, cache_bytes: usize, clock: Clock) -> Self {
        Self {
            number,
            engine: None,
            due: None,
            disk: Disk::default(),
            backup: None,
            registry,
            is_other: false,
            cache_bytes,
            lineage: 42,
            opening: 0,
            clock,
            writing: None,
            fail_next: None,
            full_until: 0,
            failed: false,
            unread: false,
            found: false,
            paused: false,
            backlog: Vec::new(),
            asks: BTreeMap::new(),
            readings: Vec::new(),
            watchers: BTreeMap::new(),
            tailer: Tailer::default(),
            appended: 0,
            cursors: None,
            restored: None,
            was: None,
            ended_as: None,
        }
    }

    pub(crate) fn outside(&self, mono_ms: u64, draws: &mut Draws) -> Outside {
        let wall_ms = self.clock.wall_ms(mono_ms);
        Outside {
            now: Now { wall_ms, mono_ms },
            entropy: draws.next(),
        }
    }

    /// Opens the store; false if what has to be read for that cannot be read.
    pub(crate) fn open(&mut self, mono_ms: u64, draws: &mut Draws) -> bool {
        let epoch = draws.next();
        let Some(opening) = self.disk.open(epoch) else {
            return false;
        };
        let birth = Birth {
            epoch: Epoch::from_bits(epoch),
            device: self.number as u64 + 1,
            incarnation: draws.next(),
            lineage: Lineage::from_bits(self.lineage),
        };
        self.opening += 1;
        self.appended = opening.end;
        self.failed = false;
        self.unread = false;
        self.found = false;
        let outside = self.outside(mono_ms, draws);
        let (registry, guard) = (self.registry.clone(), Arc::new(Unguarded));
        let engine = Engine::open(opening, &birth, registry, guard, self.cache_bytes, outside);
        if self.restored.is_some() && self.was.is_none() {
            self.was = Some(engine.replica());
        }
        let (is, number) = (known_as(&engine), self.number);
        let was = self.ended_as.take().unwrap_or(is);
        assert_eq!(is, was, "replica {number} has forgotten who it is");
        self.engine = Some(engine);
        true
    }

    /// The process is gone.
    pub(crate) fn stop(&mut self) {
        if let Some(engine) = &self.engine {
            let is_kept = engine.is_idle() && !self.failed && self.disk.loose_groups() == 0;
            self.ended_as = is_kept.then(|| known_as(engine));
        }
        self.engine = None;
        self.due = None;
        self.opening += 1;
        self.writing = None;
        self.paused = false;
        self.backlog.clear();
        self.asks.clear();
        self.watchers.clear();
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

    /// Another replica, which takes itself for this one as of that copy.
    pub(crate) fn cloned(&self, number: usize, copy: Disk, now: u64) -> Self {
        let (registry, clock) = (self.registry.clone(), self.clock.clone());
        let mut clone = Self::new(number, registry, self.cache_bytes, clock);
        clone.disk = copy;
        clone.restored = Some(now);
        clone
    }
}

fn known_as(engine: &Engine) -> (ReplicaId, Lineage) {
    (engine.replica(), engine.status().lineage)
}
