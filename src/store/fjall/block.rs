//! Blocks: rows of the log that hold several consecutive entries, to the byte.
//!
//! ```text
//! log       position of the first entry u64 -> block | seal, see `rows`
//! block     entries varint
//!           | stretches of equal kind and origin until they cover the entries: kind u8 (0 ready,
//!             1 waiting, 2 released; +16 from) | from: replica 16 | entries varint
//!           | bytes varint of: of each released entry, how many positions before it its commit
//!             arrived: varint; of it, and of each other entry that does not follow one of its
//!             writer in this block: 0, or 1 and the chain before it 16
//!           | the commits of all entries that are not released, see `encode_block`
//! ```
//!
//! What follows a commit of its writer whose chain is known has the chain after that one. Varints
//! are LEB128. A block is written once and never changed.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::Bytes;

use super::rows::{
    SUM, count, entry_name, misfit, position_key, put_number, seal, take, take_number, unseal,
};
use crate::event::{Chain, Commit, ReplicaId, Seq, decode_block, encode_block};
use crate::log::{Entry, EntryKind};
use crate::store::StoreError;
use crate::store::ledger::Placed;

const FROM: u8 = 16;

/// An entry with its place.
pub(super) type Stored = (Entry, Placed);

/// Some consecutive entries, decoded.
#[derive(Debug)]
pub(super) struct Block {
    /// The position of the first one.
    pub(super) first: u64,
    lines: Vec<Line>,
    /// How many bytes the row has.
    pub(super) bytes: usize,
}

/// What a block says of one entry.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) kind: EntryKind,
    pub(super) from: Option<ReplicaId>,
    pub(super) chain_before: Option<Chain>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Commit(Commit),
    /// A released commit stands at the position where it arrived; what was before it may have come
    /// only since then.
    Arrival(u64),
}

impl Block {
    /// The position after the last entry.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(count(self.lines.len()))
    }

    pub(super) fn entries(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn line(&self, position: u64) -> Option<&Line> {
        let index = position.checked_sub(self.first)?;
        self.lines.get(usize::try_from(index).ok()?)
    }

    /// Canonical bytes of all commits, if each of them stands here.
    pub(super) fn commit_bytes(&self) -> Option<usize> {
        let mut bytes = 0_usize;
        for line in &self.lines {
            match &line.content {
                Content::Commit(commit) => bytes = bytes.saturating_add(commit.bytes()),
                Content::Arrival(_) => return None,
            }
        }
        Some(bytes)
    }

    /// The entries whose commits stand here, with their positions.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (u64, Entry)> {
        let entry = |(position, line): (u64, Line)| match line.content {
            Content::Commit(commit) => Some((
                position,
                Entry {
                    commit,
                    kind: line.kind,
                    from: line.from,
                    chain_before: line.chain_before,
                },
            )),
            Content::Arrival(_) => None,
        };
        (self.first..).zip(self.lines).filter_map(entry)
    }

    /// The row of some entries at consecutive positions.
    pub(super) fn row(first: u64, entries: &[&Stored]) -> Vec<u8> {
        let bytes: usize = entries.iter().map(|(entry, _)| entry.commit.bytes()).sum();
        let mut row = Vec::with_capacity(bytes + 64);
        put_number(count(entries.len()), &mut row);
        put_stretches(entries, &mut row);
        let mut chains = Vec::new();
        put_chains(entries, &mut chains);
        put_number(count(chains.len()), &mut row);
        row.extend_from_slice(&chains);
        let commits = entries.iter().map(|(entry, _)| entry);
        let commits = commits.filter(|entry| entry.kind != EntryKind::Released);
        encode_block(commits.map(|entry| &entry.commit), &mut row);
        seal(&position_key(first), row)
    }

    /// How many entries a row says that it holds, before it is checked.
    pub(super) fn claimed_entries(mut row: &[u8]) -> u64 {
        take_number(&mut row).unwrap_or(0)
    }

    /// The position after the last entry of a row, if the row is what was written.
    pub(super) fn end_of(first: u64, row: &[u8]) -> Option<u64> {
        let mut content = unseal(&position_key(first), row, String::new).ok()?;
        first.checked_add(take_number(&mut content)?)
    }

    /// Reads a row back. Payloads share its bytes.
    ///
    /// # Errors
    /// Names the block by its first entry, and says what the checksum of its commits tells.
    pub(super) fn read(first: u64, row: fjall::Slice) -> Result<Self, StoreError> {
        let sealed = unseal(&position_key(first), &row, || open_name(first)).map(drop);
        let row = Bytes::from_owner(row);
        let lines = read_content(first, &row.slice(..row.len().saturating_sub(SUM)));
        match (sealed, lines) {
            (Ok(()), Ok(lines)) => Ok(Self {
                first,
                lines,
                bytes: row.len(),
            }),
            (Err(StoreError::Damaged { what, reason }), Err(more)) => {
                Err(misfit(what, format!("{reason}, {more}")))
            }
            (Err(error), _) => Err(error),
            (Ok(()), Err(reason)) => Err(misfit(open_name(first), reason)),
        }
    }
}

/// The lines of a block, or what is wrong with it.
fn read_content(first: u64, content: &Bytes) -> Result<Vec<Line>, String> {
    let mut rest = &**content;
    let head = read_head(&mut rest);
    let (stretches, chains) = head.ok_or("its head is not one")?;
    let commits = decode_block(&content.slice(content.len() - rest.len()..));
    let commits = commits.map_err(|error| error.to_string())?;
    let lines = read_lines(first, &stretches, chains, commits);
    lines.ok_or_else(|| "its entries do not go with its head".into())
}

