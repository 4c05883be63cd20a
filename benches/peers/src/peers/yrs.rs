//! Yrs: one transaction for each batch, and one for all that is here together.

use std::collections::HashMap;

use ::yrs::types::ToJson;
use ::yrs::updates::decoder::Decode;
use ::yrs::updates::encoder::Encode;
use ::yrs::{
    Doc as YDoc, Map, MapPrelim, MapRef, ReadTxn, StateVector, Transact, TransactionMut, Update,
};

use super::{Kind, Pair, Peer, Reconnect, Replica, Written, digest_json};
use crate::Done;
use crate::inputs::{Batch, Change, Write, name};
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

    fn author_kind(&self, kind: Kind, batches: &[Batch]) -> Done<Option<Written>> {
        if kind == Kind::Counter {
            return Ok(None);
        }
        let mut docs: Vec<Doc> = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                docs.push(Doc::new(docs.len()));
            }
            let Doc { doc, map } = &docs[batch.replica];
            let mut transaction = doc.transact_mut();
            for write in &batch.writes {
                if write.adds() {
                    map.insert(&mut transaction, name(write.key), true);
                } else {
                    map.remove(&mut transaction, &name(write.key));
                }
            }
            updates.push(transaction.encode_update_v1());
        }
        let base = Vec::new();
        Ok(Some(Written { base, updates }))
    }

    fn author_nested(&self, commits: &[Vec<Change>]) -> Done<Option<Vec<Vec<u8>>>> {
        let Doc { doc, map } = Doc::new(0);
        let mut maps = HashMap::new();
        let mut updates = Vec::new();
        for commit in commits {
            let mut transaction = doc.transact_mut();
            for one in commit {
                change(&mut transaction, &map, &mut maps, one);
            }
            updates.push(transaction.encode_update_v1());
        }
        Ok(Some(updates))
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

/// Changes a leaf of a tree whose maps are known by their paths.
fn change(
    transaction: &mut TransactionMut<'_>,
    root: &MapRef,
    maps: &mut HashMap<Vec<String>, MapRef>,
    change: &Change,
) {
    let Some((leaf, above)) = change.path.split_last() else {
        return;
    };
    let mut map = root.clone();
    for depth in 1..=above.len() {
        let path = &above[..depth];
        map = if let Some(known) = maps.get(path) {
            known.clone()
        } else {
            let made = map.insert(transaction, path[depth - 1].as_str(), MapPrelim::default());
            maps.insert(path.to_vec(), made.clone());
            made
        };
    }
    if maps.contains_key(&change.path) {
        maps.retain(|path, _| !path.starts_with(&change.path));
    }
    match &change.value {
        Some(value) => drop(map.insert(transaction, leaf.as_str(), value.as_str())),
        None => drop(map.remove(transaction, leaf)),
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
        let value = self.map.to_json(&self.doc.transact());
        Ok(digest_json(&serde_json::to_value(value)?))
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
