use alloc::vec::Vec;

use super::columns::{CHECKSUM_LEN, Columns, NIBBLE_FULL, STAMP_ORIGIN, Sum, zigzag};
use super::dictionary::{Dictionary, References};
use super::lone;
use super::names::BlockNames;
use crate::event::output::{put_bytes, put_len, put_number};
use crate::event::{Commit, Event, EventId, ReplicaId, Timestamp};

/// Appends commits of any writers, in their order, as one block. See the
/// [format](crate::protocol::wire).
///
/// At most [`BLOCK_EVENTS_MAX`](crate::limits::BLOCK_EVENTS_MAX) events and
/// [`BLOCK_BYTES_MAX`](crate::limits::BLOCK_BYTES_MAX) canonical bytes, which the caller sees to: a
/// larger block is not read back. Cost: one look at each event, one copy of each payload.
pub fn encode_block<'a>(commits: impl IntoIterator<Item = &'a Commit>, out: &mut Vec<u8>) {
    encode_block_with(commits, BlockNames::NONE, out);
}

/// The same; replicas and event types that have a number are told by it.
pub fn encode_block_with<'a>(
    commits: impl IntoIterator<Item = &'a Commit>,
    names: &BlockNames,
    out: &mut Vec<u8>,
) {
    let mut commits = commits.into_iter();
    let first_two = [commits.next(), commits.next()];
    if let [Some(commit), None] = first_two
        && lone::put(commit, names, out)
    {
        return;
    }
    let commits: Vec<&Commit> = first_two.into_iter().flatten().chain(commits).collect();
    encode_many(&commits, names, out);
}

/// The general way.
pub(super) fn encode_many(commits: &[&Commit], names: &BlockNames, out: &mut Vec<u8>) {
    let mut encoder = Encoder::new();
    // Writers come first among replicas, so each must be known before the first head is.
    for commit in commits {
        let writer = encoder.replicas.index(commit.replica().to_bytes());
        encoder.writers.push(writer);
    }
    encoder.writer_count = encoder.replicas.len();
    encoder
        .tracks
        .resize(encoder.writer_count, Track::default());
    for commit in commits {
        encoder.commit(commit);
    }
    encoder.finish(commits, names, out);
}

/// Bytes of the last two parts of the block of these commits, which differ in kind from what is before
/// them: checksums, which look like noise, and payloads. Whoever compresses a block does so in three
/// pieces.
pub fn block_tail<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> [usize; 2] {
    let (mut events, mut payloads) = (0, 0);
    for event in commits.into_iter().flat_map(Commit::events) {
        events += 1;
        payloads += event.payload().len();
    }
    match events {
        0 => [0, 0],
        events => [events * CHECKSUM_LEN + Sum::len(events), payloads],
    }
}

/// What a block has told of one replica so far.
#[derive(Clone, Copy, Default)]
struct Track {
    /// Seq of its last event that was told, as an event, a head or a replaced one.
    seen: u64,
    /// The seq that its next commit is expected to begin with, once it has one.
    next: Option<u64>,
}

/// A column of which nothing is written while all of it is zero.
#[derive(Default)]
struct Sparse {
    bytes: Vec<u8>,
    zeros: usize,
}

impl Sparse {
    #[inline]
    fn push(&mut self, number: u64) {
        if number == 0 && self.bytes.is_empty() {
            self.zeros += 1;
        } else {
            self.put(number);
        }
    }

    #[inline(never)]
    fn put(&mut self, number: u64) {
        put_number(number, self.begun());
    }

    /// The column with everything so far written.
    fn begun(&mut self) -> &mut Vec<u8> {
        self.bytes
            .resize(self.bytes.len() + core::mem::take(&mut self.zeros), 0);
        &mut self.bytes
    }

    fn is_there(&self) -> bool {
        !self.bytes.is_empty()
    }
}

/// Sizes of payloads, which are often all the same.
#[derive(Default)]
struct Sizes {
    first: usize,
    count: usize,
    differ: bool,
    bytes: Vec<u8>,
}

