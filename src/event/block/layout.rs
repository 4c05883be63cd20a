use alloc::vec::{IntoIter, Vec};

use super::columns::{CHECKSUM_LEN, Columns, NIBBLE_FULL, Sum, unzigzag};
use super::names::BlockNames;
use crate::event::input::Input;
use crate::event::{AggregateId, CodecError, EventError, EventId, EventType, ReplicaId, Timestamp};
use crate::limits::{
    AGGREGATE_ID_BYTES_MAX, BLOCK_BYTES_MAX, BLOCK_EVENTS_MAX, COMMIT_EVENTS_MAX,
    EVENT_TYPE_BYTES_MAX, HEADS_MAX,
};

/// Where each column of a block lies, and what its dictionaries hold. Nothing here is larger than
/// the bytes that were there for it, names and stamps aside, which are bounded.
pub(super) struct Layout<'a> {
    pub(super) commits: usize,
    pub(super) lengths: Column<'a>,
    /// Every replica that is named: the writers first.
    pub(super) tracks: Vec<Track>,
    pub(super) writers: References<'a>,
    pub(super) types: Table<'a, EventType>,
    pub(super) aggregates: Table<'a, Named>,
    pub(super) firsts: Input<'a>,
    pub(super) steps: Column<'a>,
    pub(super) stamps: IntoIter<ToldStamp>,
    pub(super) walls: Column<'a>,
    pub(super) head_counts: Column<'a>,
    pub(super) head_ids: Input<'a>,
    pub(super) head_tags: Input<'a>,
    pub(super) replaced: Column<'a>,
    pub(super) metadata: Column<'a>,
    pub(super) sizes: Sizes<'a>,
    pub(super) checksums: Input<'a>,
    pub(super) sum: &'a [u8],
    pub(super) events: usize,
    pub(super) payloads: Input<'a>,
}

/// A replica, and what the block has told of it so far.
pub(super) struct Track {
    pub(super) id: ReplicaId,
    /// Seq of its last event that was told, as an event, a head or a replaced one.
    pub(super) seen: u64,
    /// The seq that its next commit is expected to begin with, once it has one.
    pub(super) next: Option<u64>,
}

/// An aggregate, and its last event that was read.
pub(super) struct Named {
    pub(super) name: AggregateId,
    pub(super) latest: Option<EventId>,
}

/// A column that is left out where all of it is zero.
#[derive(Default)]
pub(super) struct Column<'a>(Option<Input<'a>>);

impl<'a> Column<'a> {
    #[inline]
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        match &mut self.0 {
            None => Ok(0),
            Some(input) => input.number(what),
        }
    }

    #[inline]
    pub(super) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// For what follows a number that was not zero, so it is there.
    pub(super) fn input(&mut self) -> &mut Input<'a> {
        self.0.get_or_insert_default()
    }

    fn finish(self) -> Result<(), CodecError> {
        self.0.map_or(Ok(()), Input::finish)
    }
}

/// The sizes of all payloads.
pub(super) enum Sizes<'a> {
    /// There is one, and it is what remains.
    Remainder,
    Equal(u64),
    Each(Input<'a>),
}

impl Sizes<'_> {
    #[inline]
    pub(super) fn next(&mut self, left: usize, what: &'static str) -> Result<u64, CodecError> {
        match self {
            Self::Remainder => Ok(u64::try_from(left).unwrap_or(u64::MAX)),
            Self::Equal(size) => Ok(*size),
            Self::Each(input) => input.number(what),
        }
    }
}

/// Which entries of a dictionary are meant, one after the other.
pub(super) struct References<'a> {
    entries: usize,
    introduced: usize,
    written: Option<Input<'a>>,
}

impl References<'_> {
    /// The index of the next one, which is less than the number of entries.
    #[inline]
    pub(super) fn next(&mut self, what: &'static str) -> Result<usize, CodecError> {
        let number = match &mut self.written {
            Some(input) => input.number(what)?,
            None => 0,
        };
        let is_new = number == 0 && self.introduced < self.entries;
        if is_new {
            self.introduced += 1;
            return Ok(self.introduced - 1);
        }
        let index = match (number, &self.written) {
            (0, None) => Some(self.entries - 1),
            _ => usize::try_from(number).ok().and_then(|n| n.checked_sub(1)),
        };
        index
            .filter(|index| *index < self.introduced)
            .ok_or(CodecError::OutOfRange { what })
    }

    fn finish(&self, what: &'static str) -> Result<(), CodecError> {
        if self.introduced == self.entries {
            Ok(())
        } else {
            Err(CodecError::OutOfRange { what })
        }
    }
}

