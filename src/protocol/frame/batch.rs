//! Commits: whole ones as a block, and the parts of one that is too large for a frame.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::{
    BlockNames, ChainMark, CodecError, EventError, EventType, ReplicaId, encode_block_with,
    read_block,
};
use crate::limits::{
    BLOCK_EVENTS_MAX, BLOCK_NAMES_MAX, COMMIT_BYTES_MAX, EVENT_TYPE_BYTES_MAX, PART_BYTES_MAX,
    POSITION_MAX,
};
use crate::protocol::met::Met;
use crate::protocol::tells::Tell;
use crate::protocol::{Batch, Delivered, Part};

/// Most parts of one commit.
const PARTS_MAX: usize = COMMIT_BYTES_MAX.div_ceil(PART_BYTES_MAX);

/// Marks of chains follow.
const MARKS: u64 = 1;
/// What numbers stand for follows.
const TELLS: u64 = 2;

/// What stands before the block of a batch.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Front<'a> {
    pub(in crate::protocol) position: Option<u64>,
    /// What numbers stand for in the block, as far as the receiver may not know it.
    pub(in crate::protocol) tells: &'a [Tell],
    /// What the first commit of each writer of the block continues; nobody's if it is empty.
    pub(in crate::protocol) marks: &'a [Option<ChainMark>],
}

impl Front<'_> {
    /// More bytes than it takes, as a rule.
    pub(super) const fn room(&self) -> usize {
        16 + self.tells.len() * 32 + self.marks.len() * 5
    }

    pub(super) fn put(&self, out: &mut Writer) {
        let has_marks = self.marks.iter().any(Option::is_some);
        let position = self
            .position
            .map_or(0, |position| position.min(POSITION_MAX) + 1);
        let flag = |condition: bool, bit: u64| if condition { bit } else { 0 };
        out.number(position << 2 | flag(has_marks, MARKS) | flag(!self.tells.is_empty(), TELLS));
        if !self.tells.is_empty() {
            put_tells(self.tells, out);
        }
        if has_marks {
            put_marks(self.marks, out);
        }
    }
}

/// A mark of each writer, or a flag and a mark if not every one has one.
fn put_marks(marks: &[Option<ChainMark>], out: &mut Writer) {
    let is_partial = marks.iter().any(Option::is_none);
    out.len_of(marks.len() * 2 + usize::from(is_partial));
    for mark in marks {
        if is_partial {
            out.flag(mark.is_some());
        }
        if let Some(mark) = mark {
            out.raw(&mark.to_bytes());
        }
    }
}

fn put_tells(tells: &[Tell], out: &mut Writer) {
    out.len_of(tells.len());
    for tell in tells {
        match tell {
            Tell::Other(number, id) => {
                out.number(u64::from(*number) << 2);
                out.replica(*id);
            }
            Tell::Writer(number, id, mark) => {
                out.number(u64::from(*number) << 2 | if mark.is_some() { 2 } else { 0 });
                out.replica(*id);
                if let Some(mark) = mark {
                    out.raw(&mark.to_bytes());
                }
            }
            Tell::Type(number, event_type) => {
                out.number(u64::from(*number) << 2 | 1);
                out.bytes(event_type.as_str().as_bytes());
            }
        }
    }
}

pub(super) fn put_batch(batch: &Batch, out: &mut Writer) {
    let mut writers = Met::new();
    let mut marks = Vec::with_capacity(1);
    for delivered in &batch.commits {
        if writers.is_new(delivered.commit.replica()) {
            marks.push(delivered.continues);
        }
    }
    let front = Front {
        position: batch.position,
        tells: &[],
        marks: &marks,
    };
    front.put(out);
    let commits = batch.commits.iter().map(|delivered| &delivered.commit);
    encode_block_with(commits, BlockNames::NONE, out.buffer());
}

pub(super) fn read_batch(
    input: &mut Reader<'_>,
    names: &mut BlockNames,
) -> Result<Batch, CodecError> {
    let front = input.number("front of a batch")?;
    let mut told = None;
    if front & TELLS != 0 {
        told = Some(read_tells(input, names)?);
    }
    let mut marks = None;
    if front & MARKS != 0 {
        marks = Some(read_marks(input)?);
    }
    let (whole, block) = input.remaining();
    let delivered = |commit| Delivered {
        commit,
        continues: None,
    };
    let mut commits = read_block(whole, block, names, delivered)?;
    if told.is_some() || marks.is_some() {
        continue_chains(&mut commits, told.unwrap_or_default(), marks)?;
    }
    Ok(Batch {
        position: (front >> 2).checked_sub(1),
        commits,
    })
}