impl Sizes {
    #[inline]
    fn push(&mut self, size: usize) {
        if self.count == 0 {
            self.first = size;
        } else if !self.differ && size != self.first {
            self.differ = true;
            for _ in 0..self.count {
                put_len(self.first, &mut self.bytes);
            }
        }
        self.count += 1;
        if self.differ {
            put_len(size, &mut self.bytes);
        }
    }

    /// A single payload is what remains of the block.
    fn put(&self, out: &mut Vec<u8>) {
        if self.count == 1 {
            return;
        }
        if self.differ {
            out.extend_from_slice(&self.bytes);
        } else {
            put_len(self.first, out);
        }
    }
}

struct Encoder<'a> {
    replicas: Dictionary<[u8; 16]>,
    writer_count: usize,
    tracks: Vec<Track>,
    aggregates: Dictionary<&'a [u8]>,
    /// The last event of each aggregate.
    latest: Vec<Option<EventId>>,
    types: Dictionary<&'a str>,
    writers: References,
    aggregate_of: References,
    type_of: References,
    stamp: Timestamp,
    lengths: Sparse,
    firsts: Vec<u8>,
    steps: Sparse,
    stamps: Vec<u8>,
    walls: Sparse,
    head_counts: Sparse,
    head_ids: Vec<u8>,
    head_tags: Vec<u8>,
    replaced: Sparse,
    metadata: Sparse,
    sizes: Sizes,
    payload_bytes: usize,
}

impl<'a> Encoder<'a> {
    fn new() -> Self {
        Self {
            replicas: Dictionary::new(),
            writer_count: 0,
            tracks: Vec::new(),
            aggregates: Dictionary::new(),
            latest: Vec::new(),
            types: Dictionary::new(),
            writers: References::new(),
            aggregate_of: References::new(),
            type_of: References::new(),
            stamp: Timestamp::at_millis(STAMP_ORIGIN),
            lengths: Sparse::default(),
            firsts: Vec::new(),
            steps: Sparse::default(),
            stamps: Vec::new(),
            walls: Sparse::default(),
            head_counts: Sparse::default(),
            head_ids: Vec::new(),
            head_tags: Vec::new(),
            replaced: Sparse::default(),
            metadata: Sparse::default(),
            sizes: Sizes::default(),
            payload_bytes: 0,
        }
    }

    fn commit(&mut self, commit: &'a Commit) {
        let [first_event, ..] = commit.events() else {
            return;
        };
        let (span, stamp) = (commit.span(), commit.timestamp());
        self.lengths.push(u64::from(span.len()) - 1);
        let writer = self.replicas.index(commit.replica().to_bytes());
        let first = span.first().get();
        if let Some(track) = self.tracks.get_mut(writer) {
            match track.next {
                None => put_number(first, &mut self.firsts),
                Some(expected) => self.steps.push(zigzag(expected, first)),
            }
            track.next = Some(span.last().get().wrapping_add(1));
        }
        put_stamp(self.stamp, stamp, &mut self.stamps);
        self.stamp = stamp;
        self.walls
            .push(zigzag(stamp.millis(), first_event.written_ms()));
        for event in commit.events() {
            self.event(event, writer);
        }
    }

    fn event(&mut self, event: &'a Event, writer: usize) {
        let aggregate = self.aggregates.index(event.aggregate().as_bytes());
        self.aggregate_of.push(aggregate);
        self.latest
            .resize(self.latest.len().max(aggregate + 1), None);
        let kind = self.types.index(event.event_type().as_str());
        self.type_of.push(kind);
        self.heads(event, aggregate);
        match event.replaces() {
            None => self.replaced.push(0),
            Some(id) => {
                let (replica, distance) = self.named(id);
                put_len(replica + 1, self.replaced.begun());
                put_number(distance, self.replaced.begun());
            }
        }
        let metadata = event.metadata();
        if metadata.is_empty() {
            self.metadata.push(0);
        } else {
            let out = self.metadata.begun();
            put_len(metadata.len(), out);
            for (key, value) in metadata.iter() {
                put_bytes(key.as_bytes(), out);
                put_bytes(value.as_bytes(), out);
            }
        }
        let id = event.id();
        if let Some(track) = self.tracks.get_mut(writer) {
            track.seen = id.seq.get();
        }
        if let Some(latest) = self.latest.get_mut(aggregate) {
            *latest = Some(id);
        }
        self.sizes.push(event.payload().len());
        self.payload_bytes += event.payload().len();
    }

