//! Commits: whole ones as a block, and the parts of one that is too large for a frame.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::{ChainMark, CodecError, Commit, ReplicaId, decode_block, encode_block};
use crate::limits::{BLOCK_EVENTS_MAX, COMMIT_BYTES_MAX, PART_BYTES_MAX};
use crate::protocol::{Batch, Delivered, Part};

/// Most parts of one commit.
const PARTS_MAX: usize = COMMIT_BYTES_MAX.div_ceil(PART_BYTES_MAX);

/// A position follows.
const POSITION: u8 = 1;
/// The mark of the first writer follows; nothing is known of the others.
const MARK: u8 = 2;
/// A mark of each writer follows.
const MARKS: u8 = 4;
/// Of each writer, whether its mark follows.
const SOME: u8 = 8;

pub(super) fn put_batch(batch: &Batch, out: &mut Writer) {
    let first = firsts(batch.commits.iter().map(|delivered| &delivered.commit));
    let marks: Vec<Option<ChainMark>> = batch
        .commits
        .iter()
        .zip(first)
        .filter(|(_, is_first)| *is_first)
        .map(|(delivered, _)| delivered.continues)
        .collect();
    let told = marks.iter().flatten().count();
    let form = match marks.as_slice() {
        _ if told == 0 => 0,
        [Some(_), rest @ ..] if told == 1 && rest.is_empty() => MARK,
        _ if told == marks.len() => MARKS,
        _ => SOME,
    };
    out.byte(
        form | if batch.position.is_some() {
            POSITION
        } else {
            0
        },
    );
    if let Some(position) = batch.position {
        out.number(position);
    }
    if form == MARKS || form == SOME {
        out.len_of(marks.len());
    }
    for mark in marks {
        if form == SOME {
            out.flag(mark.is_some());
        }
        if let Some(mark) = mark {
            out.raw(&mark.to_bytes());
        }
    }
    let commits = batch.commits.iter().map(|delivered| &delivered.commit);
    encode_block(commits, out.buffer());
}

pub(super) fn read_batch(input: &mut Reader<'_>) -> Result<Batch, CodecError> {
    let what = "flags of a batch";
    let flags = input.byte(what)?;
    let form = flags & !POSITION;
    if !matches!(form, 0 | MARK | MARKS | SOME) {
        return Err(CodecError::OutOfRange { what });
    }
    let position = if flags & POSITION == 0 {
        None
    } else {
        Some(input.number("position")?)
    };
    let count = match form {
        0 => 0,
        MARK => 1,
        _ => input.count("number of marks", BLOCK_EVENTS_MAX)?,
    };
    let mut marks = Vec::new();
    for _ in 0..count {
        let is_told = form != SOME || input.flag("flag of a mark")?;
        marks.push(if is_told { Some(input.mark()?) } else { None });
    }
    let read = decode_block(&input.remaining())?;
    let first = firsts(read.iter());
    if form != 0 && first.iter().filter(|is_first| **is_first).count() != count {
        let what = "number of marks";
        return Err(CodecError::OutOfRange { what });
    }
    let mut marks = marks.into_iter();
    let mut commits = Vec::with_capacity(read.len());
    for (commit, is_first) in read.into_iter().zip(first) {
        let continues = if is_first {
            marks.next().flatten()
        } else {
            None
        };
        commits.push(Delivered { commit, continues });
    }
    Ok(Batch { position, commits })
}

/// Of each commit, whether it is the first of its writer.
fn firsts<'a>(commits: impl Iterator<Item = &'a Commit>) -> Vec<bool> {
    let mut writers: BTreeSet<ReplicaId> = BTreeSet::new();
    let mut last = None;
    commits
        .map(|commit| {
            let writer = Some(commit.replica());
            let before = core::mem::replace(&mut last, writer);
            before != writer && writers.insert(commit.replica())
        })
        .collect()
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