/// A dictionary with the references into it.
pub(super) struct Table<'a, T> {
    pub(super) entries: Vec<T>,
    pub(super) references: References<'a>,
}

impl<'a> Layout<'a> {
    /// Finds the columns of a block; nothing if it holds no commits. Cost: a look at each byte that is
    /// not part of a payload.
    pub(super) fn read(
        input: &mut Input<'a>,
        columns: Columns,
        names: &BlockNames,
    ) -> Result<Option<Self>, CodecError> {
        let names = columns.has(Columns::NAMES).then_some(names);
        let mut commits = 1;
        if columns.has(Columns::COMMITS) {
            commits = input.count("number of commits", BLOCK_EVENTS_MAX)?;
        }
        if commits == 0 {
            return Ok(None);
        }
        let what = "length of a commit";
        let lengths = column(input, columns.has(Columns::LENGTHS), commits, what)?;
        let events = events(commits, &lengths)?;
        if events > input.len() / CHECKSUM_LEN {
            return Err(CodecError::Truncated { what: "checksums" });
        }
        let (writers, mut tracks) = writers(input, columns, commits, names)?;
        if columns.has(Columns::HEADS) || columns.has(Columns::REPLACES) {
            let others = input.count("number of replicas", input.len())?;
            read_replicas(input, others, names, &mut tracks)?;
        }
        let types = types(input, columns, events, names)?;
        let aggregates = aggregates(input, columns, events)?;
        let firsts = input.numbers(writers.entries, "first seq")?;
        let others = commits - writers.entries;
        let steps = column(input, columns.has(Columns::STEPS), others, "step of seqs")?;
        let stamps = stamps(input, commits)?;
        let walls = column(input, columns.has(Columns::WALLS), commits, "wall time")?;
        let what = "number of heads";
        let head_counts = column(input, columns.has(Columns::HEADS), events, what)?;
        let (heads, told) = heads(events, &head_counts)?;
        let head_ids = input.numbers(told.saturating_mul(2), "head")?;
        let head_tags = Input::new(input.take(heads.saturating_mul(2), "tag of a head")?);
        let replaced = sized(input, columns.has(Columns::REPLACES), "replaced events")?;
        let metadata = sized(input, columns.has(Columns::METADATA), "metadata")?;
        let sizes = sizes(input, columns, events)?;
        let checksums = Input::new(input.take(events * CHECKSUM_LEN, "checksums")?);
        let sum = input.take(Sum::len(events), "sum of the checksums")?;
        Ok(Some(Self {
            commits,
            lengths,
            tracks,
            writers,
            types,
            aggregates,
            firsts,
            steps,
            stamps,
            walls,
            head_counts,
            head_ids,
            head_tags,
            replaced,
            metadata,
            sizes,
            checksums,
            sum,
            events,
            payloads: Input::new(input.take(input.len(), "payloads")?),
        }))
    }

    /// Everything must have been used.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        self.writers.finish("number of writers")?;
        self.types.references.finish("number of event types")?;
        self.aggregates.references.finish("number of aggregates")?;
        self.replaced.finish()?;
        self.metadata.finish()?;
        self.payloads.finish()
    }
}

fn sizes<'a>(
    input: &mut Input<'a>,
    columns: Columns,
    events: usize,
) -> Result<Sizes<'a>, CodecError> {
    let what = "size of a payload";
    Ok(if columns.has(Columns::SIZES) {
        Sizes::Each(input.numbers(events, what)?)
    } else if events == 1 {
        Sizes::Remainder
    } else {
        Sizes::Equal(input.number(what)?)
    })
}

fn column<'a>(
    input: &mut Input<'a>,
    is_there: bool,
    count: usize,
    what: &'static str,
) -> Result<Column<'a>, CodecError> {
    if !is_there {
        return Ok(Column(None));
    }
    input
        .numbers(count, what)
        .map(|column| Column(Some(column)))
}

/// A column that says how many bytes it takes.
fn sized<'a>(
    input: &mut Input<'a>,
    is_there: bool,
    what: &'static str,
) -> Result<Column<'a>, CodecError> {
    if !is_there {
        return Ok(Column(None));
    }
    let len = input.count(what, input.len())?;
    Ok(Column(Some(Input::new(input.take(len, what)?))))
}

