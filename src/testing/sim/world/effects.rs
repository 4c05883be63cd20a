//! What an engine wants done: groups reach the disk late, reads are answered late, frames travel.

use super::queue::Answer;
use super::{Happening, World};
use crate::engine::{Effect, Failure, Input};
use crate::log::Group;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::told_commit;

impl World {
    fn delay(&mut self, fault: Fault) -> u64 {
        if self.strikes(fault) {
            self.count(fault);
            return self.draws.log_uniform(20, 1_500);
        }
        self.draws.below(4)
    }

    pub(super) fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Write(group) => self.write_group(node, group),
            Effect::Send { link, frame } => self.send(link, frame),
            Effect::CloseLink {
                link, code, reason, ..
            } => self.close(link, code, &reason),
            Effect::Reply { ticket, reply } => {
                self.note("reply", ticket.0, &[u8::from(reply.is_ok())]);
                self.replied(node, ticket, reply);
            }
            Effect::Wake(watch) => {
                let watcher = self.nodes[node].watchers.get(&watch);
                if watcher.is_some_and(|watcher| watcher.reads) {
                    self.read_watch(node, watch);
                }
            }
            Effect::Appended { end } => {
                let entries = self.nodes[node].disk.entries.len() as u64;
                assert_eq!(end, entries, "positions of replica {node}");
                self.nodes[node].appended = end;
            }
            Effect::LinkChanged(_) => {}
            Effect::Diverged(found) => panic!("the audit of replica {node}: {found}"),
            asked => {
                let (opening, delay) = (self.nodes[node].opening, self.delay(Fault::SlowRead));
                // As things stand now, or will stand then.
                let answer = if self.draws.chance(50) {
                    Answer::Known(self.read(node, asked))
                } else {
                    Answer::Asked(asked)
                };
                self.after(
                    delay,
                    Happening::Answer {
                        node,
                        opening,
                        answer,
                    },
                );
            }
        }
    }

    fn write_group(&mut self, node: usize, group: Group) {
        self.check_written(node, &group);
        for entry in &group.entries {
            self.trace.say(self.now, || {
                let (commit, from) = (told_commit(&entry.commit), entry.from);
                format!(
                    "replica {node} writes {:?} {commit} from {from:?}",
                    entry.kind
                )
            });
            let digest = entry.commit.events()[0].digest();
            self.note("entry", entry.commit.id().seq.get(), &digest.to_bytes());
        }
        for note in &group.notes {
            self.note("note", 0, &note.key);
            self.note("note", 1, note.value.as_deref().unwrap_or_default());
        }
        for row in &group.states {
            self.tally.folds += 1;
            self.note("fold", 0, &row.bytes);
        }
        let (opening, delay) = (self.nodes[node].opening, self.delay(Fault::SlowWrite));
        let before = self.nodes[node].writing.replace(group);
        assert!(before.is_none(), "two groups are being written");
        self.after(delay, Happening::Apply { node, opening });
    }

    pub(super) fn apply(&mut self, node: usize, opening: u64) {
        let at = &mut self.nodes[node];
        if at.opening != opening {
            return;
        }
        let Some(group) = at.writing.take() else {
            return;
        };
        self.trace
            .say(self.now, || format!("the group of replica {node} arrives"));
        let at = &mut self.nodes[node];
        let is_full = at.full_until > self.now && !self.healed;
        let fails = at.fail_next.take().filter(|_| !self.healed);
        let fails = if is_full {
            Some(Fault::DiskFull)
        } else {
            fails
        };
        if matches!(fails, None | Some(Fault::WriteKept)) {
            let searched = self.draws.chance(15);
            let at = &mut self.nodes[node];
            at.disk.append(&group, &at.registry, searched);
            let (is_other, is_bare) = (at.is_other, at.registry.is_empty());
            if !group.entries.is_empty() {
                self.nodes[node].is_other = false;
                self.count_if(
                    is_other,
                    if is_bare {
                        Fault::NoRules
                    } else {
                        Fault::OtherVersion
                    },
                );
            }
        }
        if self.strikes(Fault::CrashBeforeAnswer) {
            self.count(Fault::CrashBeforeAnswer);
            let power = self.draws.chance(50);
            self.end(node, power);
            return;
        }
        let delay = self.draws.below(4);
        let input = match fails {
            None => Input::Written,
            Some(fault) => {
                self.count(fault);
                self.nodes[node].failed = true;
                if self.plan.trouble > 0 && self.draws.chance(70) {
                    let wait = self.draws.log_uniform(50, 3_000);
                    self.after(wait, Happening::GiveUp { node, opening });
                }
                Input::WriteFailed {
                    reason: fault.name().into(),
                }
            }
        };
        let answer = Answer::Known(input);
        self.after(
            delay,
            Happening::Answer {
                node,
                opening,
                answer,
            },
        );
    }

    /// A store is asked.
    pub(super) fn read(&mut self, node: usize, effect: Effect) -> Input {
        let fails = self.strikes(Fault::ReadError);
        if fails {
            self.count(Fault::ReadError);
            self.nodes[node].unread = true;
        }
        let disk = &self.nodes[node].disk;
        let damaged = |_| Failure::store("a checksum does not match");
        let broken = || Failure::store("input/output error");
        let input = match effect {
            Effect::ReadHistory {
                request,
                aggregate,
                from,
            } => {
                self.tally.reloads += 1;
                let result = disk.history(&aggregate, from).map_err(damaged);
                let result = if fails { Err(broken()) } else { result };
                Input::HistoryRead { request, result }
            }
            Effect::ReadSince {
                request,
                position,
                limit,
            } => {
                let result = disk.since(position, limit).map_err(damaged);
                let result = if fails { Err(broken()) } else { result };
                Input::PageRead { request, result }
            }
            Effect::ReadAt {
                request,
                positions,
                limit,
            } => {
                let result = disk.at(&positions, limit).map_err(damaged);
                let result = if fails { Err(broken()) } else { result };
                Input::PageRead { request, result }
            }
            Effect::Locate { request, ranges } => {
                let result = if fails {
                    Err(broken())
                } else {
                    Ok(disk.locate(&ranges))
                };
                Input::Located { request, result }
            }
            Effect::Known { request, ids } => {
                let known = ids
                    .iter()
                    .map(|id| disk.known(*id).map_err(damaged))
                    .collect();
                let result = if fails { Err(broken()) } else { known };
                Input::KnownFound { request, result }
            }
            other => panic!("{other:?} is not a read"),
        };
        if is_damage(&input) && !fails {
            self.damage_is_found(node);
        }
        input
    }

    /// A read has shown that the store is damaged.
    pub(crate) fn damage_is_found(&mut self, node: usize) {
        if std::mem::replace(&mut self.nodes[node].unread, true) && self.nodes[node].found {
            return;
        }
        self.nodes[node].found = true;
        self.count(Fault::BitFlip);
        let (opening, wait) = (self.nodes[node].opening, self.draws.between(1, 1_000));
        self.after(wait, Happening::Replace { node, opening });
    }
}

fn is_damage(input: &Input) -> bool {
    match input {
        Input::HistoryRead { result, .. } => result.is_err(),
        Input::PageRead { result, .. } => result.is_err(),
        Input::Located { result, .. } => result.is_err(),
        Input::KnownFound { result, .. } => result.is_err(),
        _ => false,
    }
}
