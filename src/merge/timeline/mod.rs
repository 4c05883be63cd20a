//! One aggregate's ready events in canonical order, and their fold.
//!
//! Integrating an event and folding are two things: events are integrated as they become ready,
//! which runs no user code, and folded when somebody looks. A timeline has its whole history in
//! memory, or only the fold of it; in the second form it takes events that follow everything known
//! and says of others that it needs the history. Both forms give the same answers, bit for bit.

mod basis;
mod changes;
mod checkpoints;
mod costs;
mod cuts;
mod evidence;
mod explain;
mod folding;
mod heads;
mod index;
mod late;
mod order;
mod outcome;
mod past;
mod placed;
mod prefix;
mod races;
mod rarely;
mod replacements;
mod replay;
mod rows;
mod rule;
mod run;
mod skipping;
mod standing;
mod stored;
mod touched;
mod trial;
mod validity;
mod view;
mod writers;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

pub use basis::{BasisError, Ground};
pub use costs::Costs;
pub use outcome::{FoldOutcome, Integration, Outcome, TrialError, Unresolved};
pub use placed::Placed;
pub use replay::Replay;
pub use standing::Standing;

use self::changes::News;
use self::checkpoints::Checkpoints;
use self::cuts::Cuts;
use self::folding::Fold;
use self::index::Index;
use self::late::Pace;
use self::order::Order;
use self::past::Past;
use self::rarely::{Rarely, absent};
use self::replacements::Replacements;
use self::rows::Rows;
use self::validity::{Named, invalid};
use crate::event::{
    AggregateId, ChainTag, Digest, Event, EventId, OrderKey, ReplicaId, SetHash, VersionVector,
};
use crate::merge::Shortcuts;
use crate::resolver::{ErasedState, Route};

/// The ready events of one aggregate and what they add up to.
///
/// Events are folded in [`OrderKey`] order. An event after everything known costs one step, and so
/// does a late one whose keys nothing behind it touches; any other makes the next fold go back to a
/// checkpoint, at most about twice as far as the event is late.
///
/// An *invalid* event (its timestamp is not after what it names, it names what is no event of this
/// aggregate or another branch of a fork, or something invalid) is kept and counted, and is a
/// rejection on every replica. It is no part of the order, never a head, and lifts no clock.
///
/// What every event touches comes first and lies together: in a large set of aggregates that are
/// written in turn, looking into memory is what costs most.
#[derive(Debug)]
#[repr(C)]
pub struct Timeline {
    rows: Rows,
    /// The greatest place taken.
    last: Option<OrderKey>,
    events: u64,
    /// What the events amount to as a set.
    set: SetHash,
    /// Digest of the present state, once somebody has asked.
    digest: Option<Digest>,
    replacements: Rarely<Replacements>,
    /// The valid events that are not skipped.
    order: Order,
    /// Whether every event is in memory; if not, those that are have not been folded yet.
    complete: bool,
    news: News,
    /// Invalid events and replaced ones that nobody names, which are in no past, so that they are known
    /// again.
    strays: Rarely<VersionVector>,
    fold: Fold,
    aggregate: AggregateId,
    route: Option<Route>,
    /// Replaced events that are not here; in memory only where the history is not.
    replaced_absent: Rarely<BTreeSet<EventId>>,
    past: Rarely<Past>,
    cuts: Rarely<Cuts>,
    index: Rarely<Index>,
    checkpoints: Rarely<Checkpoints>,
    pace: Pace,
    costs: Costs,
    rejections: u64,
    /// Shortcuts that are not taken, and those that were since it came into memory.
    avoided: Shortcuts,
    used: Shortcuts,
    /// Events that were applied where they came, until somebody looks.
    placed: Vec<Placed>,
}

impl Timeline {
    /// An aggregate without events.
    pub fn new(aggregate: AggregateId, route: Option<Route>) -> Self {
        Self {
            aggregate,
            route,
            complete: true,
            rows: Rows::default(),
            order: Order::default(),
            last: None,
            strays: Rarely::default(),
            replaced_absent: Rarely::default(),
            replacements: Rarely::default(),
            past: Rarely::default(),
            cuts: Rarely::default(),
            index: Rarely::default(),
            fold: Fold::default(),
            checkpoints: Rarely::default(),
            pace: Pace::default(),
            costs: Costs::default(),
            news: News::default(),
            events: 0,
            rejections: 0,
            set: SetHash::EMPTY,
            digest: None,
            avoided: Shortcuts::NONE,
            used: Shortcuts::NONE,
            placed: Vec::new(),
        }
    }