/// How many events the commits hold.
fn events(commits: usize, lengths: &Column<'_>) -> Result<usize, CodecError> {
    let Column(Some(mut lengths)) = *lengths else {
        return Ok(commits);
    };
    let mut events = commits;
    for _ in 0..commits {
        events += lengths.count("length of a commit", COMMIT_EVENTS_MAX - 1)?;
    }
    if events > BLOCK_EVENTS_MAX {
        let what = "number of events";
        return Err(CodecError::OutOfRange { what });
    }
    Ok(events)
}

/// How many heads the events name, and how many of them are written.
fn heads(events: usize, counts: &Column<'_>) -> Result<(usize, usize), CodecError> {
    let Column(Some(mut counts)) = *counts else {
        return Ok((0, 0));
    };
    let (mut heads, mut told) = (0, 0);
    for _ in 0..events {
        match counts.count("number of heads", HEADS_MAX + 1)? {
            0 => {}
            1 => heads += 1,
            number => {
                heads += number - 1;
                told += number - 1;
            }
        }
    }
    Ok((heads, told))
}

/// A stamp as it is told, and its logic where that cannot be told from the one before.
pub(super) struct ToldStamp {
    pub(super) number: u64,
    pub(super) logic: u64,
}

impl ToldStamp {
    /// What follows the number is its logic.
    const WITH_LOGIC: u64 = 2;

    #[inline]
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, CodecError> {
        let what = "stamp";
        let number = input.number(what)?;
        let mut logic = 0;
        if number % 3 == Self::WITH_LOGIC {
            logic = input.number(what)?;
        }
        Ok(Self { number, logic })
    }

    /// The stamp, told from the one before.
    #[inline]
    pub(super) fn after(&self, before: Timestamp) -> Result<Timestamp, CodecError> {
        let millis = unzigzag(before.millis(), self.number / 3);
        let logic = match self.number % 3 {
            0 => 0,
            1 => before.logic() + 1,
            _ => self.logic,
        };
        if millis >> 48 != 0 || logic >> 16 != 0 {
            return Err(CodecError::OutOfRange { what: "stamp" });
        }
        Ok(Timestamp::from_bits((millis << 16) | logic))
    }
}

/// Where stamps end is told by nothing but themselves, so they are read once and kept, in a bounded
/// number of times the bytes that are there for a commit.
fn stamps(input: &mut Input<'_>, commits: usize) -> Result<IntoIter<ToldStamp>, CodecError> {
    let mut stamps = Vec::with_capacity(commits);
    for _ in 0..commits {
        stamps.push(ToldStamp::read(input)?);
    }
    Ok(stamps.into_iter())
}

/// Number of entries, and whether references follow them.
fn entries(
    input: &mut Input<'_>,
    are_several: bool,
    max: usize,
    what: &'static str,
) -> Result<(usize, bool), CodecError> {
    if !are_several {
        return Ok((1, false));
    }
    let number = input.count(what, BLOCK_EVENTS_MAX * 2 + 1)?;
    let (count, has_references) = (number / 2, number % 2 == 1);
    if count == 0 || count > max {
        return Err(CodecError::OutOfRange { what });
    }
    Ok((count, has_references))
}

fn references<'a>(
    input: &mut Input<'a>,
    (entries, are_written): (usize, bool),
    count: usize,
    what: &'static str,
) -> Result<References<'a>, CodecError> {
    let written = if are_written {
        Some(input.numbers(count, what)?)
    } else {
        None
    };
    Ok(References {
        entries,
        introduced: 0,
        written,
    })
}

/// An entry that is told by its number; nothing if it follows instead.
fn known<T>(
    input: &mut Input<'_>,
    names: Option<&BlockNames>,
    what: &'static str,
    find: impl FnOnce(&BlockNames, u32) -> Option<T>,
) -> Result<Option<T>, CodecError> {
    let Some(names) = names else {
        return Ok(None);
    };
    let Some(value) = input.number(what)?.checked_sub(1) else {
        return Ok(None);
    };
    let number = u32::try_from(value).ok();
    let found = number.and_then(|number| find(names, number));
    found.map(Some).ok_or(CodecError::Unknown { what, value })
}

fn writers<'a>(
    input: &mut Input<'a>,
    columns: Columns,
    commits: usize,
    names: Option<&BlockNames>,
) -> Result<(References<'a>, Vec<Track>), CodecError> {
    let what = "number of writers";
    let head = entries(input, columns.has(Columns::WRITERS), commits, what)?;
    let mut tracks = Vec::new();
    read_replicas(input, head.0, names, &mut tracks)?;
    Ok((references(input, head, commits, "writer")?, tracks))
}

