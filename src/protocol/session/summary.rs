//! What has been received, cut into messages and put together again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use super::outbox::Ending;
use crate::event::{Chain, ReplicaId, Seq, SeqRanges};
use crate::limits::{SUMMARY_MESSAGES_MAX, SUMMARY_RANGES_MAX};
use crate::log::{Received, Track};
use crate::protocol::{Summary, SummaryTrack};

/// The messages that tell what has been received. What does not fit the bounds is left out, which
/// costs the peer's sending it in vain.
pub(super) fn pieces(received: &Received) -> Vec<Summary> {
    let mut pieces = Vec::new();
    let mut tracks = Vec::new();
    let mut room = SUMMARY_RANGES_MAX;
    for (replica, track) in received.iter() {
        let mut chain = track.chain().map(|(_, chain)| chain);
        let mut ranges = track.ranges().iter().peekable();
        while ranges.peek().is_some() {
            let some: SeqRanges = ranges.by_ref().take(room).collect();
            let some = match some.last() {
                Some(last) if mutant!("summary-counts-gaps") => SeqRanges::up_to(last),
                _ => some,
            };
            room -= some.ranges();
            tracks.push(SummaryTrack {
                replica,
                ranges: some,
                chain: chain.take(),
            });
            if room == 0 {
                pieces.push(Summary {
                    more: true,
                    tracks: mem::take(&mut tracks),
                });
                room = SUMMARY_RANGES_MAX;
            }
        }
    }
    pieces.push(Summary {
        more: false,
        tracks,
    });
    pieces.truncate(SUMMARY_MESSAGES_MAX);
    if let Some(last) = pieces.last_mut() {
        last.more = false;
    }
    pieces
}

/// A summary of which not all messages have come yet.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    messages: usize,
    tracks: BTreeMap<ReplicaId, (SeqRanges, Chain)>,
}

impl Gathering {
    /// Adds one message; the whole is returned with the last one. Messages out of order are a
    /// violation, so that putting them together costs no more than their bytes.
    pub(super) fn add(&mut self, piece: Summary) -> Result<Option<Received>, Ending> {
        self.messages += 1;
        if self.messages > SUMMARY_MESSAGES_MAX {
            return Err(Ending::violation("summary does not end"));
        }
        for track in piece.tracks {
            let last = self
                .tracks
                .last_key_value()
                .map(|(replica, (ranges, _))| (*replica, ranges.last()));
            if last.is_some_and(|last| last >= (track.replica, first(&track.ranges))) {
                return Err(Ending::violation("summary is not in order"));
            }
            let chain = track.chain.unwrap_or(Chain::START);
            let (ranges, _) = self
                .tracks
                .entry(track.replica)
                .or_insert((SeqRanges::new(), chain));
            for range in track.ranges.iter() {
                ranges.insert(range);
            }
        }
        if piece.more {
            return Ok(None);
        }
        let mut received = Received::new();
        for (replica, (ranges, chain)) in mem::take(self).tracks {
            received.restore(replica, Track::restored(ranges, chain, BTreeMap::new()));
        }
        Ok(Some(received))
    }
}

fn first(ranges: &SeqRanges) -> Option<Seq> {
    ranges.iter().next().map(|range| *range.start())
}
