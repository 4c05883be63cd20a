use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};

use super::order::Place;
use super::prefix::Prefix;
use super::rows::Fate;
use super::rule::Rule;
use super::view::FoldView;
use super::{FoldOutcome, Timeline, Unresolved};
use crate::event::{Event, OrderKey};
use crate::merge::Panic;
use crate::resolver::{Folded, Rejection};

/// What giving several events to the rule in one go came to.
#[derive(Default)]
struct Run {
    /// How many it folded.
    folded: usize,
    payload_bytes: usize,
    /// The slots of those of them that it refused, in the same order.
    refused: Vec<(usize, Rejection)>,
    /// The last one asked for its rivals.
    asked: bool,
    /// It does not know the type of the one behind them.
    is_stuck: bool,
}

impl Timeline {
    /// Whether the events that come next may be folded in one go: nobody has asked for rivals, and none
    /// of them is doubted.
    pub(super) fn folds_in_one_go(&self) -> bool {
        let prefix = self.fold.prefix.as_deref();
        prefix.is_some_and(|prefix| prefix.extent.is_none()) && self.fold.odd.doubtful.is_none()
    }

    /// Folds the events behind a place, up to another one, as [`step`](Self::step) does one by one, in
    /// one call of the guard. Ends where a checkpoint may be due, and behind one that asks for its
    /// rivals. Returns the place behind the last one.
    pub(super) fn fold_run(
        &mut self,
        from: Place,
        until: Option<OrderKey>,
        rule: Rule<'_>,
        outcome: &mut FoldOutcome,
    ) -> Result<Place, Unresolved> {
        let Some(mut prefix) = self.fold.prefix.take() else {
            return Ok(from);
        };
        let mut run = Run::default();
        let ran = self.give(from, until, rule, &mut prefix, &mut run);
        let place = self.note(from, &mut prefix, &mut run, outcome);
        // An event that could not be folded counts as tried.
        let tried = run.folded + usize::from(run.is_stuck || ran.is_err());
        self.costs.applies += u64::try_from(tried).unwrap_or(u64::MAX);
        let is_due = self.pace.count(run.folded, run.payload_bytes);
        if run.asked {
            self.fold.asked(prefix.last);
        }
        if let Err(Panic { message }) = ran {
            // What it has made of the state is not looked at again.
            let event = self.next_event(place).map(Event::id);
            return Err(Unresolved::Panicked { event, message });
        }
        self.fold.prefix = Some(prefix);
        if run.is_stuck
            && let Some(event) = self.next_event(place)
        {
            return Err(unknown(event, rule));
        }
        self.find_extent();
        if is_due {
            self.lay_checkpoint(rule);
        }
        Ok(place)
    }

    /// Gives events to the rule.
    fn give(
        &mut self,
        from: Place,
        until: Option<OrderKey>,
        rule: Rule<'_>,
        prefix: &mut Prefix,
        run: &mut Run,
    ) -> Result<(), Panic> {
        let is_plain = self.is_plain();
        let Self {
            rows,
            order,
            cuts,
            past,
            pace,
            ..
        } = self;
        let (rows, order, resolver) = (&*rows, &*order, rule.resolver);
        let mut place = from;
        rule.guard.run(&mut || {
            while let Some((slot, next)) = order.next(place)
                && let Some(row) = rows.row(slot)
            {
                let event = &row.event;
                if until.is_some_and(|until| event.order_key() >= until) {
                    break;
                }
                run.is_stuck = !resolver.knows(event.event_type());
                if run.is_stuck {
                    break;
                }
                let view = FoldView {
                    resolver,
                    rows,
                    slot,
                    event,
                    order,
                    cuts,
                    everything: None,
                    is_plain,
                    past: RefCell::new(&mut *past),
                    vector: OnceCell::new(),
                    asked: Cell::new(false),
                };
                let folded = resolver.fold(&mut prefix.state, event, &view);
                run.asked = view.asked.get();
                if let Folded::Rejected(rejection) = folded {
                    run.refused.push((slot, rejection));
                }
                run.folded += 1;
                run.payload_bytes += event.payload().len();
                place = next;
                if run.asked || pace.is_due_after(run.folded, run.payload_bytes) {
                    break;
                }
            }
        })
    }

    /// Notes what became of the events behind a place. Returns the place behind them.
    fn note(
        &mut self,
        from: Place,
        prefix: &mut Prefix,
        run: &mut Run,
        outcome: &mut FoldOutcome,
    ) -> Place {
        let mut place = from;
        let mut refused = core::mem::take(&mut run.refused).into_iter().peekable();
        for _ in 0..run.folded {
            let Some((slot, next)) = self.order.next(place) else {
                break;
            };
            place = next;
            let Some(row) = self.rows.row(slot) else {
                continue;
            };
            let first_time = row.fate() == Fate::Pending;
            prefix.take(&row.event);
            self.rows.note_cut(slot, None);
            self.news.stepped(slot, first_time);
            let folded = match refused.next_if(|(refused, _)| *refused == slot) {
                Some((_, rejection)) => Folded::Rejected(rejection),
                None => Folded::Applied,
            };
            self.settle(slot, folded.into(), outcome);
        }
        place
    }

    fn next_event(&self, place: Place) -> Option<&Event> {
        let (slot, _) = self.order.next(place)?;
        self.rows.row(slot).map(|row| &row.event)
    }
}

