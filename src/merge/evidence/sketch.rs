use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::event::{
    AggregateId, ChainTag, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};

/// A history without names: events in canonical order, each with its writer, the places of the events
/// in its past, and its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::merge) struct Sketch {
    pub(in crate::merge) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::merge) struct Step {
    pub(in crate::merge) writer: usize,
    /// Closed: with an event all of its past.
    pub(in crate::merge) past: BTreeSet<usize>,
    pub(in crate::merge) payload: Payload,
    /// When it came, in comparison with the others.
    pub(in crate::merge) arrival: usize,
}

impl Sketch {
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The same without some events.
    pub(super) fn without(&self, gone: &BTreeSet<usize>) -> Self {
        let kept: Vec<usize> = (0..self.len()).filter(|at| !gone.contains(at)).collect();
        let place = |at: &usize| kept.binary_search(at).ok();
        let steps = self.steps.iter().enumerate();
        let steps = steps.filter(|(at, _)| !gone.contains(at));
        let step = |(_, step): (usize, &Step)| Step {
            past: step.past.iter().filter_map(place).collect(),
            ..step.clone()
        };
        Self {
            steps: steps.map(step).collect(),
        }
    }

    /// The same by as few writers as its pasts allow: each event is by whoever wrote the newest of
    /// its past that nobody has continued yet, or by somebody new.
    pub(super) fn by_few(&self) -> Self {
        let mut last: Vec<usize> = Vec::new();
        let mut sketch = self.clone();
        for (at, step) in sketch.steps.iter_mut().enumerate() {
            let own = last.iter().rposition(|newest| step.past.contains(newest));
            step.writer = own.unwrap_or(last.len());
            match last.get_mut(step.writer) {
                Some(newest) => *newest = at,
                None => last.push(at),
            }
        }
        sketch
    }

    /// How many writers it has.
    pub(super) fn writers(&self) -> usize {
        let writers: BTreeSet<usize> = self.steps.iter().map(|step| step.writer).collect();
        writers.len()
    }

    /// The newest events of a past: those in no other event's past of it.
    pub(super) fn heads(&self, at: usize) -> Vec<usize> {
        let mut covered: BTreeSet<usize> = BTreeSet::new();
        let mut heads = Vec::new();
        let past = self.steps.get(at).map(|step| &step.past);
        for seen in past.into_iter().flatten().rev() {
            if !covered.contains(seen) {
                covered.extend(
                    self.steps
                        .get(*seen)
                        .into_iter()
                        .flat_map(|step| &step.past),
                );
                heads.push(*seen);
            }
        }
        heads.reverse();
        heads
    }

    /// The places in the order of arrival: each after its past, and else as they came.
    pub(super) fn as_they_came(&self) -> Vec<usize> {
        self.ordered_by(|step, _| step.arrival)
    }

    /// The places so that each event comes as late as its successors allow.
    pub(super) fn as_late_as_possible(&self) -> Vec<usize> {
        self.ordered_by(|_, at| usize::MAX - at)
    }

    /// The places in canonical order, but one event as late as its successors allow.
    pub(super) fn with_one_late(&self, late: usize) -> Vec<usize> {
        self.ordered_by(|_, at| if at == late { usize::MAX } else { at })
    }

    /// Of the events whose past is there, the one of the smallest rank is next.
    fn ordered_by(&self, rank: impl Fn(&Step, usize) -> usize) -> Vec<usize> {
        let mut missing: Vec<usize> = self.steps.iter().map(|step| step.past.len()).collect();
        let places = self.steps.iter().enumerate();
        let first = places.filter(|(_, step)| step.past.is_empty());
        let mut ready: BTreeSet<(usize, usize)> =
            first.map(|(at, step)| (rank(step, at), at)).collect();
        let mut order = Vec::new();
        while let Some((_, next)) = ready.pop_first() {
            order.push(next);
            let later = self.steps.iter().enumerate().skip(next + 1);
            for (at, step) in later.filter(|(_, step)| step.past.contains(&next)) {
                let Some(missing) = missing.get_mut(at) else {
                    continue;
                };
                *missing -= 1;
                if *missing == 0 {
                    ready.insert((rank(step, at), at));
                }
            }
        }
        order
    }

    /// The events as a history of the laws makes them, so that what is seen here is what the printed
    /// test sees.
    pub(super) fn events(&self) -> Option<Vec<Event>> {
        let aggregate = AggregateId::new("law/1").ok()?;
        let event_type = EventType::new("tried").ok()?;
        let mut written: Vec<u64> = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            if written.len() <= step.writer {
                written.resize(step.writer + 1, 0);
            }
            let count = written.get_mut(step.writer)?;
            *count += 1;
            let id = EventId::new(replica(step.writer), Seq::new(*count)?);
            let head = |seen: usize| {
                events.get(seen).map(|event| Head {
                    id: event.id(),
                    tag: ChainTag::from_bits(0),
                })
            };
            let heads = self.heads(at).into_iter().filter_map(head).collect();
            let stamp = u64::try_from(at).ok()?.saturating_add(1);
            let parts = EventParts {
                id,
                commit: CommitSpan::new(id.seq, 1).ok()?,
                timestamp: Timestamp::from_bits(stamp),
                written_ms: 0,
                aggregate: aggregate.clone(),
                event_type: event_type.clone(),
                heads: Heads::new(heads).ok()?,
                replaces: None,
                metadata: Metadata::new(),
                payload: step.payload.clone(),
            };
            events.push(Event::assemble(parts).ok()?);
        }
        Some(events)
    }
}

/// As the laws name their writers.
fn replica(writer: usize) -> ReplicaId {
    let writer = u64::try_from(writer).unwrap_or(u64::MAX);
    ReplicaId::new((writer % 11 * 5 + 3) % 11, writer)
}
