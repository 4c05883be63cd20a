use super::World;
use crate::engine::{Filter, WatchId, Watched, tailed};
use crate::event::EventId;
use crate::log::{EntryKind, ReadLimit};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::world::node::Tailer;

/// Events that one change stands for only where nobody has read for long.
const MANY: u64 = 8;
/// Readings of a watch that no run comes near.
const ROUNDS: usize = 100_000;

impl World {
    /// Reads whatever a watch has to tell.
    pub(crate) fn read_watch(&mut self, node: usize, watch: WatchId) {
        let at = &mut self.nodes[node];
        let (Some(engine), Some(watcher)) = (&mut at.engine, at.watchers.get_mut(&watch)) else {
            return;
        };
        let limit = ReadLimit {
            entries: 64,
            bytes: 1 << 20,
        };
        let (mut is_slow, mut is_damaged) = (false, false);
        for round in 0.. {
            assert!(round < ROUNDS, "a watch never ends");
            match engine.next_change(watch) {
                Watched::Change(change) => {
                    assert!(watcher.filter.passes(&change.aggregate));
                    if change.durable {
                        let safe = |id: &EventId| at.disk.has_durably(*id);
                        assert!(change.causes.iter().all(safe), "{change:?} is not durable");
                    }
                    is_slow |= change.events >= MANY && !watcher.reads;
                    if change.events > change.causes.len() as u64 {
                        watcher.crowded.insert(change.aggregate.clone());
                    }
                    watcher.told.extend(change.causes);
                }
                Watched::Behind(position) => {
                    let Ok(page) = at.disk.since(position, limit) else {
                        is_damaged = true;
                        break;
                    };
                    engine.watch_page(watch, &page);
                }
                Watched::Idle => break,
                Watched::Gone => panic!("{watch:?} is gone"),
            }
        }
        self.count_if(is_slow, Fault::SlowWatcher);
        if is_damaged {
            self.damage_is_found(node);
        }
    }

    /// Demands that every watcher was told of everything since it came.
    pub(crate) fn check_watchers(&mut self, node: usize) {
        let all: Vec<WatchId> = self.nodes[node].watchers.keys().copied().collect();
        for watch in all {
            self.read_watch(node, watch);
            let node = &self.nodes[node];
            let watcher = &node.watchers[&watch];
            for entry in node.disk.entries.iter().skip(watcher.since as usize) {
                if entry.kind == EntryKind::Waiting {
                    continue;
                }
                for event in entry.commit.events() {
                    let (id, aggregate) = (event.id(), event.aggregate());
                    let told = watcher.told.contains(&id) || watcher.crowded.contains(aggregate);
                    assert!(
                        told || !watcher.filter.passes(aggregate),
                        "replica {}: nobody told {watch:?} of {id} in {aggregate}",
                        node.number
                    );
                }
            }
        }
    }

    /// Reads on where the tail stood, at most so many pages; each event once, its past before it.
    ///
    /// A reader that stops in the middle of a commit has seen nothing of it.
    pub(crate) fn read_tail(&mut self, node: usize, pages: usize) {
        let patience = self.draws.between(1, 60) as usize;
        let at = &mut self.nodes[node];
        let Some(engine) = &at.engine else { return };
        if at
            .tailer
            .cursor
            .is_some_and(|cursor| !engine.honours(cursor))
        {
            at.tailer = Tailer::default();
        }
        let epoch = engine.epoch().unwrap();
        let patience = if pages == usize::MAX {
            usize::MAX
        } else {
            patience
        };
        let tailer = &mut at.tailer;
        let resumes = tailer.cursor.is_some() && tailer.opening != at.opening;
        let (mut is_resumed, mut is_damaged) = (false, false);
        tailer.opening = at.opening;
        let mut position = tailer.cursor.map_or(0, |cursor| cursor.position);
        let mut patience = patience;
        let mut open: Vec<EventId> = Vec::new();
        'pages: for _ in 0..pages {
            if position >= engine.stored_end() {
                break;
            }
            let limit = ReadLimit {
                entries: 16,
                bytes: 1 << 16,
            };
            let Ok(page) = at.disk.since(position, limit) else {
                is_damaged = true;
                break;
            };
            for tailed in tailed(&page, &Filter::all(), epoch) {
                let event = &tailed.event;
                let id = event.id();
                if patience == 0 {
                    let whole = |id: &EventId| !open.contains(id);
                    tailer.seen.retain(whole);
                    break 'pages;
                }
                patience -= 1;
                assert!(tailer.seen.insert(id), "a tail shows {id} twice");
                open.push(id);
                if id.seq == event.commit().last() {
                    open.clear();
                }
                for head in event.heads() {
                    let known = tailer.seen.contains(&head.id);
                    assert!(known, "a tail shows {id} before {}", head.id);
                }
                tailer.cursor = Some(tailed.cursor);
                is_resumed = resumes;
            }
            position = page.next;
        }
        self.count_if(is_resumed, Fault::ResumedTail);
        if is_damaged {
            self.damage_is_found(node);
        }
    }
}