    fn heads(&mut self, event: &Event, aggregate: usize) {
        let heads = event.heads();
        let latest = self.latest.get(aggregate).copied().flatten();
        if let [head] = heads.as_slice()
            && Some(head.id) == latest
        {
            self.head_counts.push(1);
        } else {
            let count = u64::try_from(heads.len()).unwrap_or(u64::MAX);
            self.head_counts
                .push(if count == 0 { 0 } else { count + 1 });
            for head in heads {
                let (replica, distance) = self.named(head.id);
                put_len(replica, &mut self.head_ids);
                put_number(distance, &mut self.head_ids);
            }
        }
        for head in heads {
            self.head_tags
                .extend_from_slice(&head.tag.to_bits().to_le_bytes());
        }
    }

    /// Which replica, and how far from its last event that was told.
    fn named(&mut self, id: EventId) -> (usize, u64) {
        let replica = self.replicas.index(id.replica.to_bytes());
        self.tracks
            .resize(self.tracks.len().max(replica + 1), Track::default());
        let seq = id.seq.get();
        let distance = self.tracks.get_mut(replica).map_or(seq, |track| {
            let distance = zigzag(track.seen, seq);
            track.seen = seq;
            distance
        });
        (replica, distance)
    }

    fn columns(&self, commits: usize, knows_any: bool) -> Columns {
        let mut columns = Columns::default();
        columns.add_if(commits != 1, Columns::COMMITS);
        columns.add_if(self.writers.are_several(), Columns::WRITERS);
        columns.add_if(self.aggregate_of.are_several(), Columns::AGGREGATES);
        columns.add_if(self.type_of.are_several(), Columns::TYPES);
        columns.add_if(self.head_counts.is_there(), Columns::HEADS);
        columns.add_if(self.sizes.differ, Columns::SIZES);
        columns.add_if(knows_any, Columns::NAMES);
        columns.add_if(self.lengths.is_there(), Columns::LENGTHS);
        columns.add_if(self.walls.is_there(), Columns::WALLS);
        columns.add_if(self.steps.is_there(), Columns::STEPS);
        columns.add_if(self.replaced.is_there(), Columns::REPLACES);
        columns.add_if(self.metadata.is_there(), Columns::METADATA);
        columns
    }