/// What a block is called whose end is not known.
fn open_name(first: u64) -> String {
    format!("log entries from {first} on")
}

/// What the entries before a position are called.
pub(super) fn name(first: u64, end: u64) -> String {
    if end <= first.saturating_add(1) {
        return entry_name(first);
    }
    format!("log entries {first} to {}", end.saturating_sub(1))
}

struct Stretch {
    kind: EntryKind,
    from: Option<ReplicaId>,
    entries: u64,
}

fn put_stretches(entries: &[&Stored], row: &mut Vec<u8>) {
    let alike = |(a, _): &&Stored, (b, _): &&Stored| a.kind == b.kind && a.from == b.from;
    for stretch in entries.chunk_by(alike) {
        let Some((entry, _)) = stretch.first() else {
            continue;
        };
        let kind = match entry.kind {
            EntryKind::Ready => 0,
            EntryKind::Waiting => 1,
            EntryKind::Released => 2,
        };
        row.push(kind + entry.from.map_or(0, |_| FROM));
        if let Some(from) = entry.from {
            row.extend_from_slice(&from.to_bytes());
        }
        put_number(count(stretch.len()), row);
    }
}

fn put_chains(entries: &[&Stored], out: &mut Vec<u8>) {
    let mut known: BTreeMap<ReplicaId, Option<Seq>> = BTreeMap::new();
    for (entry, placed) in entries {
        let commit = &entry.commit;
        if entry.kind == EntryKind::Released {
            put_number(placed.position.saturating_sub(placed.arrival), out);
            put_chain(entry.chain_before, out);
            continue;
        }
        let next = known.entry(commit.replica()).or_default();
        if *next != Some(commit.span().first()) {
            put_chain(placed.chain_before, out);
        }
        *next = placed.chain_before.and(commit.span().last().next());
    }
}

fn put_chain(chain: Option<Chain>, out: &mut Vec<u8>) {
    out.push(u8::from(chain.is_some()));
    if let Some(chain) = chain {
        out.extend_from_slice(&chain.to_bytes());
    }
}

fn take_chain(rest: &mut &[u8], chain: &mut Option<Chain>) -> Option<()> {
    match take(rest)? {
        [0] => {}
        [1] => *chain = Some(Chain::from_bytes(take(rest)?)),
        _ => return None,
    }
    Some(())
}

/// The stretches, and the bytes of the chains.
fn read_head<'r>(rest: &mut &'r [u8]) -> Option<(Vec<Stretch>, &'r [u8])> {
    let mut left = take_number(rest)?;
    let mut stretches = Vec::new();
    while left > 0 {
        let [flags] = take(rest)?;
        let kind = match flags & !FROM {
            0 => EntryKind::Ready,
            1 => EntryKind::Waiting,
            2 => EntryKind::Released,
            _ => return None,
        };
        let from = if flags & FROM == 0 {
            None
        } else {
            Some(ReplicaId::from_bytes(take(rest)?))
        };
        let entries = take_number(rest)?;
        left = left.checked_sub(entries)?;
        stretches.push(Stretch {
            kind,
            from,
            entries,
        });
    }
    let chains = usize::try_from(take_number(rest)?).ok()?;
    let (chains, commits) = rest.split_at_checked(chains)?;
    *rest = commits;
    Some((stretches, chains))
}

/// The next seq of each writer and the chain before it, where it is known.
#[derive(Default)]
struct Tracks {
    known: BTreeMap<ReplicaId, Option<(Seq, Chain)>>,
    /// The one asked for last, which most often is asked for again.
    last: Option<ReplicaId>,
    next: Option<(Seq, Chain)>,
}

impl Tracks {
    fn of(&mut self, writer: ReplicaId) -> &mut Option<(Seq, Chain)> {
        if self.last != Some(writer) {
            if let Some(last) = self.last.replace(writer) {
                self.known.insert(last, self.next);
            }
            self.next = self.known.get(&writer).copied().flatten();
        }
        &mut self.next
    }
}

fn read_lines(
    first: u64,
    stretches: &[Stretch],
    mut chains: &[u8],
    commits: Vec<Commit>,
) -> Option<Vec<Line>> {
    let mut commits = commits.into_iter();
    let mut lines = Vec::with_capacity(commits.len());
    let mut tracks = Tracks::default();
    for stretch in stretches {
        for _ in 0..stretch.entries {
            let mut chain_before = None;
            let content = if stretch.kind == EntryKind::Released {
                let position = first.checked_add(count(lines.len()))?;
                let arrival = position.checked_sub(take_number(&mut chains)?)?;
                take_chain(&mut chains, &mut chain_before)?;
                Content::Arrival(arrival)
            } else {
                let commit = commits.next()?;
                let span = commit.span();
                let track = tracks.of(commit.replica());
                match *track {
                    Some((next, chain)) if next == span.first() => chain_before = Some(chain),
                    _ => take_chain(&mut chains, &mut chain_before)?,
                }
                let next = chain_before.zip(span.last().next());
                *track = next.map(|(chain, next)| (next, commit.chain_after(chain)));
                Content::Commit(commit)
            };
            lines.push(Line {
                kind: stretch.kind,
                from: stretch.from,
                chain_before,
                content,
            });
        }
    }
    (chains.is_empty() && commits.next().is_none()).then_some(lines)
}