/// Why an event cannot be folded whose type the rule does not know.
pub(super) fn unknown(event: &Event, rule: Rule<'_>) -> Unresolved {
    Unresolved::UnknownEventType {
        event: event.id(),
        event_type: event.event_type().clone(),
        resolver: rule.resolver.id(),
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::event::{
        AggregateId, ChainTag, CommitSpan, EventId, EventParts, EventType, Metadata, Payload,
        ReplicaId, Seq, Timestamp,
    };
    use crate::merge::Guard;
    use crate::resolver::{Context, Resolver, ResolverId, Route};

    /// Lists what comes. Refuses some, asks for the rivals of some, does not know others, and panics
    /// at one, halfway.
    struct Moody {
        panics_at: u64,
    }

    impl Resolver for Moody {
        type State = Vec<u64>;
        type Payload = u64;

        fn id(&self) -> ResolverId {
            ResolverId::new("moody", 1)
        }

        fn init(&self, _: &AggregateId) -> Vec<u64> {
            Vec::new()
        }

        fn knows(&self, event_type: &EventType) -> bool {
            event_type.as_str() == "known"
        }

        fn admit(&self, _: &Vec<u64>, n: &u64, _: &Context<'_, u64>) -> Result<(), Rejection> {
            (n % 7 != 3)
                .then_some(())
                .ok_or_else(|| Rejection::new("no"))
        }

        fn apply(&self, state: &mut Vec<u64>, n: &u64, cx: &Context<'_, u64>) {
            state.push(*n);
            assert_ne!(*n, self.panics_at, "boom");
            if n % 41 == 5 {
                state.extend(cx.rivals().iter().map(|rival| rival.payload));
            }
        }
    }

    struct Catching;

    impl Guard for Catching {
        fn run(&self, work: &mut dyn FnMut()) -> Result<(), Panic> {
            catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panic {
                message: "boom".into(),
            })
        }
    }

    /// Event `n`, of one of three writers who do not always see what the others write.
    fn event(n: u64, random: u64, seen: &mut [Timeline], all: &mut Timeline) -> Event {
        let at = usize::try_from(random >> 40).unwrap() % seen.len();
        let id = EventId::new(
            ReplicaId::new(u64::try_from(at).unwrap(), 0),
            Seq::new(n).unwrap(),
        );
        let heads = if (random >> 50).is_multiple_of(4) {
            (all.heads_for_write(id.replica), all.latest())
        } else {
            (seen[at].heads_for_write(id.replica), seen[at].latest())
        };
        let millis = heads.1.map_or(0, Timestamp::millis) + 1 + (random >> 20) % 5;
        let event = Event::assemble(EventParts {
            id,
            commit: CommitSpan::new(id.seq, 1).unwrap(),
            timestamp: Timestamp::at_millis(millis),
            written_ms: 0,
            aggregate: all.aggregate().clone(),
            event_type: if n == 180 { "unknown" } else { "known" }.parse().unwrap(),
            heads: heads.0,
            replaces: None,
            metadata: Metadata::new(),
            payload: Payload::encode(&n).unwrap(),
        });
        let event = event.unwrap();
        let tag = ChainTag::from_bits(1);
        // What it names may not be there alone: a writer's view is all of it then.
        if (random >> 50).is_multiple_of(4) {
            seen[at] = Timeline::with_history(
                all.aggregate().clone(),
                None,
                all.rows.iter().map(|row| (row.event.clone(), row.tag())),
            );
        }
        seen[at].integrate(event.clone(), tag);
        all.integrate(event.clone(), tag);
        event
    }

    /// Against a timeline that folds step by step, as it takes an event to be doubtful that it never
    /// gets.
    #[test]
    fn what_is_folded_in_one_go_is_what_is_folded_step_by_step() {
        let aggregate = AggregateId::new("a/1").unwrap();
        let nobody = EventId::new(ReplicaId::new(99, 0), Seq::FIRST);
        let mut ends = [0usize; 3];
        let mut random = 7u64;
        for seed in 0..60u64 {
            let panics_at = 20 + seed * 7;
            let new = || Timeline::new(aggregate.clone(), Some(Route::new(Moody { panics_at })));
            let (mut quick, mut slow, mut all) = (new(), new(), new());
            let mut seen = [new(), new(), new()];
            let mut end = 0;
            for n in 1..200 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let event = event(n, random, &mut seen, &mut all);
                let tag = ChainTag::from_bits(1);
                let named = event.heads().iter().copied().collect();
                assert_eq!(quick.is_followed_by(&event), quick.is_headed_by(&named));
                let added = quick.integrate(event.clone(), tag);
                assert_eq!(slow.integrate(event, tag), added);
                if !(random >> 30).is_multiple_of(16) {
                    continue;
                }
                slow.fold.odd.doubtful.get_or_insert(nobody);
                let outcome = quick.fold(&Catching);
                assert_eq!(slow.fold(&Catching), outcome);
                assert_eq!(quick.condition(), slow.condition());
                let state = |timeline: &Timeline| -> Option<Vec<u64>> {
                    timeline.last_good()?.downcast_ref().cloned()
                };
                assert_eq!(state(&quick), state(&slow));
                assert_eq!(quick.costs(), slow.costs());
                assert_eq!(quick.rejections(), slow.rejections());
                end = match quick.condition() {
                    None => 0,
                    Some(Unresolved::UnknownEventType { .. }) => 1,
                    Some(_) => 2,
                };
                if end > 0 {
                    break;
                }
            }
            ends[end] += 1;
        }
        assert!(ends.iter().all(|count| *count > 3), "{ends:?}");
    }
}
