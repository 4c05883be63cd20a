//! crdts: a last-write-wins register for each key, whose operations are its states.

use std::collections::HashMap;

use ::crdts::{CvRDT, LWWReg};
use serde::{Deserialize, Serialize};

use super::{Peer, Replica, digest_of};
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
