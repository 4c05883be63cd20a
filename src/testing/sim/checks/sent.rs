use std::collections::BTreeSet;

use crate::event::{Commit, Event, EventId};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::Seen;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::World;

impl World {
    /// What a frame that leaves a replica shows: nothing that it wrote leaves before it is fsynced, and
    /// nothing is acknowledged as durable before it is.
    pub(crate) fn check_sent(&mut self, node: usize, seen: &Seen) {
        let disk = &self.nodes[node].disk;
        match seen {
            Seen::Commits(commits) => {
                if self.plan.is_wild(node) {
                    self.check_withdrawn(node, commits);
                }
                for event in commits.iter().flat_map(Commit::events) {
                    let writer = marked(event).and_then(|mark| self.writers.get(&mark));
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
            Seen::Part(commit, _) => {
                let log = &disk.entries;
                let entry = log.iter().position(|entry| entry.commit.id() == *commit);
                let own = entry.is_some_and(|at| log[at].from.is_none());
                assert!(
                    !own || disk.has_durably(*commit),
                    "{commit} leaves before it is fsynced"
                );
                self.tally.parts += 1;
            }
            // What contradicts what is here is passed over, so that the stream goes on.
            Seen::Acked(_) if self.has_forked => {}
            Seen::Acked(ids) => {
                for id in ids {
                    assert!(
                        disk.has_durably(*id),
                        "{id} is acknowledged, but not fsynced"
                    );
                }
            }
            Seen::Refused => {
                self.tally.refused += 1;
                self.count(Fault::Refusal);
            }
            Seen::Summary => self.tally.summaries += 1,
            Seen::Other => {}
        }
    }

    /// What a writer has written again, because it was refused, it does not send any more.
    fn check_withdrawn(&self, node: usize, commits: &[Commit]) {
        let own = self.nodes[node]
            .disk
            .entries
            .iter()
            .filter(|entry| entry.from.is_none());
        let again = own
            .flat_map(|entry| entry.commit.events())
            .filter_map(Event::replaces);
        let again: BTreeSet<EventId> = again
            .filter(|id| id.replica.device() == node as u64 + 1)
            .collect();
        let mut sent = commits.iter().flat_map(Commit::events).map(Event::id);
        let withdrawn = sent.find(|id| again.contains(id));
        assert_eq!(
            withdrawn, None,
            "replica {node} sends what it has withdrawn"
        );
    }
}
