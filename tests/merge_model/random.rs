use std::collections::BTreeSet;

use anabranch::event::{Commit, Event, EventId, ReplicaId, Timestamp};
use anabranch::merge::{Aggregates, Receipt};
use anabranch::resolver::Registry;
use proptest::prelude::*;

use crate::authors::{Authors, Line};
use crate::journal::Journal;
use crate::model::Model;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A replica writes a commit; its clock may say anything.
    Write {
        replica: usize,
        lines: Vec<(usize, u8, Option<usize>)>,
        clock: u64,
        whim: Whim,
    },
    /// A replica learns some of what another knows.
    Learn {
        from: usize,
        to: usize,
        commits: usize,
    },
}

/// What a writer does beyond its clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whim {
    Honest,
    /// It stamps with what its clock says, whatever it follows.
    Stubborn,
    /// The same, and nobody will name what it wrote.
    Shunned,
    /// It stamps far ahead, by so much too far.
    Far(u64),
}

pub(crate) fn steps(replicas: usize) -> impl Strategy<Value = Vec<Step>> {
    let replaced = prop_oneof![5 => Just(None), 1 => (0usize..100).prop_map(Some)];
    let lines = prop::collection::vec((0usize..3, any::<u8>(), replaced), 1..4);
    let whim = prop_oneof![
        12 => Just(Whim::Honest),
        1 => Just(Whim::Stubborn),
        2 => Just(Whim::Shunned),
        1 => (0u64..2).prop_map(Whim::Far),
    ];
    let write = (0..replicas, lines, 0u64..40, whim).prop_map(|(replica, lines, clock, whim)| {
        Step::Write {
            replica,
            lines,
            clock,
            whim,
        }
    });
    let learn = (0..replicas, 0..replicas, 1usize..6).prop_map(|(from, to, commits)| Step::Learn {
        from,
        to,
        commits,
    });
    prop::collection::vec(prop_oneof![write, learn], 1..40)
}

pub(crate) fn play(replicas: usize, steps: &[Step]) -> Authors {
    let mut authors = Authors::default();
    let mut known: Vec<Vec<usize>> = vec![Vec::new(); replicas];
    for step in steps {
        match step {
            Step::Write {
                replica,
                lines,
                clock,
                whim,
            } => {
                // Two incarnations of each device, so that there is something to replace.
                let id = ReplicaId::new(*replica as u64 / 2, *replica as u64 % 2);
                let lines: Vec<Line> = lines
                    .iter()
                    .map(|(aggregate, payload, replaced)| Line {
                        replaces: replaced.and_then(|index| replaceable(&authors, id, index)),
                        ..Line::new(*aggregate, *payload)
                    })
                    .collect();
                let past: BTreeSet<usize> = known[*replica].iter().copied().collect();
                let number = match whim {
                    Whim::Honest => authors.write(id, &past, &lines, *clock),
                    Whim::Stubborn | Whim::Shunned => {
                        let stamp = Timestamp::from_bits(*clock);
                        authors.write_at(id, &past, &lines, stamp, |_| ())
                    }
                    Whim::Far(by) => {
                        let stamps = past.iter().map(|at| authors.commits[*at].timestamp());
                        let last = stamps.max().unwrap_or(Timestamp::at_millis(1 << 47));
                        let last = last.max(Timestamp::at_millis(1 << 47));
                        let stamp = Timestamp::from_bits(last.to_bits() + by);
                        authors.write_at(id, &past, &lines, stamp, |_| ())
                    }
                };
                if matches!(whim, Whim::Shunned) {
                    let ids: Vec<_> = authors.commits[number]
                        .events()
                        .iter()
                        .map(Event::id)
                        .collect();
                    authors.shunned.extend(ids);
                }
                known[*replica].push(number);
            }
            Step::Learn { from, to, commits } => {
                // What a replica knows is in a causal order, so a part from the front is closed.
                let news = known[*from]
                    .iter()
                    .filter(|number| !known[*to].contains(number));
                let news: Vec<usize> = news.copied().take(*commits).collect();
                known[*to].extend(news);
            }
        }
    }
    authors
}

/// Some event of the device's other incarnation.
fn replaceable(authors: &Authors, id: ReplicaId, index: usize) -> Option<EventId> {
    let events = authors
        .commits
        .iter()
        .flat_map(Commit::events)
        .map(Event::id);
    let others = |other: &EventId| {
        other.replica.device() == id.device() && other.replica.incarnation() != id.incarnation()
    };
    let all: Vec<EventId> = events.filter(others).collect();
    all.get(index.checked_rem(all.len())?).copied()
}

/// Numbers to deliver: a shuffle with some repeated and, if so wanted, some left out.
pub(crate) fn deliveries() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..100)
}

pub(crate) fn registry() -> Registry {
    Registry::new().with("journal", Journal).unwrap()
}

/// Compares everything that both sides can say.
pub(crate) fn compare(aggregates: &mut Aggregates, authors: &Authors, delivered: &BTreeSet<usize>) {
    let model = Model::new(delivered.iter().map(|at| &authors.commits[*at]));
    let ids: BTreeSet<_> = aggregates
        .iter()
        .map(|timeline| timeline.aggregate().clone())
        .collect();
    assert_eq!(ids, model.aggregates());
    for id in ids {
        let (entries, refused) = model.fold(&id);
        assert_eq!(aggregates.state::<Journal>(&id).unwrap(), &entries);
        let timeline = aggregates.timeline(&id).unwrap();
        assert_eq!(timeline.rejections(), refused.len() as u64);
        let heads: BTreeSet<_> = timeline.heads().iter().map(|(head, _)| head.id).collect();
        assert_eq!(heads, model.heads(&id));
    }
    for event in delivered
        .iter()
        .flat_map(|at| authors.commits[*at].events())
    {
        assert_eq!(
            aggregates.inbox().is_ready(event.id()),
            model.is_ready(event.id())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_history_in_any_order_agrees_with_the_model(
        replicas in 1usize..=8,
        steps in steps(8),
        deliveries in deliveries(),
        looks in prop::collection::vec(any::<bool>(), 200),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|step| within(step, replicas)).collect();
        let authors = play(replicas, &steps);
        prop_assume!(!authors.commits.is_empty());
        let mut aggregates = Aggregates::new(registry());
        let mut delivered = BTreeSet::new();
        for (delivery, look) in deliveries.iter().zip(&looks) {
            let number = delivery.index(authors.commits.len());
            let receipt = aggregates.receive(&authors.commits[number]);
            prop_assert_eq!(receipt == Receipt::Duplicate, !delivered.insert(number));
            if *look {
                compare(&mut aggregates, &authors, &delivered);
            }
        }
        compare(&mut aggregates, &authors, &delivered);
        for (number, commit) in authors.commits.iter().enumerate().rev() {
            aggregates.receive(commit);
            delivered.insert(number);
        }
        compare(&mut aggregates, &authors, &delivered);
        prop_assert_eq!(aggregates.inbox().waiting_len(), 0);
        let mut straight = Aggregates::new(registry());
        authors.commits.iter().for_each(|commit| { straight.receive(commit); });
        prop_assert_eq!(straight.state_digest(), aggregates.state_digest());
    }
}

pub(crate) fn within(step: Step, replicas: usize) -> Step {
    match step {
        Step::Write {
            replica,
            lines,
            clock,
            whim,
        } => Step::Write {
            replica: replica % replicas,
            lines,
            clock,
            whim,
        },
        Step::Learn { from, to, commits } => Step::Learn {
            from: from % replicas,
            to: to % replicas,
            commits,
        },
    }
}
