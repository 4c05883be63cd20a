use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::audit::Audit;
use super::cache::Cache;
use super::identity::{Birth, Identity};
use super::io::{Effect, Failure, Input, Outside, Reply};
use super::link::{Links, Pace};
use super::log_tail::LogTail;
use super::notes::{self, Key};
use super::peers::Peers;
use super::timers::Timers;
use super::watching::Watches;
use super::writer::{Then, WriteItem, Writer};
use super::{Engine, Ticket};
use crate::clock::HybridClock;
use crate::event::BlockNames;
use crate::log::{Durability, Opening};
use crate::merge::{Guard, Inbox};
use crate::protocol::{self, Compression};
use crate::resolver::Registry;

impl Engine {
    /// The same, whose frames go compressed to peers that undo it.
    #[must_use]
    pub fn with_compression(mut self, compression: Arc<dyn Compression>) -> Self {
        self.compression = Some(compression);
        self
    }

    /// A replica over what its store told when it was opened.
    ///
    /// `guard` catches panics of user-written rules. `cache_bytes` bounds the timelines in memory.
    /// Effects may be waiting afterwards: see [`poll_effect`](Self::poll_effect).
    pub fn open(
        opening: Opening,
        birth: &Birth,
        registry: Registry,
        guard: Arc<dyn Guard + Send + Sync>,
        cache_bytes: usize,
        outside: Outside,
    ) -> Self {
        let (identity, peers, audit) = remembered(&opening, outside.entropy);
        let is_new = identity.is_none();
        let identity = identity.unwrap_or_else(|| Identity::new(birth));
        let waiting = opening
            .waiting
            .into_iter()
            .filter(|_| !mutant!("waiting-forgotten-on-restart"))
            .map(|entry| (entry.commit, entry.chain_before));
        let (inbox, released) = Inbox::restored(opening.received, waiting);
        let mut engine = Self {
            clock: HybridClock::resume(identity.clock_mark),
            identity,
            registry,
            guard,
            clock_offset_ms: 0,
            inbox,
            log: LogTail::new(opening.epochs, opening.end),
            compression: None,
            names: BlockNames::new(),
            writer: Writer::default(),
            cache: Cache::new(cache_bytes, outside.entropy),
            holds_all: opening.end == 0,
            peers,
            links: Links::default(),
            pace: Pace::default(),
            timers: Timers::default(),
            counting: BTreeSet::new(),
            standing: None,
            watches: Watches::default(),
            records: BTreeMap::new(),
            restamping: None,
            forked: BTreeSet::new(),
            loads: BTreeMap::new(),
            settling: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_request: 0,
            flush_due: None,
            audit,
            effects: VecDeque::new(),
            now: outside.now,
            entropy: outside.entropy,
        };
        let mut item = WriteItem {
            durability: Durability::Durable,
            ..WriteItem::default()
        };
        if is_new {
            item.identity = Some(engine.marked_identity());
        }
        for ready in released {
            engine.release(ready, None, &mut item);
        }
        if !item.is_empty() {
            engine.writer.push(item);
        }
        engine.pump();
        engine
    }

    /// Takes one input. Carry out the effects that [`poll_effect`](Self::poll_effect) gives before
    /// the next one, in their order.
    pub fn handle(&mut self, outside: Outside, input: Input) {
        self.now = outside.now;
        self.entropy = outside.entropy;
        match input {
            Input::Record {
                ticket,
                drafts,
                bases,
                durability,
            } => self.on_record(ticket, drafts, bases, durability),
            Input::Ingest { ticket, commits } => self.ingest(ticket, commits),
            Input::Join {
                ticket,
                lineage,
                shared,
            } => self.join(ticket, lineage, shared),
            Input::Load {
                ticket,
                aggregate,
                whole,
            } => self.load(ticket, aggregate, whole),
            Input::Flush { ticket } => self.flush(ticket),
            Input::Settle { ticket } => {
                self.cache.settle();
                self.flush(ticket);
            }
            Input::Written => self.on_written(),
            Input::WriteFailed { .. } if mutant!("failed-write-taken-for-done") => {
                self.on_written();
            }
            Input::WriteFailed { reason } => self.on_write_failed(&reason),
            Input::HistoryRead { request, result } => self.on_history(request, result),
            Input::PageRead { request, result } => self.on_page(request, result),
            Input::Located { request, result } => self.on_located(request, result),
            Input::KnownFound { request, result } => self.on_known(request, result),
            Input::LinkOpened {
                link,
                role,
                options,
            } => self.open_link(link, role, options),
            Input::LinkFrame { link, frame } => {
                self.tell_session(link, protocol::Input::Frame(frame));
            }
            Input::LinkClosed { link, code, reason } => self.link_closed(link, code, reason),
            Input::LinkEnd { link, code, reason } => {
                self.offer_gathered();
                self.tell_session(link, protocol::Input::Close { code, reason });
            }
            Input::Watch { watch, filter } => self.watches.insert(watch, filter, self.entropy),
            Input::Unwatch { watch } => self.watches.remove(watch),
            Input::Tick => self.tick(),
        }
        self.pump();
    }

    /// The next effect to carry out.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Input::Tick`] is due, in milliseconds of the monotonic clock.
    pub fn deadline(&self) -> Option<u64> {
        // While a group is being written, or once the store has failed, nothing can be flushed.
        let flush = self.flush_due.filter(|_| self.writer.is_free());
        let due = self.timers.next().into_iter().chain(flush);
        due.chain(self.pace.due()).min()
    }

    fn pump(&mut self) {
        self.run_audit();
        self.make_room();
        self.broadcast();
        self.pump_writer();
    }

    fn tick(&mut self) {
        self.pace.turn();
        let due: Vec<_> = self.timers.due(self.now.mono_ms).collect();
        for link in due {
            self.tell_session(link, protocol::Input::Tick);
        }
    }

    fn flush(&mut self, ticket: Ticket) {
        if let Some(reason) = self.writer.failed.clone() {
            self.reply(ticket, Err(Failure::Store { reason }));
            return;
        }
        self.writer.push(WriteItem {
            durability: Durability::Durable,
            then: alloc::vec![Then::Done(ticket)],
            ..WriteItem::default()
        });
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Result<Reply, Failure>) {
        self.effects.push_back(Effect::Reply { ticket, reply });
    }
}

/// What the notes of a store say.
fn remembered(opening: &Opening, seed: u64) -> (Option<Identity>, Peers, Audit) {
    let mut identity = None;
    let mut peers = Peers::default();
    let mut audit = Audit::seeded(seed);
    for (key, value) in &opening.notes {
        match Key::decode(key) {
            Some(Key::Identity) => identity = notes::read::<Identity>(value),
            Some(Key::Distrust(rule)) => audit.restore(rule, value),
            Some(key) => peers.restore(key, value),
            None => {}
        }
    }
    (identity, peers, audit)
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("replica", &self.identity.replica)
            .field("end", &self.log.end())
            .finish_non_exhaustive()
    }
}