    fn finish(self, commits: &[&Commit], names: &BlockNames, out: &mut Vec<u8>) {
        let number = |id: &[u8; 16]| names.number_of_replica(ReplicaId::from_bytes(*id));
        let type_number = |text: &str| names.number_of_type(text);
        let knows_any = !names.is_empty()
            && (self.replicas.keys().any(|id| number(&id).is_some())
                || self.types.keys().any(|text| type_number(text).is_some()));
        let columns = self.columns(commits.len(), knows_any);
        let put_replica = |id: [u8; 16], out: &mut Vec<u8>| {
            if !knows_any || !put_known(number(&id), out) {
                out.extend_from_slice(&id);
            }
        };
        out.reserve(self.payload_bytes + self.sizes.count * 8 + 64);
        put_number(columns.to_bits(), out);
        if columns.has(Columns::COMMITS) {
            put_len(commits.len(), out);
        }
        if commits.is_empty() {
            return;
        }
        out.extend_from_slice(&self.lengths.bytes);
        self.writers.put_count(out);
        for id in self.replicas.keys().take(self.writer_count) {
            put_replica(id, out);
        }
        self.writers.put(out);
        if columns.has(Columns::HEADS) || columns.has(Columns::REPLACES) {
            put_len(self.replicas.len() - self.writer_count, out);
        }
        for id in self.replicas.keys().skip(self.writer_count) {
            put_replica(id, out);
        }
        self.type_of.put_count(out);
        for text in self.types.keys() {
            if !knows_any || !put_known(type_number(text), out) {
                put_bytes(text.as_bytes(), out);
            }
        }
        self.type_of.put(out);
        self.aggregate_of.put_count(out);
        put_names(&self.aggregates, out);
        self.aggregate_of.put(out);
        out.extend_from_slice(&self.firsts);
        out.extend_from_slice(&self.steps.bytes);
        out.extend_from_slice(&self.stamps);
        out.extend_from_slice(&self.walls.bytes);
        out.extend_from_slice(&self.head_counts.bytes);
        out.extend_from_slice(&self.head_ids);
        out.extend_from_slice(&self.head_tags);
        for column in [&self.replaced, &self.metadata] {
            if column.is_there() {
                put_len(column.bytes.len(), out);
                out.extend_from_slice(&column.bytes);
            }
        }
        self.sizes.put(out);
        let mut sum = Sum::default();
        for event in commits.iter().flat_map(|commit| commit.events()) {
            let digest = event.digest();
            if let Some(checksum) = digest.to_bytes().first_chunk::<CHECKSUM_LEN>() {
                out.extend_from_slice(checksum);
            }
            sum.add(digest);
        }
        out.extend_from_slice(sum.bytes(self.sizes.count));
        for event in commits.iter().flat_map(|commit| commit.events()) {
            out.extend_from_slice(event.payload().as_bytes());
        }
    }
}

/// The stamp of a commit, told from the one before.
pub(super) fn put_stamp(before: Timestamp, stamp: Timestamp, out: &mut Vec<u8>) {
    let logic = stamp.logic();
    let (kind, follows) = match logic {
        0 => (0, None),
        _ if logic == before.logic() + 1 => (1, None),
        _ => (2, Some(logic)),
    };
    put_number(zigzag(before.millis(), stamp.millis()) * 3 + kind, out);
    if let Some(logic) = follows {
        put_number(logic, out);
    }
}

/// Tells an entry by its number, or that it follows. Whether it had one.
pub(super) fn put_known(number: Option<u32>, out: &mut Vec<u8>) -> bool {
    put_number(number.map_or(0, |number| u64::from(number) + 1), out);
    number.is_some()
}

/// Names by what they do not share with the one before.
fn put_names(names: &Dictionary<&[u8]>, out: &mut Vec<u8>) {
    let mut rests = Vec::new();
    let mut suffixes = Vec::new();
    let mut last: &[u8] = &[];
    for name in names.keys() {
        let shared = shared_len(last, name);
        let suffix = name.get(shared..).unwrap_or_default();
        let mut byte = 0;
        for (shift, part) in [(4, shared), (0, suffix.len())] {
            byte |= part.min(NIBBLE_FULL) << shift;
            if part >= NIBBLE_FULL {
                put_len(part - NIBBLE_FULL, &mut rests);
            }
        }
        out.push(byte.to_le_bytes()[0]);
        suffixes.extend_from_slice(suffix);
        last = name;
    }
    out.extend_from_slice(&rests);
    out.extend_from_slice(&suffixes);
}

/// How many bytes two names begin with that are the same. Looked at eight at a time.
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let words = a_words.iter().zip(b_words).take_while(|(a, b)| a == b);
    let before = words.count() * 8;
    let [a, b] = [a, b].map(|name| name.get(before..).unwrap_or_default());
    before + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_names_share_is_counted_to_the_byte() {
        for len in 0..30 {
            let name = alloc::vec![b'x'; len];
            for at in 0..=len {
                for other_len in at..30 {
                    let mut other = alloc::vec![b'x'; other_len];
                    if let Some(byte) = other.get_mut(at) {
                        *byte = b'y';
                    }
                    let shared = at.min(other_len);
                    assert_eq!(shared_len(&name, &other), shared);
                    assert_eq!(shared_len(&other, &name), shared);
                }
            }
        }
    }
}