    /// An aggregate with its whole history, in the order in which it became ready; not folded yet.
    pub fn with_history(
        aggregate: AggregateId,
        route: Option<Route>,
        history: impl IntoIterator<Item = (Event, Option<ChainTag>)>,
    ) -> Self {
        let mut timeline = Self::new(aggregate, route);
        let history = history.into_iter();
        timeline.expect(history.size_hint().0);
        for (event, tag) in history {
            timeline.integrate(event, tag);
        }
        timeline.news.forget_concurrency(timeline.rows.len());
        timeline
    }

    /// Makes room for so many more events, and no more than that.
    pub(crate) fn expect(&mut self, more: usize) {
        self.rows.expect(more);
    }

    /// Whether an event can only be taken once the history is here. Never in the full form. In the
    /// other one, unless the event names exactly the present heads, replaces nothing and is new:
    /// only then can it be judged and placed without the events before it.
    pub fn needs_history(&self, event: &Event) -> bool {
        !self.complete
            && (event.replaces().is_some()
                || self.knows(event.id())
                || self.replaced_absent.contains(&event.id())
                || event.heads().len() != self.rows.writers().heads_len()
                || !event.heads().iter().all(|head| self.is_head(head.id)))
    }

    fn is_head(&self, id: EventId) -> bool {
        let writers = self.rows.writers();
        let number = writers.number(id.replica);
        number.is_some_and(|number| writers.head(number, id).is_some())
    }

    /// Takes a ready event of this aggregate. Every event that it names and that is of this
    /// aggregate must have been taken before; the order of readiness sees to that.
    ///
    /// `tag` is the event's own, nothing where the writer's chain is not known up to it. Costs
    /// O(log n) per head and runs no resolver.
    pub fn integrate(&mut self, event: Event, tag: impl Into<Option<ChainTag>>) -> Integration {
        let (tag, id) = (tag.into(), event.id());
        let own = self.rows.writers().number(id.replica);
        if own.is_some_and(|own| self.rows.slot_of(own, id).is_some()) {
            return Integration::Duplicate;
        }
        if self.needs_history(&event) {
            return Integration::HistoryMissing;
        }
        self.events += 1;
        self.set = self.set.with(event.digest(), tag);
        self.digest = None;
        self.news.any = true;
        let by = Writer {
            replica: id.replica,
            number: own,
        };
        if let Some(rejection) = invalid(&event, |id| self.named_by(id, by)) {
            self.strays.observe(event.id());
            self.rejections += 1;
            let invalid = Some(Box::new(rejection));
            let slot = self.rows.push(own, event, tag, invalid);
            self.news.noted.invalid.push(slot);
            return Integration::Added {
                late: false,
                raced: false,
            };
        }
        self.place(event, tag, by)
    }

    fn place(&mut self, event: Event, tag: Option<ChainTag>, by: Writer) -> Integration {
        let key = event.order_key();
        let mut skips = self.replacements.concern(&event) && self.replacements.observe(&event);
        for head in event.heads() {
            if mutant!("head-not-joined") && event.heads().len() > 1 {
                continue;
            }
            if let Some(number) = self.number_of(head.id, by) {
                self.rows.writers_mut().remove_head(number, head.id);
            }
            skips |= self.replacements.is_replaced(head.id);
        }
        // What was replaced is no rival, even before the next fold has sorted it out.
        let knew_all = self.rows.writers().heads_len() == 0;
        let is_rival = |(id, _): &(EventId, _)| !self.replacements.is_replaced(*id);
        let raced = !knew_all
            && (self.replacements.is_empty() || self.rows.writers().heads().iter().any(is_rival));
        if self.complete && knew_all && !skips && self.past.wants(self.rows.len()) {
            self.past.note(self.rows.len(), self.rows.writers().seen());
        }
        let slot = self.rows.push(by.number, event, tag, None);
        if knew_all && let Some(row) = self.rows.row_mut(slot) {
            row.note_knew_all();
        }
        self.news.arrived(knew_all);
        let mut late = self.last > Some(key);
        self.order.came();
        self.last = self.last.max(Some(key));
        if skips {
            // Which events are skipped, or heads, may have changed anywhere.
            self.news.skips = true;
            late |= self.order.len() > 1;
        }
        Integration::Added { late, raced }
    }

    fn named(&self, id: EventId) -> Option<Named> {
        self.named_at(self.rows.writers().number(id.replica)?, id)
    }

    /// The same for an event that is named by this writer: mostly its own.
    fn named_by(&self, id: EventId, by: Writer) -> Option<Named> {
        self.named_at(self.number_of(id, by)?, id)
    }

