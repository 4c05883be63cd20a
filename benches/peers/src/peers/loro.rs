//! Loro: one commit for each batch, what is here together through `import_batch`.

use std::collections::HashMap;

use ::loro::{ExportMode, LoroDoc, LoroMap, VersionVector};

use super::{Kind, Pair, Peer, Reconnect, Replica, Written, digest_json};
use crate::Done;
use crate::inputs::{Batch, Change, Write, name};
use crate::measure::cpu;

pub(crate) struct Loro;

const MAP: &str = "m";

impl Peer for Loro {
    fn name(&self) -> &'static str {
        "loro 1.17.1"
    }

    fn keeps(&self) -> &'static str {
        "history, causality"
    }

    fn author(&self, batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
        let mut docs: Vec<LoroDoc> = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                docs.push(doc(docs.len())?);
            }
            let doc = &docs[batch.replica];
            let before = doc.oplog_vv();
            put(doc, &batch.writes)?;
            updates.push(doc.export(ExportMode::updates(&before))?);
        }
        Ok(updates)
    }

    fn author_live(&self, writes: &[Write], causal: bool) -> Done<Vec<Vec<u8>>> {
        let replicas = writes.iter().map(|write| write.replica).max();
        let docs = if causal {
            0
        } else {
            replicas.unwrap_or_default()
        };
        let docs: Vec<LoroDoc> = (0..=docs).map(doc).collect::<Done<_>>()?;
        let mut updates = Vec::new();
        for write in writes {
            let doc = &docs[if causal { 0 } else { write.replica }];
            if causal {
                doc.set_peer_id(peer(write.replica))?;
            }
            let before = doc.oplog_vv();
            put(doc, std::slice::from_ref(write))?;
            updates.push(doc.export(ExportMode::updates(&before))?);
        }
        Ok(updates)
    }

    fn empty(&self) -> Box<dyn Replica> {
        Box::new(Doc(LoroDoc::new()))
    }

    fn author_kind(&self, kind: Kind, batches: &[Batch]) -> Done<Option<Written>> {
        let mut docs: Vec<LoroDoc> = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                docs.push(doc(docs.len())?);
            }
            let doc = &docs[batch.replica];
            let before = doc.oplog_vv();
            let map = doc.get_map(MAP);
            for write in &batch.writes {
                let name = name(write.key);
                match kind {
                    Kind::Counter => doc
                        .get_counter(name.as_str())
                        .increment(write.step() as f64)?,
                    Kind::Set if write.adds() => map.insert(&name, true)?,
                    Kind::Set => map.delete(&name)?,
                }
            }
            doc.commit();
            updates.push(doc.export(ExportMode::updates(&before))?);
        }
        let base = Vec::new();
        Ok(Some(Written { base, updates }))
    }

    fn author_nested(&self, commits: &[Vec<Change>]) -> Done<Option<Vec<Vec<u8>>>> {
        let doc = doc(0)?;
        let mut maps = HashMap::new();
        let mut updates = Vec::new();
        for commit in commits {
            let before = doc.oplog_vv();
            for one in commit {
                change(&doc, &mut maps, one)?;
            }
            doc.commit();
            updates.push(doc.export(ExportMode::updates(&before))?);
        }
        Ok(Some(updates))
    }

    fn pair(&self, shared: &[Batch]) -> Done<Option<Box<dyn Pair>>> {
        let first = doc(1_000)?;
        first.import_batch(&self.author(shared)?)?;
        let second = doc(1_001)?;
        second.import(&first.export(ExportMode::all_updates())?)?;
        Ok(Some(Box::new(Two { first, second })))
    }
}

fn peer(replica: usize) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&replica.to_be_bytes())
}

fn doc(replica: usize) -> Done<LoroDoc> {
    let doc = LoroDoc::new();
    doc.set_peer_id(peer(replica))?;
    Ok(doc)
}

fn put(doc: &LoroDoc, writes: &[Write]) -> Done<()> {
    let map = doc.get_map(MAP);
    for write in writes {
        map.insert(&name(write.key), write.value.as_str())?;
    }
    doc.commit();
    Ok(())
}

/// Changes a leaf of a tree whose maps are known by their paths.
fn change(doc: &LoroDoc, maps: &mut HashMap<Vec<String>, LoroMap>, change: &Change) -> Done<()> {
    let Some((leaf, above)) = change.path.split_last() else {
        return Ok(());
    };
    let mut map = doc.get_map(MAP);
    for depth in 1..=above.len() {
        let path = &above[..depth];
        map = if let Some(known) = maps.get(path) {
            known.clone()
        } else {
            let made = map.insert_container(&path[depth - 1], LoroMap::new())?;
            maps.insert(path.to_vec(), made.clone());
            made
        };
    }
    if maps.contains_key(&change.path) {
        maps.retain(|path, _| !path.starts_with(&change.path));
    }
    match &change.value {
        Some(value) => map.insert(leaf, value.as_str())?,
        None => map.delete(leaf)?,
    }
    Ok(())
}

struct Doc(LoroDoc);

impl Replica for Doc {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        self.0.import(update)?;
        Ok(())
    }

    fn apply_all(&mut self, updates: &[&[u8]]) -> Done<()> {
        let updates: Vec<Vec<u8>> = updates.iter().map(|update| update.to_vec()).collect();
        self.0.import_batch(&updates)?;
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let value = serde_json::to_value(self.0.get_deep_value())?;
        Ok(digest_json(&value))
    }

    fn saved(&mut self) -> Option<usize> {
        self.0
            .export(ExportMode::Snapshot)
            .ok()
            .map(|saved| saved.len())
    }
}

struct Two {
    first: LoroDoc,
    second: LoroDoc,
}

impl Pair for Two {
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()> {
        put(&self.first, here)?;
        put(&self.second, there)
    }

    fn reconnect(&mut self) -> Done<Reconnect> {
        let (bytes, time) = cpu(|| exchange(&self.first, &self.second));
        Ok(Reconnect {
            time,
            bytes: bytes?,
        })
    }
}

/// Each tells its version and is sent what it lacks.
fn exchange(first: &LoroDoc, second: &LoroDoc) -> Done<usize> {
    let (ours, theirs) = (first.oplog_vv().encode(), second.oplog_vv().encode());
    let there = first.export(ExportMode::updates(&VersionVector::decode(&theirs)?))?;
    let back = second.export(ExportMode::updates(&VersionVector::decode(&ours)?))?;
    second.import(&there)?;
    first.import(&back)?;
    Ok(ours.len() + theirs.len() + there.len() + back.len())
}
