//! What an engine wants done: groups reach the disk late, reads are answered late, frames travel.

use crate::engine::{Effect, Input, LinkId};
use crate::event::Commit;
use crate::protocol::CloseCode;
use bytes::Bytes;

use super::{Fill, Happening, Later, World};
use crate::testing::sim::network::{Connection, Seen};
use crate::testing::sim::users::mark;
use crate::testing::sim::world::node::Node;

impl World {
    pub(super) fn store_delay(&mut self) -> u64 {
        match self.random.below(20) {
            0 if !self.healed => self.random.between(20, 400),
            _ => self.random.below(4),
        }
    }

    /// Answers a read, as things stand now or will stand then.
    pub(super) fn answer(&mut self, node: usize, mut read: impl FnMut(&Node) -> Input + 'static) {
        let (opening, delay) = (self.nodes[node].opening, self.store_delay());
        let input: Box<dyn Fill> = if self.random.chance(50) {
            let mut known = Some(read(&self.nodes[node]));
            Box::new(Later(move |_: &Node| known.take().unwrap()))
        } else {
            Box::new(Later(read))
        };
        self.after(
            delay,
            Happening::Answer {
                node,
                opening,
                input,
            },
        );
    }

    pub(super) fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Write(group) => {
                for entry in &group.entries {
                    self.note(format!("{} {:?}", entry.commit.id(), entry.kind).as_bytes());
                }
                for note in &group.notes {
                    self.note(&note.key);
                    self.note(note.value.as_deref().unwrap_or_default());
                }
                for row in &group.states {
                    self.tally.folds += 1;
                    self.note(&row.bytes);
                }
                let (opening, delay) = (self.nodes[node].opening, self.store_delay());
                let before = self.nodes[node].writing.replace(group);
                assert!(before.is_none(), "two groups are being written");
                self.after(delay, Happening::Apply { node, opening });
            }
            Effect::Send { link, frame } => self.send(link, frame),
            Effect::CloseLink {
                link, code, reason, ..
            } => self.close(link, code, &reason),
            Effect::Reply { ticket, reply } => self.replied(node, ticket, reply),
            Effect::Wake(watch) => {
                if self.nodes[node]
                    .watchers
                    .get(&watch)
                    .is_some_and(|watcher| watcher.reads)
                {
                    self.nodes[node].read_watch(watch);
                }
            }
            Effect::Appended { end } => {
                let entries = self.nodes[node].disk.entries.len() as u64;
                assert_eq!(end, entries, "positions of replica {node}");
            }
            Effect::LinkChanged(_) => {}
            Effect::Diverged(found) => panic!("replica {node} accuses a sound rule: {found}"),
            read => self.ask_disk(node, read),
        }
    }

    /// A store is asked.
    fn ask_disk(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::ReadHistory {
                request,
                aggregate,
                from,
            } => {
                self.tally.reloads += 1;
                self.answer(node, move |node| Input::HistoryRead {
                    request,
                    result: Ok(node.disk.history(&aggregate, from)),
                });
            }
            Effect::ReadSince {
                request,
                position,
                limit,
            } => {
                self.answer(node, move |node| Input::PageRead {
                    request,
                    result: Ok(node.disk.since(position, limit)),
                });
            }
            Effect::ReadAt {
                request,
                positions,
                limit,
            } => {
                self.answer(node, move |node| Input::PageRead {
                    request,
                    result: Ok(node.disk.at(positions.clone(), limit)),
                });
            }
            Effect::Locate { request, ranges } => {
                self.answer(node, move |node| Input::Located {
                    request,
                    result: Ok(node.disk.locate(&ranges)),
                });
            }
            Effect::Known { request, ids } => {
                self.answer(node, move |node| Input::KnownFound {
                    request,
                    result: Ok(ids.iter().map(|id| node.disk.known(*id)).collect()),
                });
            }
            other => panic!("{other:?} is not a read"),
        }
    }

    pub(super) fn send(&mut self, link: LinkId, frame: Bytes) {
        self.note(&frame);
        let Some(&(connection, from)) = self.links.get(&link) else {
            return;
        };
        let seen = self.connections[connection].sends(from, &frame);
        self.check_sent(self.connections[connection].ends[from].node, &seen);
        let delay = self.random.between(1, if self.healed { 3 } else { 30 });
        let Connection { ends, cut, .. } = &mut self.connections[connection];
        let to = &mut ends[1 - from];
        to.busy_until = to.busy_until.max(self.now + delay);
        if !*cut {
            let time = to.busy_until;
            self.at(
                time,
                Happening::Frame {
                    connection,
                    to: 1 - from,
                    frame,
                },
            );
        }
    }

    pub(super) fn check_sent(&mut self, node: usize, seen: &Seen) {
        let disk = &self.nodes[node].disk;
        match seen {
            Seen::Commits(commits) => {
                for event in commits.iter().flat_map(Commit::events) {
                    let writer = mark(event).and_then(|mark| self.writers.get(&mark));
                    let own = writer == Some(&(node, self.nodes[node].opening));
                    let id = event.id();
                    assert!(
                        !own || disk.has_durably(id),
                        "{id} leaves before it is fsynced"
                    );
                }
                let events = commits.iter().map(|commit| commit.events().len() as u64);
                self.tally.sent_events += events.sum::<u64>();
            }
            Seen::Part(commit) => {
                let log = &disk.entries;
                let entry = log.iter().position(|entry| entry.commit.id() == *commit);
                let own = entry.is_some_and(|at| log[at].from.is_none());
                assert!(
                    !own || disk.has_durably(*commit),
                    "{commit} leaves before it is fsynced"
                );
                self.tally.parts += 1;
            }
            Seen::Acked(ids, true) => {
                for id in ids {
                    assert!(
                        disk.has_durably(*id),
                        "{id} is acknowledged, but not fsynced"
                    );
                }
            }
            Seen::Refused => self.tally.refused += 1,
            Seen::Summary => self.tally.summaries += 1,
            Seen::Acked(_, false) | Seen::Other => {}
        }
    }

    pub(super) fn close(&mut self, link: LinkId, code: CloseCode, reason: &str) {
        self.note(reason.as_bytes());
        let Some(&(connection, from)) = self.links.get(&link) else {
            return;
        };
        let bad = [
            CloseCode::PROTOCOL_VIOLATION,
            CloseCode::SAME_REPLICA,
            CloseCode::TOO_BIG,
            CloseCode::LINEAGE_MISMATCH,
        ];
        assert!(!bad.contains(&code), "closed with {code}: {reason}");
        let ends = &mut self.connections[connection].ends;
        ends[from].open = false;
        let time = ends[1 - from].busy_until.max(self.now) + 1;
        if !self.connections[connection].cut {
            self.at(
                time,
                Happening::Closed {
                    connection,
                    to: 1 - from,
                    code: Some(code),
                },
            );
        }
    }
}
