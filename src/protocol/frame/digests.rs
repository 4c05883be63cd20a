//! What aggregates stand at: a name, a count and three digests each.

use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::{AggregateId, CodecError, Digest, SetHash};
use crate::limits::{AGGREGATE_ID_BYTES_MAX, DIGESTS_MAX};
use crate::merge::Standing;
use crate::protocol::{Digests, Round};

pub(super) fn put(digests: &Digests, out: &mut Writer) {
    out.byte(match digests.round {
        Round::Tell => 1,
        Round::Ask => 2,
        Round::Answer => 3,
    });
    out.len_of(digests.entries.len());
    for (aggregate, standing) in &digests.entries {
        out.bytes(aggregate.as_str().as_bytes());
        out.number(standing.events);
        out.raw(&standing.set.to_bytes());
        out.raw(&standing.fingerprint.to_bytes());
        out.raw(&standing.state.to_bytes());
    }
}

pub(super) fn read(input: &mut Reader<'_>) -> Result<Digests, CodecError> {
    let round = match input.byte("round of digests")? {
        1 => Round::Tell,
        2 => Round::Ask,
        3 => Round::Answer,
        value => {
            let (what, value) = ("round of digests", value.into());
            return Err(CodecError::Unknown { what, value });
        }
    };
    let mut entries: Vec<(AggregateId, Standing)> = Vec::new();
    for _ in 0..input.count("number of digests", DIGESTS_MAX)? {
        let name = input.text("aggregate id", AGGREGATE_ID_BYTES_MAX)?;
        let what = "aggregate id";
        let aggregate = AggregateId::new(name).map_err(|_| CodecError::OutOfRange { what })?;
        if entries.last().is_some_and(|(last, _)| *last >= aggregate) {
            return Err(CodecError::Unsorted { what: "aggregates" });
        }
        let events = input.number("number of events")?;
        if events == 0 {
            let what = "number of events";
            return Err(CodecError::OutOfRange { what });
        }
        let standing = Standing {
            events,
            set: SetHash::from_bytes(input.array("set of events")?),
            fingerprint: Digest::from_bytes(input.array("fingerprint")?),
            state: Digest::from_bytes(input.array("digest of a state")?),
        };
        entries.push((aggregate, standing));
    }
    Ok(Digests { round, entries })
}
