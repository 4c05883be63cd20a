//! Automerge: one change for each batch or for each write, all changes that are here together applied
//! at once.

use ::automerge::sync::SyncDoc;
use ::automerge::transaction::Transactable;
use ::automerge::{
    ActorId, AutoCommit, AutoSerde, Change, ObjId, ObjType, ROOT, ScalarValue, sync,
};

use std::collections::{BTreeMap, HashMap};

use super::{Kind, Pair, Peer, Reconnect, Replica, Written, digest_json};
use crate::Done;
use crate::inputs::{self, Batch, Write, name};
use crate::measure::cpu;

pub(crate) struct Automerge {
    /// As many causes and hashes as there are writes; otherwise as there are batches.
    pub(crate) change_each: bool,
}

impl Peer for Automerge {
    fn name(&self) -> &'static str {
        if self.change_each {
            "automerge, change a write"
        } else {
            "automerge 0.12.0"
        }
    }

    fn keeps(&self) -> &'static str {
        "history, causality and hashes, of changes"
    }

    fn author(&self, batches: &[Batch]) -> Done<Vec<Vec<u8>>> {
        let mut docs = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                docs.push(AutoCommit::new().with_actor(actor(docs.len())));
            }
            let doc = &mut docs[batch.replica];
            let together = if self.change_each {
                1
            } else {
                batch.writes.len()
            };
            for writes in batch.writes.chunks(together.max(1)) {
                put(doc, writes)?;
            }
            updates.push(doc.save_incremental());
        }
        Ok(updates)
    }

    fn author_live(&self, writes: &[Write], causal: bool) -> Done<Vec<Vec<u8>>> {
        if !causal {
            return self.author(&one_by_one(writes));
        }
        let mut doc = AutoCommit::new();
        let mut updates = Vec::new();
        for write in writes {
            doc.set_actor(actor(write.replica));
            put(&mut doc, std::slice::from_ref(write))?;
            updates.push(doc.save_incremental());
        }
        Ok(updates)
    }

    fn empty(&self) -> Box<dyn Replica> {
        Box::new(Doc(::automerge::Automerge::new()))
    }

    fn author_kind(&self, kind: Kind, batches: &[Batch]) -> Done<Option<Written>> {
        let mut first = AutoCommit::new().with_actor(actor(1_000));
        if kind == Kind::Counter {
            let writes = batches.iter().flat_map(|batch| &batch.writes);
            let keys: BTreeMap<usize, ()> = writes.map(|write| (write.key, ())).collect();
            for key in keys.into_keys() {
                first.put(ROOT, name(key), ScalarValue::counter(0))?;
            }
        } else {
            first.put(ROOT, "set", "of keys")?;
        }
        first.commit();
        let base = vec![first.save_after(&[])];
        let heads = first.get_heads();
        let mut docs: Vec<(AutoCommit, Vec<_>)> = Vec::new();
        let mut updates = Vec::new();
        for batch in batches {
            while docs.len() <= batch.replica {
                let doc = first.fork().with_actor(actor(docs.len()));
                docs.push((doc, heads.clone()));
            }
            let (doc, sent) = &mut docs[batch.replica];
            for write in &batch.writes {
                match kind {
                    Kind::Counter => doc.increment(ROOT, name(write.key), write.step())?,
                    Kind::Set if write.adds() => doc.put(ROOT, name(write.key), true)?,
                    Kind::Set => doc.delete(ROOT, name(write.key))?,
                }
            }
            doc.commit();
            updates.push(doc.save_after(sent));
            *sent = doc.get_heads();
        }
        Ok(Some(Written { base, updates }))
    }

    fn author_nested(&self, commits: &[Vec<inputs::Change>]) -> Done<Option<Vec<Vec<u8>>>> {
        let mut doc = AutoCommit::new().with_actor(actor(0));
        let mut maps = Maps::default();
        let mut updates = Vec::new();
        for commit in commits {
            for change in commit {
                maps.change(&mut doc, change)?;
            }
            doc.commit();
            updates.push(doc.save_incremental());
        }
        Ok(Some(updates))
    }

    fn pair(&self, shared: &[Batch]) -> Done<Option<Box<dyn Pair>>> {
        let mut first = AutoCommit::new().with_actor(actor(1_000));
        let changes = changes(&self.author(shared)?)?;
        first.apply_changes(changes)?;
        let mut second = first.fork().with_actor(actor(1_001));
        let mut states = (sync::State::new(), sync::State::new());
        exchange(&mut first, &mut second, &mut states)?;
        Ok(Some(Box::new(Two {
            first,
            second,
            states,
        })))
    }
}

