//! The first message: who speaks, of which log, and what it knows.

use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::event::CodecError;
use crate::limits::HELLO_PEERS_MAX;
use crate::protocol::{Direction, Hello, HelloPeer, HelloStaged, Lineage, Versions};

pub(super) fn put(hello: &Hello, out: &mut Writer) {
    out.number(hello.versions.min.into());
    out.number(hello.versions.max.into());
    out.raw(&hello.lineage.to_bytes());
    out.flag(hello.lineage_shared);
    out.replica(hello.replica);
    out.own(hello.own);
    out.number(hello.clock_ms);
    out.flag(hello.direction.push);
    out.flag(hello.direction.pull);
    out.flag(hello.resumes);
    let peers = hello.peers.get(..HELLO_PEERS_MAX).unwrap_or(&hello.peers);
    out.len_of(peers.len());
    for peer in peers {
        out.replica(peer.replica);
        out.cursor(peer.cursor);
        out.own(peer.own);
    }
    out.option(hello.staged, |out, staged| {
        out.replica(staged.peer);
        out.id(staged.commit);
        out.number(staged.parts.into());
        out.raw(&staged.digest.to_le_bytes());
    });
}

pub(super) fn read(input: &mut Reader<'_>) -> Result<Hello, CodecError> {
    let versions = Versions {
        min: input.small("version")?,
        max: input.small("version")?,
    };
    if versions.min > versions.max {
        return Err(CodecError::OutOfRange {
            what: "range of versions",
        });
    }
    let lineage = Lineage::from_bytes(input.array("lineage")?);
    let lineage_shared = input.flag("lineage flag")?;
    let replica = input.replica()?;
    let own = input.own()?;
    let clock_ms = input.number("clock")?;
    let direction = Direction {
        push: input.flag("push flag")?,
        pull: input.flag("pull flag")?,
    };
    let resumes = input.flag("resume flag")?;
    let mut peers = Vec::new();
    for _ in 0..input.count("number of peers", HELLO_PEERS_MAX)? {
        let replica = input.replica()?;
        peers.push(HelloPeer {
            replica,
            cursor: input.cursor()?,
            own: input.own()?,
        });
    }
    let staged = input.option("flag of staged parts", |input| {
        Ok(HelloStaged {
            peer: input.replica()?,
            commit: input.id()?,
            parts: input.small("number of parts")?,
            digest: u64::from_le_bytes(input.array("digest of parts")?),
        })
    })?;
    Ok(Hello {
        versions,
        lineage,
        lineage_shared,
        replica,
        own,
        clock_ms,
        direction,
        resumes,
        peers,
        staged,
    })
}
