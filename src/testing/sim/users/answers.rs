use crate::engine::{Failure, Recorded, Reply, Ticket};
use crate::event::AggregateId;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::users::marked;
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::Ask;

/// Readings that a user keeps, to write on them some day.
const READINGS: usize = 8;

impl World {
    pub(crate) fn replied(&mut self, node: usize, ticket: Ticket, reply: Result<Reply, Failure>) {
        let at = &mut self.nodes[node];
        let ask = at.asks.remove(&ticket.0).unwrap();
        match (ask, reply) {
            (
                Ask::Record {
                    marks,
                    durable,
                    odd,
                },
                Ok(Reply::Recorded(recorded)),
            ) => {
                self.recorded(node, &marks, durable, odd, &recorded);
            }
            (
                Ask::Record { odd, .. },
                Err(Failure::Rejected {
                    aggregate, reason, ..
                }),
            ) => {
                let is_garbage = odd == Some(Fault::Garbage);
                let lawful = is_garbage || self.cast.may_refuse(&aggregate);
                assert!(lawful, "{aggregate}: {reason}");
                self.count_if(is_garbage, Fault::Garbage);
                self.tally.rejected += 1;
            }
            (Ask::Ingest, Ok(Reply::Ingested(ingested))) => {
                self.count_if(ingested.waiting > 0, Fault::MissingPast);
                self.count_if(ingested.duplicates > 0, Fault::Duplicate);
            }
            (Ask::Load { aggregate }, Ok(Reply::Done)) => self.loaded(node, &aggregate),
            (Ask::Flush { end }, Ok(Reply::Done)) => {
                assert!(at.disk.durable as u64 >= end, "flushed, but not fsynced");
            }
            (Ask::Record { odd, .. }, Err(Failure::Unresolved { .. })) => {
                let is_unknown = odd == Some(Fault::UnknownType);
                self.count_if(is_unknown, Fault::UnknownType);
                let has_rules = !self.nodes[node].registry.is_empty();
                assert!(is_unknown || !has_rules, "a rule is missing");
                self.count_if(!is_unknown, Fault::NoRules);
            }
            (
                Ask::Record {
                    odd: Some(Fault::OldBasis),
                    ..
                },
                Err(Failure::OtherReader { .. } | Failure::LostBasis { .. }),
            )
            | (Ask::Forged, Err(Failure::Forked { .. })) => {}
            (_, Err(Failure::Store { .. })) => {
                assert!(at.failed || at.unread, "the store did not fail");
            }
            (ask, reply) => panic!("{ask:?} was answered by {reply:?}"),
        }
    }

    fn recorded(
        &mut self,
        node: usize,
        marks: &[u64],
        durable: bool,
        odd: Option<Fault>,
        recorded: &Recorded,
    ) {
        let disk = &self.nodes[node].disk;
        for (mark, id) in marks.iter().zip(recorded.events()) {
            let event = disk.event(id).unwrap();
            assert_eq!(marked(event), Some(*mark));
            assert!(disk.has_durably(id) || !durable, "{id} is not fsynced");
            if durable {
                self.durable.insert(*mark, node);
            }
        }
        if let Some(fault) = odd {
            self.count(fault);
        }
    }

    /// What is read stands for exactly what is in the log, whatever the cache has been through.
    fn loaded(&mut self, node: usize, aggregate: &AggregateId) {
        let (searched, kept) = (self.draws.chance(25), self.draws.chance(30));
        let at = &mut self.nodes[node];
        let engine = at.engine.as_mut().unwrap();
        let written = engine.is_idle() && engine.status().end == at.disk.entries.len() as u64;
        if kept && let Some(basis) = engine.basis(aggregate) {
            at.readings.truncate(READINGS - 1);
            at.readings.push(basis);
        }
        let Some(timeline) = engine.timeline(aggregate) else {
            return;
        };
        if written && searched {
            let (digest, events) = (timeline.digest(), timeline.len());
            let fresh = at.disk.timeline(aggregate, &at.registry);
            assert_eq!(
                (events, digest),
                (fresh.len(), fresh.digest()),
                "{aggregate} on replica {node}"
            );
        }
    }
}
