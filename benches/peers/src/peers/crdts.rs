//! crdts: a last-write-wins register for each key, whose operations are its states; counters and sets
//! by their operations.

use std::collections::HashMap;

use ::crdts::{CmRDT, CvRDT, LWWReg, Orswot, PNCounter, orswot, pncounter};
use serde::{Deserialize, Serialize};

use super::{Kind, Peer, Replica, Written, digest_of};
use crate::Done;
use crate::inputs::{Batch, Write, name};

/// The greatest marker wins: the time of the write, then its writer.
type Register = LWWReg<String, (u64, u64)>;

pub(crate) struct Registers;

/// One write as it travels.
#[derive(Serialize, Deserialize)]
struct Op {
    key: String,
    register: Register,
}

impl Peer for Registers {
    fn name(&self) -> &'static str {
        "crdts 7.3.2 LWWReg"
    }

    fn keeps(&self) -> &'static str {
        "the newest value alone: no history, no causality"
    }

    fn author(&self, batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
        let encode = |batch: &Batch| {
            let ops: Vec<Op> = batch.writes.iter().map(op).collect();
            Ok(postcard::to_stdvec(&ops)?)
        };
        batches.iter().map(encode).collect()
    }

    fn author_live(&self, writes: &[Write], _causal: bool) -> Done<Vec<Vec<u8>>> {
        let encode = |write: &Write| Ok(postcard::to_stdvec(&[op(write)].as_slice())?);
        writes.iter().map(encode).collect()
    }

    fn empty(&self) -> Box<dyn Replica> {
        Box::new(Keys::default())
    }

    fn author_kind(&self, kind: Kind, batches: &[Batch]) -> Done<Option<Written>> {
        let updates = match kind {
            Kind::Counter => steps(batches)?,
            Kind::Set => edits(batches)?,
        };
        let base = Vec::new();
        Ok(Some(Written { base, updates }))
    }

    fn empty_kind(&self, kind: Kind) -> Box<dyn Replica> {
        match kind {
            Kind::Counter => Box::new(Counters::default()),
            Kind::Set => Box::new(Sets::default()),
        }
    }
}

fn op(write: &Write) -> Op {
    let writer = xxhash_rust::xxh3::xxh3_64(&write.replica.to_be_bytes());
    Op {
        key: name(write.key),
        register: LWWReg {
            val: write.value.clone(),
            marker: (write.at as u64, writer),
        },
    }
}

#[derive(Default)]
struct Keys(HashMap<String, Register>);

impl Replica for Keys {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        let ops: Vec<Op> = postcard::from_bytes(update)?;
        for op in ops {
            match self.0.get_mut(&op.key) {
                Some(register) => register.merge(op.register),
                None => drop(self.0.insert(op.key, op.register)),
            }
        }
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let entries = self.0.iter();
        Ok(digest_of(
            entries.map(|(key, register)| (key, &register.val)),
        ))
    }
}

/// A writer, as small as it can be.
type Writer = u16;
type Step = (String, pncounter::Op<Writer>);
type Edit = (String, orswot::Op<u32, Writer>);

#[derive(Default)]
struct Counters(HashMap<String, PNCounter<Writer>>);

fn steps(batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
    let mut writers: Vec<Counters> = Vec::new();
    let mut updates = Vec::new();
    for batch in batches {
        writers.resize_with(writers.len().max(batch.replica + 1), Counters::default);
        let mut steps: Vec<Step> = Vec::new();
        for write in &batch.writes {
            let counter = writers[batch.replica].0.entry(name(write.key)).or_default();
            let step = counter.inc_many(batch.replica as Writer, write.step().unsigned_abs());
            counter.apply(step.clone());
            steps.push((name(write.key), step));
        }
        updates.push(postcard::to_stdvec(&steps)?);
    }
    Ok(updates)
}

impl Replica for Counters {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        let steps: Vec<Step> = postcard::from_bytes(update)?;
        for (key, step) in steps {
            self.0.entry(key).or_default().apply(step);
        }
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let read = |(key, counter): (&String, &PNCounter<Writer>)| {
            (key.clone(), counter.read().to_string())
        };
        Ok(digest_of(self.0.iter().map(read)))
    }
}

#[derive(Default)]
struct Sets(HashMap<String, Orswot<u32, Writer>>);

/// Keys of one set.
const TOGETHER: usize = 100;

fn edits(batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
    let mut writers: Vec<Sets> = Vec::new();
    let mut updates = Vec::new();
    for batch in batches {
        writers.resize_with(writers.len().max(batch.replica + 1), Sets::default);
        let mut edits: Vec<Edit> = Vec::new();
        for write in &batch.writes {
            let (name, element) = (name(write.key / TOGETHER), (write.key % TOGETHER) as u32);
            let set = writers[batch.replica].0.entry(name.clone()).or_default();
            let edit = if write.adds() {
                let context = set.read_ctx().derive_add_ctx(batch.replica as Writer);
                set.add(element, context)
            } else {
                let context = set.contains(&element).derive_rm_ctx();
                set.rm(element, context)
            };
            set.apply(edit.clone());
            edits.push((name, edit));
        }
        updates.push(postcard::to_stdvec(&edits)?);
    }
    Ok(updates)
}

impl Replica for Sets {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        let edits: Vec<Edit> = postcard::from_bytes(update)?;
        for (key, edit) in edits {
            self.0.entry(key).or_default().apply(edit);
        }
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let elements = |(key, set): (&String, &Orswot<u32, Writer>)| {
            let mut elements: Vec<u32> = set.read().val.into_iter().collect();
            elements.sort_unstable();
            (key.clone(), format!("{elements:?}"))
        };
        Ok(digest_of(self.0.iter().map(elements)))
    }
}
