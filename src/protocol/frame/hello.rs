//! The first message: who speaks, of which log, and what it knows.

use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::CodecError;
use crate::limits::HELLO_PEERS_MAX;
use crate::log::Cursor;
use crate::protocol::{Codecs, Direction, Hello, HelloPeer, HelloStaged, Lineage, Versions};

const LINEAGE_SHARED: u8 = 1;
const PUSH: u8 = 2;
const PULL: u8 = 4;
const RESUMES: u8 = 8;
const OWN: u8 = 16;
const STAGED: u8 = 32;
const CODECS: u8 = 64;

/// Of a peer: its cursor is told, and its last own event.
const PEER_CURSOR: u8 = 1;
const PEER_OWN: u8 = 2;

/// The bit, if the condition holds.
fn bit(condition: bool, bit: u8) -> u8 {
    if condition { bit } else { 0 }
}

pub(super) fn put(hello: &Hello, out: &mut Writer) {
    out.number(hello.versions.min.into());
    out.number(hello.versions.max.into());
    out.byte(
        bit(hello.lineage_shared, LINEAGE_SHARED)
            | bit(hello.direction.push, PUSH)
            | bit(hello.direction.pull, PULL)
            | bit(hello.resumes, RESUMES)
            | bit(hello.own.is_some(), OWN)
            | bit(hello.staged.is_some(), STAGED)
            | bit(hello.codecs != Codecs::NONE, CODECS),
    );
    out.raw(&hello.lineage.to_bytes());
    out.replica(hello.replica);
    out.epoch(hello.epoch);
    out.number(hello.clock_ms);
    if let Some(own) = hello.own {
        out.own(own);
    }
    if hello.codecs != Codecs::NONE {
        out.number(hello.codecs.to_bits());
    }
    let peers = hello.peers.get(..HELLO_PEERS_MAX).unwrap_or(&hello.peers);
    out.len_of(peers.len());
    for peer in peers {
        out.byte(bit(peer.cursor.is_some(), PEER_CURSOR) | bit(peer.own.is_some(), PEER_OWN));
        out.replica(peer.replica);
        if let Some(cursor) = peer.cursor {
            out.epoch(cursor.epoch);
            out.number(cursor.position);
        }
        if let Some(own) = peer.own {
            out.own(own);
        }
    }
    if let Some(staged) = hello.staged {
        out.replica(staged.peer);
        out.id(staged.commit);
        out.number(staged.parts.into());
        out.raw(&staged.digest.to_le_bytes());
    }
}

pub(super) fn read(input: &mut Reader<'_>) -> Result<Hello, CodecError> {
    let versions = Versions {
        min: input.small("version")?,
        max: input.small("version")?,
    };
    if versions.min > versions.max {
        let what = "range of versions";
        return Err(CodecError::OutOfRange { what });
    }
    let what = "flags of a hello";
    let flags = input.byte(what)?;
    let has = |bit: u8| flags & bit != 0;
    if has(0x80) {
        return Err(CodecError::OutOfRange { what });
    }
    Ok(Hello {
        versions,
        lineage_shared: has(LINEAGE_SHARED),
        direction: Direction {
            push: has(PUSH),
            pull: has(PULL),
        },
        resumes: has(RESUMES),
        lineage: Lineage::from_bytes(input.array("lineage")?),
        replica: input.replica()?,
        epoch: input.epoch()?,
        clock_ms: input.number("clock")?,
        own: input.given(has(OWN), Reader::own)?,
        codecs: match input.given(has(CODECS), |input| input.number("codecs"))? {
            Some(0) => return Err(CodecError::OutOfRange { what: "codecs" }),
            bits => Codecs::from_bits(bits.unwrap_or(0)),
        },
        peers: read_peers(input)?,
        staged: input.given(has(STAGED), read_staged)?,
    })
}

fn read_peers(input: &mut Reader<'_>) -> Result<Vec<HelloPeer>, CodecError> {
    let mut peers = Vec::new();
    for _ in 0..input.count("number of peers", HELLO_PEERS_MAX)? {
        let what = "flags of a peer";
        let flags = input.byte(what)?;
        if flags & !(PEER_CURSOR | PEER_OWN) != 0 {
            return Err(CodecError::OutOfRange { what });
        }
        peers.push(HelloPeer {
            replica: input.replica()?,
            cursor: input.given(flags & PEER_CURSOR != 0, |input| {
                Ok(Cursor {
                    epoch: input.epoch()?,
                    position: input.number("position")?,
                })
            })?,
            own: input.given(flags & PEER_OWN != 0, Reader::own)?,
        });
    }
    Ok(peers)
}

fn read_staged(input: &mut Reader<'_>) -> Result<HelloStaged, CodecError> {
    Ok(HelloStaged {
        peer: input.replica()?,
        commit: input.id()?,
        parts: input.small("number of parts")?,
        digest: u64::from_le_bytes(input.array("digest of parts")?),
    })
}
