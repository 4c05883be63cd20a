//! Why a value is what it is: its sources, its races, what was refused and what was replaced.
//!
//! Everything here is a report for people, made when somebody asks and kept nowhere. What an
//! explanation says of causality, verdicts and outcomes is the same on every replica with the same
//! events; [`late`](ExplainedRace::late), [`rewrote`](ExplainedRace::rewrote) and the
//! [condition](Explanation::condition) tell what happened at this one.
//!
//! This file holds what is told and knows neither timelines nor how to find it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Outcome, Unresolved};
use crate::event::{AggregateId, Event, EventId, EventType, OrderKey, Timestamp};
use crate::limits::RACE_PAGE_MAX;
use crate::resolver::{Key, Rejection, ResolverId, Verdict};

/// What can be told of one aggregate: its value piece by piece, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The aggregate.
    pub aggregate: AggregateId,
    /// The rule it is folded by, if one is bound to it.
    pub rule: Option<ResolverId>,
    /// What keeps it from being folded here, as of the last attempt; what follows is then told of
    /// the last good state.
    pub condition: Option<Unresolved>,
    /// How many events there are.
    pub events: u64,
    /// How many of them are refused, invalid ones included.
    pub rejections: u64,
    /// The maximal events, in the order of ids.
    pub heads: Vec<EventId>,
    /// The value, piece by piece, in the order of keys; at most [`PIECES_MAX`] of them.
    ///
    /// [`PIECES_MAX`]: crate::limits::PIECES_MAX
    pub pieces: Vec<ExplainedPiece>,
    /// Whether there are more pieces than are listed.
    pub more_pieces: bool,
    /// Refused events and why: the last [`REFUSED_MAX`] in canonical order, invalid ones at the end.
    ///
    /// [`REFUSED_MAX`]: crate::limits::REFUSED_MAX
    pub refused: Vec<(Party, Rejection)>,
    /// Events that the fold skips, and which one stands for each: the last [`REFUSED_MAX`] in
    /// canonical order.
    ///
    /// [`REFUSED_MAX`]: crate::limits::REFUSED_MAX
    pub replaced: Vec<(Party, EventId)>,
    /// One page of races.
    pub races: Vec<ExplainedRace>,
    /// Where the next page begins; nothing after the last one.
    pub next: Option<RaceCursor>,
}

/// One piece of a value, and the events that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedPiece {
    /// The place.
    pub key: Key,
    /// What is there, in canonical CBOR.
    pub value: Vec<u8>,
    /// Whether a person has to decide between values that are all kept.
    pub open: bool,
    /// The name, for people, of the rule that decides there.
    pub rule: String,
    /// Where it comes from; in canonical order.
    pub from: Sources,
}

/// The events that a piece of a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sources {
    /// The rule says that these are all. At most [`SOURCES_MAX`] are listed.
    ///
    /// [`SOURCES_MAX`]: crate::limits::SOURCES_MAX
    Told {
        /// The last ones in canonical order.
        parties: Vec<Party>,
        /// How many others there are: earlier ones, and those that are not in memory.
        more: u64,
    },
    /// The rule does not say: these are the last applied events that touch the place, at most
    /// [`SOURCES_MAX`].
    ///
    /// [`SOURCES_MAX`]: crate::limits::SOURCES_MAX
    LastTouches {
        /// The last ones in canonical order.
        parties: Vec<Party>,
        /// Whether there may be earlier ones.
        more: bool,
    },
}

impl Sources {
    /// The listed events.
    pub fn parties(&self) -> &[Party] {
        match self {
            Self::Told { parties, .. } | Self::LastTouches { parties, .. } => parties,
        }
    }
}

/// An event that an explanation speaks of. Cloning shares the event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Party {
    /// The event with everything its writer said.
    pub event: Event,
    /// What became of it; nothing where it has not been folded.
    pub outcome: Option<Outcome>,
}

impl Party {
    /// An event with what became of it.
    pub const fn new(event: Event, outcome: Option<Outcome>) -> Self {
        Self { event, outcome }
    }

    /// Its identity, which holds its writer.
    pub fn id(&self) -> EventId {
        self.event.id()
    }

    /// What kind of fact it states.
    pub fn event_type(&self) -> &EventType {
        self.event.event_type()
    }

    /// The stamp that orders it.
    pub fn timestamp(&self) -> Timestamp {
        self.event.timestamp()
    }

    /// What its writer's own clock said, in milliseconds since 1970. Orders nothing.
    pub fn written_ms(&self) -> u64 {
        self.event.written_ms()
    }

    /// Whether it was admitted and applied.
    pub const fn is_applied(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Applied))
    }

    /// Why it is refused, if it is.
    pub const fn rejection(&self) -> Option<&Rejection> {
        match &self.outcome {
            Some(Outcome::Rejected(rejection)) => Some(rejection),
            _ => None,
        }
    }
}

/// Two events that did not know of each other and touch the same places.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedRace {
    /// The one that is earlier in canonical order.
    pub earlier: Party,
    /// The one that is later in canonical order.
    pub later: Party,
    /// The places that both touch, in the order of keys: the first [`CONTESTED_MAX`] of them.
    ///
    /// [`CONTESTED_MAX`]: crate::limits::CONTESTED_MAX
    pub contested: Vec<Contested>,
    /// Whether there are more places than are listed; none is listed where the rule panicked when it
    /// was asked about the two.
    pub more_contested: bool,
    /// Whether the earlier one became known here after the later one.
    pub late: bool,
    /// Whether it thereby changed what had been the value here at one of the listed places: both
    /// were admitted and the verdict is not that the later one wins or that they agree, or the later
    /// one is refused now. Where the rule does not tell what either says at a place, it counts as
    /// changed.
    pub rewrote: bool,
}

