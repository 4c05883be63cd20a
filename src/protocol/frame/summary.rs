//! What has been received, as ranges of seqs per writer. Each range is written as the distance
//! from the one before and its length, so a gap costs two or three bytes.

use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::{CodecError, Seq, SeqRanges};
use crate::limits::SUMMARY_RANGES_MAX;
use crate::protocol::{Summary, SummaryTrack};

pub(super) fn put(summary: &Summary, out: &mut Writer) {
    out.flag(summary.more);
    out.len_of(summary.tracks.len());
    for track in &summary.tracks {
        out.replica(track.replica);
        out.chain(track.chain);
        out.len_of(track.ranges.ranges());
        let mut end = 0;
        for range in track.ranges.iter() {
            let (first, last) = (range.start().get(), range.end().get());
            out.number(first - end);
            out.number(last - first);
            end = last;
        }
    }
}

pub(super) fn read(input: &mut Reader<'_>) -> Result<Summary, CodecError> {
    let more = input.flag("flag of a further piece")?;
    let mut left = SUMMARY_RANGES_MAX;
    let mut tracks: Vec<SummaryTrack> = Vec::new();
    for _ in 0..input.count("number of writers", SUMMARY_RANGES_MAX)? {
        let replica = input.replica()?;
        if tracks.last().is_some_and(|last| last.replica >= replica) {
            return Err(CodecError::Unsorted { what: "writers" });
        }
        let chain = input.chain()?;
        let count = input.count("number of ranges", left)?;
        if count == 0 {
            return Err(CodecError::OutOfRange {
                what: "number of ranges",
            });
        }
        left -= count;
        tracks.push(SummaryTrack {
            replica,
            chain,
            ranges: read_ranges(input, count)?,
        });
    }
    Ok(Summary { more, tracks })
}

fn read_ranges(input: &mut Reader<'_>, count: usize) -> Result<SeqRanges, CodecError> {
    let wrong = CodecError::OutOfRange {
        what: "range of seqs",
    };
    let mut ranges = SeqRanges::new();
    let mut end = 0u64;
    for nth in 0..count {
        let gap = input.number("range of seqs")?;
        let more = input.number("range of seqs")?;
        let first = end.checked_add(gap).and_then(Seq::new);
        let last = first
            .and_then(|first| first.get().checked_add(more))
            .and_then(Seq::new);
        let (Some(first), Some(last)) = (first, last) else {
            return Err(wrong);
        };
        if gap < if nth == 0 { 1 } else { 2 } {
            return Err(wrong);
        }
        ranges.insert(first..=last);
        end = last.get();
    }
    Ok(ranges)
}
