//! Yrs: one transaction for each batch, and one for all that is here together.

use ::yrs::updates::decoder::Decode;
use ::yrs::updates::encoder::Encode;
use ::yrs::{Any, Doc as YDoc, Map, MapRef, Out, ReadTxn, StateVector, Transact, Update};

use super::{Pair, Peer, Reconnect, Replica, digest_of};
use crate::Done;
use crate::inputs::{Batch, Write, name};
use crate::measure::cpu;

pub(crate) struct Yrs;

impl Peer for Yrs {
    fn name(&self) -> &'static str {
        "yrs 0.28.1"
    }

    fn keeps(&self) -> &'static str {
        "causality; drops what was overwritten"
    }

    fn author(&self, batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
        let mut docs: Vec<Doc> = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                docs.push(Doc::new(docs.len()));
            }
            updates.push(docs[batch.replica].put(&batch.writes));
        }
        Ok(updates)
    }

    fn author_live(&self, writes: &[Write], causal: bool) -> Done<Vec<Vec<u8>>> {
        let replicas = writes.iter().map(|write| write.replica + 1).max();
        let mut docs: Vec<Doc> = (0..replicas.unwrap_or_default()).map(Doc::new).collect();
        let mut updates = Vec::new();
        for write in writes {
            let update = docs[write.replica].put(std::slice::from_ref(write));
            for (other, doc) in docs.iter_mut().enumerate() {
                if causal && other != write.replica {
                    doc.apply(&update)?;
                }
            }
            updates.push(update);
        }
        Ok(updates)
    }

    fn empty(&self) -> Box<dyn Replica> {
        Box::new(Doc::new(900))
    }

    fn pair(&self, shared: &[Batch]) -> Done<Option<Box<dyn Pair>>> {
        let updates = self.author(shared)?;
        let updates: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
        let mut first = Doc::new(1_000);
        first.apply_all(&updates)?;
        let mut second = Doc::new(1_001);
        let all = first.doc.transact().encode_diff_v1(&StateVector::default());
        second.apply(&all)?;
        Ok(Some(Box::new(Two { first, second })))
    }
}

struct Doc {
    doc: YDoc,
    map: MapRef,
}

impl Doc {
    fn new(replica: usize) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_64(&replica.to_be_bytes());
        let doc = YDoc::with_client_id(hash & 0xffff_ffff);
        let map = doc.get_or_insert_map("m");
        Self { doc, map }
    }

    fn put(&mut self, writes: &[Write]) -> Vec<u8> {
        let mut transaction = self.doc.transact_mut();
        for write in writes {
            self.map
                .insert(&mut transaction, name(write.key), write.value.as_str());
        }
        transaction.encode_update_v1()
    }
}

impl Replica for Doc {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        let update = Update::decode_v1(update)?;
        self.doc.transact_mut().apply_update(update)?;
        Ok(())
    }

    fn apply_all(&mut self, updates: &[&[u8]]) -> Done<()> {
        let mut transaction = self.doc.transact_mut();
        for update in updates {
            transaction.apply_update(Update::decode_v1(update)?)?;
        }
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let transaction = self.doc.transact();
        let mut entries = Vec::new();
        for (key, value) in self.map.iter(&transaction) {
            if let Out::Any(Any::String(text)) = value {
                entries.push((key.to_owned(), text));
            }
        }
        Ok(digest_of(
            entries.iter().map(|(key, text)| (key, text.as_bytes())),
        ))
    }

    fn saved(&mut self) -> Option<usize> {
        let transaction = self.doc.transact();
        Some(transaction.encode_diff_v1(&StateVector::default()).len())
    }
}

struct Two {
    first: Doc,
    second: Doc,
}

impl Pair for Two {
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()> {
        self.first.put(here);
        self.second.put(there);
        Ok(())
    }

    fn reconnect(&mut self) -> Done<Reconnect> {
        let (bytes, time) = cpu(|| exchange(&mut self.first, &mut self.second));
        Ok(Reconnect {
            time,
            bytes: bytes?,
        })
    }
}

/// Each tells its state vector and is sent what it lacks.
fn exchange(first: &mut Doc, second: &mut Doc) -> Done<usize> {
    let ours = first.doc.transact().state_vector().encode_v1();
    let theirs = second.doc.transact().state_vector().encode_v1();
    let lacking = StateVector::decode_v1(&theirs)?;
    let there = first.doc.transact().encode_diff_v1(&lacking);
    let lacking = StateVector::decode_v1(&ours)?;
    let back = second.doc.transact().encode_diff_v1(&lacking);
    second.apply(&there)?;
    first.apply(&back)?;
    Ok(ours.len() + theirs.len() + there.len() + back.len())
}