impl ExplainedRace {
    /// Whether the race changed nothing anywhere: both say the same at every listed place.
    pub fn is_agreed(&self) -> bool {
        let agree = |place: &Contested| place.verdict == Verdict::Agree;
        !self.more_contested && self.contested.iter().all(agree)
    }

    /// Where the page that follows this race begins.
    pub fn cursor(&self) -> RaceCursor {
        RaceCursor {
            later: self.later.event.order_key(),
            earlier: self.earlier.event.order_key(),
        }
    }
}

/// One place that both events of a race touch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contested {
    /// The place.
    pub key: Key,
    /// What the rule decides there between the two.
    pub verdict: Verdict,
    /// The name, for people, of the rule that decides there.
    pub rule: String,
    /// What the earlier one says there, in canonical CBOR. Nothing where it says nothing, as when it
    /// removes or only reads, or the rule does not tell; for the whole state it is then the whole
    /// payload as it was written.
    pub earlier_value: Option<Vec<u8>>,
    /// The same of the later one.
    pub later_value: Option<Vec<u8>>,
    /// Whose word does not count there, if that of one of them.
    pub overruled: Option<Side>,
    /// Where it is left to a person: the first event behind both that had seen them and says
    /// something there, if it is near enough to be found.
    pub decided_by: Option<Party>,
}

/// One of the two events of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that is earlier in canonical order.
    Earlier,
    /// The one that is later in canonical order.
    Later,
}

/// Which races are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhichRaces {
    /// Those that changed something: not those that [agree](ExplainedRace::is_agreed) everywhere.
    #[default]
    Changing,
    /// All.
    All,
}

/// Which page of races is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RaceQuery {
    /// The race after which the page begins; nothing means from the first.
    pub after: Option<RaceCursor>,
    /// Races on the page: 1 to [`RACE_PAGE_MAX`], and other values count as the nearest of these.
    pub limit: usize,
    /// Which races are listed.
    pub which: WhichRaces,
}

impl Default for RaceQuery {
    fn default() -> Self {
        Self {
            after: None,
            limit: RACE_PAGE_MAX,
            which: WhichRaces::default(),
        }
    }
}

impl RaceQuery {
    /// The first page of one size.
    #[must_use]
    pub fn first(limit: usize, which: WhichRaces) -> Self {
        Self {
            after: None,
            limit,
            which,
        }
    }

    /// The page that begins at a cursor, with the same choices.
    #[must_use]
    pub fn after(self, cursor: RaceCursor) -> Self {
        Self {
            after: Some(cursor),
            ..self
        }
    }
}

/// One page of races.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RacePage {
    /// By the canonical order of the later event, then of the earlier one.
    pub races: Vec<ExplainedRace>,
    /// Where the next page begins; nothing after the last one.
    pub next: Option<RaceCursor>,
}

/// A place between two pairs in the order in which races are listed. Means the same on every replica;
/// what came meanwhile is listed if it lies behind it. As text it has no spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RaceCursor {
    /// The later event of the last pair before it.
    pub later: OrderKey,
    /// The earlier event of that pair.
    pub earlier: OrderKey,
}

/// Text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the cursor of a page of races")]
pub struct NotARaceCursor;

impl fmt::Display for RaceCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OrderKey { timestamp, .. } = self.later;
        write!(f, "{:x}@{}/", timestamp.to_bits(), self.later.id())?;
        let OrderKey { timestamp, .. } = self.earlier;
        write!(f, "{:x}@{}", timestamp.to_bits(), self.earlier.id())
    }
}

impl FromStr for RaceCursor {
    type Err = NotARaceCursor;

    fn from_str(text: &str) -> Result<Self, NotARaceCursor> {
        let key = |text: &str| {
            let (bits, id) = text.split_once('@')?;
            let EventId { replica, seq } = id.parse().ok()?;
            Some(OrderKey {
                timestamp: Timestamp::from_bits(u64::from_str_radix(bits, 16).ok()?),
                replica,
                seq,
            })
        };
        let cursor = text.split_once('/').and_then(|(later, earlier)| {
            Some(Self {
                later: key(later)?,
                earlier: key(earlier)?,
            })
        });
        cursor.ok_or(NotARaceCursor)
    }
}

/// How many races there are, and what was decided. A race with several places may count under
/// several verdicts, under each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RaceCounts {
    /// Pairs of events that race.
    pub pairs: u64,
    /// Pairs that are not agreed everywhere.
    pub changing: u64,
    /// Pairs in which the later one wins somewhere.
    pub later_wins: u64,
    /// Pairs in which the earlier one wins somewhere.
    pub earlier_wins: u64,
    /// Pairs of which both have their effect somewhere.
    pub merged: u64,
    /// Pairs of which both are kept somewhere.
    pub both_kept: u64,
    /// Pairs that say the same somewhere.
    pub agree: u64,
    /// Pairs that wait for a person somewhere.
    pub open: u64,
    /// Whether there may be more than were counted.
    pub more: bool,
}