    fn number_of(&self, id: EventId, by: Writer) -> Option<usize> {
        if id.replica == by.replica {
            by.number
        } else {
            self.rows.writers().number(id.replica)
        }
    }

    fn named_at(&self, writer: usize, id: EventId) -> Option<Named> {
        // Mostly a head, and nothing else where the history is not in memory.
        if let Some(known) = self.rows.writers().head(writer, id) {
            return Some(Named {
                timestamp: known.timestamp,
                tag: known.tag,
                valid: true,
            });
        }
        let row = self.rows.row(self.rows.slot_of(writer, id)?)?;
        Some(Named {
            timestamp: row.event.timestamp(),
            tag: row.tag(),
            valid: row.is_valid(),
        })
    }

    fn knows(&self, id: EventId) -> bool {
        self.rows.writers().has_seen(id) || self.strays.contains(id)
    }

    /// The aggregate.
    pub fn aggregate(&self) -> &AggregateId {
        &self.aggregate
    }

    /// The rule it is folded by, if one is bound to it.
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// The last place in the order that is taken; nothing without events in it.
    pub fn last(&self) -> Option<OrderKey> {
        self.last
    }

    /// What the heads and their pasts amount to as one past. Costs a sort of the writers.
    pub fn vector(&self) -> VersionVector {
        self.rows.writers().seen()
    }

    /// What became of an event, as of the last fold; nothing where it is not in memory, or not
    /// folded yet.
    pub fn outcome(&self, id: EventId) -> Option<Outcome> {
        self.rows.outcome(self.rows.find(id)?)
    }

    /// The events in memory, in canonical order; invalid ones, which have no place in it, follow.
    /// Costs a sort.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let mut order: Vec<&rows::Row> = self.rows.iter().collect();
        order.sort_by_key(|row| (!row.is_valid(), row.event.order_key()));
        order.into_iter().map(|row| &row.event)
    }

    /// An event that is in memory.
    pub fn event(&self, id: EventId) -> Option<&Event> {
        self.rows.find(id).map(|row| &row.event)
    }

    /// Whether an event is in memory.
    pub fn contains(&self, id: EventId) -> bool {
        self.rows.slot(id).is_some()
    }

    /// Whether every event is in memory.
    pub fn has_history(&self) -> bool {
        self.complete
    }

    /// Whether another fold may come to something else than the last one.
    pub fn has_news(&self) -> bool {
        self.news.any
    }

    /// How many events the aggregate has, in memory or not.
    pub fn len(&self) -> u64 {
        self.events
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// How many events are refused, invalid ones included; as of the last fold.
    pub fn rejections(&self) -> u64 {
        self.rejections
    }

    /// Roughly how much memory it takes, in bytes. The state counts as the payloads it came from,
    /// or as its stored form.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + OVERHEAD
            + self.rows.writers().bytes()
            + self.rows.payload_bytes()
            + self.fold.bytes()
            + self.history_bytes()
    }

    /// As many of these as go with its history.
    pub(crate) fn history_bytes(&self) -> usize {
        self.rows.bytes()
            + self.rows.len() * EVENT_OVERHEAD
            + self.rows.event_bytes()
            + self.checkpoints.bytes()
            + self.index.bytes()
    }

    /// The state as of the newest event.
    ///
    /// # Errors
    /// Why there is none; the last good one may be had all the same.
    pub fn state(&self) -> Result<&ErasedState, &Unresolved> {
        static NOT_FOLDED: Unresolved = Unresolved::NotFolded;
        if let Some(unresolved) = self.condition() {
            return Err(unresolved);
        }
        match &self.fold.prefix {
            Some(prefix) if self.is_folded() => Ok(&prefix.state),
            _ => Err(&NOT_FOLDED),
        }
    }

    /// The state as of the last event that could be folded.
    pub fn last_good(&self) -> Option<&ErasedState> {
        self.fold.prefix.as_ref().map(|prefix| &prefix.state)
    }

    /// What keeps the aggregate from being folded, as of the last attempt.
    pub fn condition(&self) -> Option<&Unresolved> {
        self.fold.odd.condition.as_ref()
    }
}

absent!(VersionVector, VersionVector::new());
absent!(BTreeSet<EventId>, BTreeSet::new());

/// Who wrote an event.
#[derive(Clone, Copy)]
struct Writer {
    replica: ReplicaId,
    /// As this aggregate counts its writers; nothing where it is a new one.
    number: Option<usize>,
}

/// What an event takes besides itself and its row: its place in the order.
const EVENT_OVERHEAD: usize = 8;
/// What an aggregate takes besides: its state's shell, and where it is found.
const OVERHEAD: usize = 256;