fn actor(replica: usize) -> ActorId {
    // As long as those that it draws itself.
    let hash = xxhash_rust::xxh3::xxh3_128(&replica.to_be_bytes());
    ActorId::from(hash.to_be_bytes())
}

fn put(doc: &mut AutoCommit, writes: &[Write]) -> Done<()> {
    for write in writes {
        doc.put(ROOT, name(write.key), write.value.as_str())?;
    }
    doc.commit();
    Ok(())
}

fn one_by_one(writes: &[Write]) -> Vec<Batch> {
    let one = |write: &Write| Batch {
        replica: write.replica,
        writes: vec![write.clone()],
    };
    writes.iter().map(one).collect()
}

/// The changes of some updates, each of which is one change after another.
fn changes(updates: &[impl AsRef<[u8]>]) -> Done<Vec<Change>> {
    let mut changes = Vec::new();
    for update in updates {
        let mut rest = update.as_ref();
        while !rest.is_empty() {
            let (change, behind) = rest.split_at(chunk(rest).ok_or("a chunk is cut short")?);
            changes.push(Change::from_bytes(change.to_vec())?);
            rest = behind;
        }
    }
    Ok(changes)
}

/// Bytes of the first chunk: magic, checksum, kind, the length of the rest in LEB128, the rest.
fn chunk(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (place, byte) in bytes.get(9..)?.iter().enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            return Some(10 + place + length).filter(|end| *end <= bytes.len());
        }
    }
    None
}

/// The maps of a tree, by their paths.
#[derive(Default)]
struct Maps(HashMap<Vec<String>, ObjId>);

impl Maps {
    fn change(&mut self, doc: &mut AutoCommit, change: &inputs::Change) -> Done<()> {
        let Some((leaf, above)) = change.path.split_last() else {
            return Ok(());
        };
        let mut map = ROOT;
        for depth in 1..=above.len() {
            let path = &above[..depth];
            map = if let Some(known) = self.0.get(path) {
                known.clone()
            } else {
                let made = doc.put_object(&map, path[depth - 1].as_str(), ObjType::Map)?;
                self.0.insert(path.to_vec(), made.clone());
                made
            };
        }
        if self.0.contains_key(&change.path) {
            self.0.retain(|path, _| !path.starts_with(&change.path));
        }
        match &change.value {
            Some(value) => doc.put(&map, leaf.as_str(), value.as_str())?,
            None => doc.delete(&map, leaf.as_str())?,
        }
        Ok(())
    }
}

struct Doc(::automerge::Automerge);

impl Replica for Doc {
    fn apply(&mut self, update: &[u8]) -> Done<()> {
        self.0.apply_changes(changes(&[update])?)?;
        Ok(())
    }

    fn apply_all(&mut self, updates: &[&[u8]]) -> Done<()> {
        self.0.apply_changes(changes(updates)?)?;
        Ok(())
    }

    fn state(&self) -> Done<u64> {
        let value = serde_json::to_value(AutoSerde::from(&self.0))?;
        Ok(digest_json(&value))
    }

    fn saved(&mut self) -> Option<usize> {
        Some(self.0.save().len())
    }
}

struct Two {
    first: AutoCommit,
    second: AutoCommit,
    states: (sync::State, sync::State),
}

impl Pair for Two {
    fn write(&mut self, here: &[Write], there: &[Write]) -> Done<()> {
        put(&mut self.first, here)?;
        put(&mut self.second, there)
    }

    fn reconnect(&mut self) -> Done<Reconnect> {
        // What is kept of a peer over a disconnection: the heads that both had.
        let kept = |state: &sync::State| sync::State::decode(&state.encode());
        self.states = (kept(&self.states.0)?, kept(&self.states.1)?);
        let (bytes, time) = cpu(|| exchange(&mut self.first, &mut self.second, &mut self.states));
        Ok(Reconnect {
            time,
            bytes: bytes?,
        })
    }
}

/// Messages to and fro until neither has more to say; their bytes.
fn exchange(
    first: &mut AutoCommit,
    second: &mut AutoCommit,
    states: &mut (sync::State, sync::State),
) -> Done<usize> {
    let mut bytes = 0;
    loop {
        let there = first.sync().generate_sync_message(&mut states.0);
        if let Some(message) = &there {
            let encoded = message.clone().encode();
            bytes += encoded.len();
            let message = sync::Message::decode(&encoded)?;
            second.sync().receive_sync_message(&mut states.1, message)?;
        }
        let back = second.sync().generate_sync_message(&mut states.1);
        if let Some(message) = &back {
            let encoded = message.clone().encode();
            bytes += encoded.len();
            let message = sync::Message::decode(&encoded)?;
            first.sync().receive_sync_message(&mut states.0, message)?;
        }
        if there.is_none() && back.is_none() {
            return Ok(bytes);
        }
    }
}