fn read_replicas(
    input: &mut Input<'_>,
    count: usize,
    names: Option<&BlockNames>,
    tracks: &mut Vec<Track>,
) -> Result<(), CodecError> {
    for _ in 0..count {
        tracks.push(Track {
            id: read_replica(input, names)?,
            seen: 0,
            next: None,
        });
    }
    Ok(())
}

/// A replica, by its number or in full.
#[inline]
pub(super) fn read_replica(
    input: &mut Input<'_>,
    names: Option<&BlockNames>,
) -> Result<ReplicaId, CodecError> {
    match known(input, names, "number of a replica", BlockNames::replica)? {
        Some(id) => Ok(id),
        None => input.array("replica id").map(ReplicaId::from_bytes),
    }
}

/// An event type, by its number or in full.
#[inline]
pub(super) fn read_type(
    input: &mut Input<'_>,
    names: Option<&BlockNames>,
) -> Result<EventType, CodecError> {
    let find = |names: &BlockNames, number| names.event_type(number).cloned();
    if let Some(event_type) = known(input, names, "number of an event type", find)? {
        return Ok(event_type);
    }
    let text = input.text("event type", EVENT_TYPE_BYTES_MAX)?;
    Ok(EventType::new(text).map_err(EventError::from)?)
}

fn types<'a>(
    input: &mut Input<'a>,
    columns: Columns,
    events: usize,
    names: Option<&BlockNames>,
) -> Result<Table<'a, EventType>, CodecError> {
    let what = "number of event types";
    let head = entries(input, columns.has(Columns::TYPES), events, what)?;
    let mut entries = Vec::new();
    for _ in 0..head.0 {
        entries.push(read_type(input, names)?);
    }
    let references = references(input, head, events, "event type")?;
    Ok(Table {
        entries,
        references,
    })
}

fn aggregates<'a>(
    input: &mut Input<'a>,
    columns: Columns,
    events: usize,
) -> Result<Table<'a, Named>, CodecError> {
    let what = "number of aggregates";
    let head = entries(input, columns.has(Columns::AGGREGATES), events, what)?;
    let entries = read_names(input, head.0)?;
    let references = references(input, head, events, "aggregate")?;
    Ok(Table {
        entries,
        references,
    })
}

/// Names are told by what they do not share with the one before, so a few bytes may stand for many:
/// their sum is bounded.
fn read_names(input: &mut Input<'_>, count: usize) -> Result<Vec<Named>, CodecError> {
    let what = "aggregate id";
    let halves = input.take(count, what)?;
    let is_full = |half: &u8| usize::from(*half) == NIBBLE_FULL;
    let full = halves.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut rests = input.numbers(full.filter(is_full).count(), what)?;
    let mut half = |half: u8| match usize::from(half) {
        NIBBLE_FULL => rests
            .count(what, AGGREGATE_ID_BYTES_MAX)
            .map(|rest| rest + NIBBLE_FULL),
        small => Ok(small),
    };
    let mut names: Vec<Named> = Vec::with_capacity(count);
    let (mut whole, mut slash, mut bytes) = (Vec::new(), 0, 0);
    for byte in halves {
        let (shared, suffix) = (half(byte >> 4)?, half(byte & 15)?);
        let before = names.last().map(|named| &named.name);
        let kept = before.map_or(&[][..], AggregateId::as_bytes).get(..shared);
        let kept = kept.ok_or(CodecError::OutOfRange { what })?;
        let ahead = input.rest();
        let rest = input.take(suffix, what)?;
        bytes += shared + suffix;
        if bytes > BLOCK_BYTES_MAX {
            let what = "sum of aggregate ids";
            return Err(CodecError::OutOfRange { what });
        }
        let known = before.filter(|_| shared > slash);
        let quick = known.and_then(|before| before.continued(shared, ahead, suffix));
        let name = if let Some(name) = quick {
            name
        } else {
            whole.clear();
            whole.extend_from_slice(kept);
            whole.extend_from_slice(rest);
            slash = whole.iter().take_while(|byte| **byte != b'/').count();
            AggregateId::from_utf8(&whole)?
        };
        let latest = None;
        names.push(Named { name, latest });
    }
    Ok(names)
}