/// Says what the first commit of each writer continues. Most batches tell nothing of it: they continue
/// what came before.
fn continue_chains(
    commits: &mut [Delivered],
    mut told: BTreeMap<ReplicaId, ChainMark>,
    marks: Option<Vec<Option<ChainMark>>>,
) -> Result<(), CodecError> {
    let wrong = CodecError::OutOfRange {
        what: "number of marks",
    };
    let mut marks = marks.map(Vec::into_iter);
    let mut writers = Met::new();
    for Delivered { commit, continues } in commits {
        if writers.is_new(commit.replica()) {
            if let Some(marks) = &mut marks {
                *continues = marks.next().ok_or_else(|| wrong.clone())?;
            }
            *continues = continues.or_else(|| told.remove(&commit.replica()));
        }
    }
    if marks.is_some_and(|left| left.len() > 0) {
        return Err(wrong);
    }
    Ok(())
}

fn read_marks(input: &mut Reader<'_>) -> Result<Vec<Option<ChainMark>>, CodecError> {
    let number = input.count("number of marks", BLOCK_EVENTS_MAX * 2 + 1)?;
    let is_partial = number % 2 == 1;
    let mut marks = Vec::new();
    for _ in 0..number / 2 {
        let is_told = !is_partial || input.flag("flag of a mark")?;
        marks.push(input.given(is_told, Reader::mark)?);
    }
    Ok(marks)
}

/// Takes note of what numbers stand for; returns the marks that came with writers.
fn read_tells(
    input: &mut Reader<'_>,
    names: &mut BlockNames,
) -> Result<BTreeMap<ReplicaId, ChainMark>, CodecError> {
    let mut marks = BTreeMap::new();
    for _ in 0..input.count("number of names", BLOCK_NAMES_MAX * 2)? {
        let what = "number of a name";
        let wrong = CodecError::OutOfRange { what };
        let head = input.number(what)?;
        let number = u32::try_from(head >> 2).map_err(|_| wrong.clone())?;
        let is_taken = match head & 3 {
            1 => {
                let text = input.text("event type", EVENT_TYPE_BYTES_MAX)?;
                names.set_type(number, EventType::new(text).map_err(EventError::from)?)
            }
            3 => false,
            kind => {
                let id = input.replica()?;
                if let Some(mark) = input.given(kind == 2, Reader::mark)? {
                    marks.insert(id, mark);
                }
                names.set_replica(number, id)
            }
        };
        if !is_taken {
            return Err(wrong);
        }
    }
    Ok(marks)
}

pub(super) fn put_part(part: &Part, out: &mut Writer) {
    out.id(part.commit);
    out.number(part.index.into());
    out.number(part.total.into());
    out.option(part.continues, |out, mark| out.raw(&mark.to_bytes()));
    out.option(part.position, Writer::number);
    out.bytes(&part.bytes);
}

pub(super) fn read_part(input: &mut Reader<'_>) -> Result<Part, CodecError> {
    let part = Part {
        commit: input.id()?,
        index: input.small("number of a part")?,
        total: input.small("number of parts")?,
        continues: input.option("flag of a mark", Reader::mark)?,
        position: input.option("flag of a position", |input| input.number("position"))?,
        bytes: input.shared("part of a commit", PART_BYTES_MAX)?,
    };
    let parts = usize::try_from(part.total).unwrap_or(usize::MAX);
    if !(2..=PARTS_MAX).contains(&parts) {
        let what = "number of parts";
        return Err(CodecError::OutOfRange { what });
    }
    if part.index >= part.total {
        let what = "number of a part";
        return Err(CodecError::OutOfRange { what });
    }
    let is_last = part.index + 1 == part.total;
    if part.bytes.is_empty() || (!is_last && part.bytes.len() != PART_BYTES_MAX) {
        let what = "part of a commit";
        return Err(CodecError::OutOfRange { what });
    }
    Ok(part)
}
