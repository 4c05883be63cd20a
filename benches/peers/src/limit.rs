//! The lower bound: a columnar batch, decoded straight into last-write-wins slots.
//!
//! It keeps the encoded log and the newest value of each key, and does nothing else: no causal
//! context, no checksum, no duplicates, no order of delivery but a writer's own.

use std::collections::HashMap;

use crate::Done;
use crate::inputs::{Batch, Write, name};
use crate::measure::cpu;
use crate::peers::{Pair, Reconnect};

/// The layout: writer, counts, dictionary of keys; then columns of key, stamp, length, bytes.
pub(crate) fn encode(batch: &Batch) -> Vec<u8> {
    let mut names: Vec<usize> = Vec::new();
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    let mut keys = Vec::new();
    for write in &batch.writes {
        let number = *numbers.entry(write.key).or_insert_with(|| {
            names.push(write.key);
            names.len() - 1
        });
        keys.push(number);
    }
    let mut out = Vec::new();
    put(&mut out, batch.replica as u64);
    put(&mut out, batch.writes.len() as u64);
    put(&mut out, names.len() as u64);
    for key in names {
        let name = name(key);
        put(&mut out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
    }
    for key in keys {
        put(&mut out, key as u64);
    }
    let mut before = 0;
    for write in &batch.writes {
        put(&mut out, write.at as u64 - before);
        before = write.at as u64;
    }
    for write in &batch.writes {
        put(&mut out, write.value.len() as u64);
    }
    for write in &batch.writes {
        out.extend_from_slice(write.value.as_bytes());
    }
    out
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn get(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[derive(Clone, Copy, Default)]
struct Slot {
    stamp: u64,
    replica: u64,
    batch: u32,
    offset: u32,
    len: u32,
}

/// The receiver.
#[derive(Default)]
pub(crate) struct Slots {
    log: Vec<Vec<u8>>,
    numbers: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
    newest: Vec<Slot>,
    /// Scratch: from a batch's dictionary to slots.
    local: Vec<u32>,
}

impl Slots {
    pub(crate) fn apply(&mut self, bytes: &[u8]) -> Done<()> {
        self.merge(bytes)
            .ok_or_else(|| "limit: a batch is cut short".into())
    }

    fn merge(&mut self, bytes: &[u8]) -> Option<()> {
        let at = &mut 0;
        let replica = get(bytes, at)?;
        let writes = get(bytes, at)? as usize;
        let names = get(bytes, at)?;
        self.local.clear();
        for _ in 0..names {
            let len = get(bytes, at)? as usize;
            let name = bytes.get(*at..*at + len)?;
            *at += len;
            let slot = if let Some(slot) = self.numbers.get(name) {
                *slot
            } else {
                let slot = self.newest.len() as u32;
                self.newest.push(Slot::default());
                self.numbers.insert(name.into(), slot);
                slot
            };
            self.local.push(slot);
        }
        let (mut keys, mut stamps) = (*at, skip(bytes, *at, writes)?);
        let mut lens = skip(bytes, stamps, writes)?;
        let mut offset = skip(bytes, lens, writes)? as u32;
        let (mut stamp, batch) = (0, self.log.len() as u32);
        for _ in 0..writes {
            let slot = *self.local.get(get(bytes, &mut keys)? as usize)?;
            stamp += get(bytes, &mut stamps)?;
            let len = get(bytes, &mut lens)? as u32;
            let slot = self.newest.get_mut(slot as usize)?;
            if (slot.stamp, slot.replica) <= (stamp, replica) {
                *slot = Slot {
                    stamp,
                    replica,
                    batch,
                    offset,
                    len,
                };
            }
            offset += len;
        }
        self.log.push(bytes.to_vec());
        Some(())
    }

    pub(crate) fn state(&self) -> u64 {
        let value = |slot: &u32| {
            let slot = self.newest[*slot as usize];
            let (from, to) = (slot.offset as usize, (slot.offset + slot.len) as usize);
            &self.log[slot.batch as usize][from..to]
        };
        let entries = self.numbers.iter();
        crate::peers::digest_of(entries.map(|(name, slot)| (name, value(slot))))
    }
}

/// Two receivers that are apart for a while; each sends what it wrote and no more, as if it knew what
/// the other has.
#[derive(Default)]
pub(crate) struct Apart {
    ends: [Slots; 2],
    written: [Vec<Write>; 2],
}

impl Apart {
    /// Both have all of these.
    pub(crate) fn sharing(batches: &[Batch]) -> Done<Self> {
        let mut apart = Self::default();
        for batch in batches {
            let bytes = encode(batch);
            for end in &mut apart.ends {
                end.apply(&bytes)?;
            }
        }
        Ok(apart)
    }
}

impl Pair for Apart {
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()> {
        self.written = [here.to_vec(), there.to_vec()];
        Ok(())
    }

    fn reconnect(&mut self) -> Done<Reconnect> {
        let mut bytes = 0;
        let (outcome, time) = cpu(|| {
            for (from, to) in [(0, 1), (1, 0)] {
                let writes = std::mem::take(&mut self.written[from]);
                let message = encode(&Batch {
                    replica: from,
                    writes,
                });
                bytes += message.len();
                self.ends[to].apply(&message)?;
            }
            Done::Ok(())
        });
        outcome?;
        Ok(Reconnect { time, bytes })
    }
}

/// Where the column after one of so many numbers begins.
fn skip(bytes: &[u8], from: usize, count: usize) -> Option<usize> {
    let column = bytes.get(from..)?;
    let mut ends = column.iter().enumerate().filter(|(_, byte)| **byte < 0x80);
    match count.checked_sub(1) {
        Some(last) => Some(from + ends.nth(last)?.0 + 1),
        None => Some(from),
    }
}
