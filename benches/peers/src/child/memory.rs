//! What a receiver takes in memory: a process that has nothing else.

use std::fs::File;
use std::io::{BufReader, Read};

use super::{resident, say};
use crate::Done;
use crate::limit::Slots;
use crate::ours::Replay;
use crate::peers;

/// Keys of the workload.
const KEYS: usize = 10_000;

/// Takes the messages of a file, each a length of four bytes and so many bytes; says by how many
/// bytes its memory has grown.
pub(super) fn run(who: &str, file: &str) -> Done<()> {
    let mut file = BufReader::new(File::open(file)?);
    let mut next = move || -> Done<Option<Vec<u8>>> {
        let mut length = [0; 4];
        if file.read_exact(&mut length).is_err() {
            return Ok(None);
        }
        let mut message = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact(&mut message)?;
        Ok(Some(message))
    };
    let before = resident("self")?;
    if who == "anabranch" {
        let mut replay = Replay::new()?;
        while let Some(message) = next()? {
            replay.frame(message);
        }
        replay.fold(KEYS)?;
        return grown(before, replay);
    }
    if who == "limit" {
        let mut slots = Slots::default();
        while let Some(message) = next()? {
            slots.apply(&message)?;
        }
        return grown(before, slots);
    }
    let peer = peers::all().into_iter().find(|peer| peer.name() == who);
    let mut replica = peer.ok_or("there is no such peer")?.empty();
    while let Some(message) = next()? {
        replica.apply(&message)?;
    }
    grown(before, replica)
}

/// Says the growth while what has grown is still there.
fn grown<T>(before: u64, kept: T) -> Done<()> {
    say(&resident("self")?.saturating_sub(before).to_string());
    drop(kept);
    Ok(())
}
