//! For tests of rules: every history of a few events, whoever had seen what, in every order.

use alloc::vec;
use alloc::vec::Vec;

use super::{ErasedResolver, Folded, Footprint, Piece, Resolver, View};
use crate::event::{
    AggregateId, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata, Payload,
    ReplicaId, Seq, Timestamp, cbor,
};

/// The past of each event: the numbers of the events that its writer had seen, and of those that
/// their writers had. Events are numbered in canonical order.
pub(super) type Pasts = Vec<Vec<usize>>;

/// Every way in which so many events can have seen each other: 1, 2, 7, 40 and 357 for 1 to 5.
pub(super) fn all_pasts(events: usize) -> Vec<Pasts> {
    let mut all = vec![Pasts::new()];
    for number in 0..events {
        let longer = |pasts: Pasts| {
            let closed = |seen: &Vec<usize>| {
                seen.iter()
                    .all(|at| pasts[*at].iter().all(|past| seen.contains(past)))
            };
            let choices: Vec<Vec<usize>> = subsets(number).into_iter().filter(closed).collect();
            let extended = move |seen| [pasts.clone(), vec![seen]].concat();
            choices.into_iter().map(extended)
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every order in which these events can be folded: those that extend causality.
pub(super) fn all_orders(pasts: &Pasts) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in pasts {
        let longer = |order: Vec<usize>| {
            let next = |at: &usize| {
                !order.contains(at) && pasts[*at].iter().all(|seen| order.contains(seen))
            };
            let next: Vec<usize> = (0..pasts.len()).filter(next).collect();
            next.into_iter()
                .map(move |at| [order.clone(), vec![at]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every sequence of so many of these letters.
pub(super) fn all_words<T: Clone>(letters: &[T], len: usize) -> Vec<Vec<T>> {
    let mut all = vec![Vec::new()];
    for _ in 0..len {
        let longer = |word: Vec<T>| {
            letters
                .iter()
                .map(move |letter| [word.clone(), vec![letter.clone()]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// The id of an event: each by a replica of its own, ids in another order than the events.
pub(super) fn id_of(number: usize) -> EventId {
    let number = u64::try_from(number).unwrap();
    EventId::new(
        ReplicaId::new((number * 5 + 3) % 7, number),
        Seq::new(number + 1).unwrap(),
    )
}

/// Events in canonical order, who saw which, and nothing else that a rule might go by.
pub(super) struct History {
    pub(super) pasts: Pasts,
    events: Vec<Event>,
}

/// What folding a history came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The state in canonical CBOR.
    pub(super) state: Vec<u8>,
    /// Which events were refused.
    pub(super) rejected: Vec<usize>,
}

impl History {
    pub(super) fn new(pasts: Pasts, payloads: &[Payload]) -> Self {
        let event = |(at, payload): (usize, &Payload)| {
            let id = id_of(at);
            let fields = EventParts {
                id,
                commit: CommitSpan::new(id.seq, 1).unwrap(),
                timestamp: Timestamp::from_bits(id.seq.get()),
                written_ms: 0,
                aggregate: aggregate(),
                event_type: EventType::new("changed").unwrap(),
                heads: Heads::new(Vec::new()).unwrap(),
                replaces: None,
                metadata: Metadata::new(),
                payload: payload.clone(),
            };
            Event::assemble(fields).unwrap()
        };
        let events = payloads.iter().enumerate().map(event).collect();
        Self { pasts, events }
    }

    pub(super) fn canonical_order(&self) -> Vec<usize> {
        (0..self.events.len()).collect()
    }

    /// Folds in an order, the state written out and read back before each event.
    pub(super) fn fold(&self, rule: &impl Resolver, order: &[usize]) -> Outcome {
        let mut outcome = Outcome {
            state: ErasedResolver::encode_state(rule, &ErasedResolver::init(rule, &aggregate()))
                .unwrap(),
            rejected: Vec::new(),
        };
        for at in order {
            self.step(rule, &mut outcome, *at);
        }
        outcome.rejected.sort_unstable();
        outcome
    }

    fn step(&self, rule: &impl Resolver, outcome: &mut Outcome, at: usize) {
        let mut state = rule.decode_state(&outcome.state).unwrap();
        let view = Seen(self.pasts[at].iter().map(|seen| id_of(*seen)).collect());
        if rule.fold(&mut state, &self.events[at], &view) != Folded::Applied {
            outcome.rejected.push(at);
        }
        outcome.state = rule.encode_state(&state).unwrap();
    }

    /// Events that the engine may fold after all the others, if they come that late.
    fn may_come_last(&self, rule: &impl Resolver, at: usize) -> bool {
        let footprint = |at: usize| ErasedResolver::footprint(rule, self.events[at].payload());
        let commutes = Resolver::claims(rule).commutes;
        (at + 1..self.events.len()).all(|later| {
            !self.pasts[later].contains(&at)
                && (commutes || !footprint(at).overlaps(&footprint(later)))
        })
    }
}

/// What a rule shows, decoded.
pub(super) fn shown(rule: &impl Resolver, state: &[u8]) -> ciborium::Value {
    let state = rule.decode_state(state).unwrap();
    cbor::from_slice(&ErasedResolver::present(rule, &state).unwrap()).unwrap()
}

/// Checks what the engine relies on, in every history of so many events with these payloads.
pub(super) fn keeps_its_word(rule: &impl Resolver, payloads: &[Payload], events: usize) {
    for pasts in all_pasts(events) {
        for word in all_words(payloads, events) {
            let history = History::new(pasts.clone(), &word);
            let order = history.canonical_order();
            let expected = history.fold(rule, &order);
            for at in 0..events {
                if history.may_come_last(rule, at) {
                    let late = [&order[..at], &order[at + 1..], &[at]].concat();
                    assert_eq!(
                        history.fold(rule, &late),
                        expected,
                        "{pasts:?} {word:?} {at}"
                    );
                }
            }
            if Resolver::claims(rule).commutes {
                for order in all_orders(&pasts) {
                    assert_eq!(history.fold(rule, &order), expected, "{pasts:?} {word:?}");
                }
            }
            changes_its_footprint_only(rule, &history);
        }
    }
}

/// Every step leaves the pieces alone that lie outside what the event says it touches, and what is
/// written and shown is canonical.
fn changes_its_footprint_only(rule: &impl Resolver, history: &History) {
    let mut outcome = history.fold(rule, &[]);
    for at in history.canonical_order() {
        let before = pieces(rule, &outcome.state);
        history.step(rule, &mut outcome, at);
        assert!(cbor::is_canonical(&outcome.state));
        let state = rule.decode_state(&outcome.state).unwrap();
        assert!(cbor::is_canonical(
            &ErasedResolver::present(rule, &state).unwrap()
        ));
        let after = pieces(rule, &outcome.state);
        assert!(after.is_sorted_by(|one, other| one.key <= other.key));
        let footprint = ErasedResolver::footprint(rule, history.events[at].payload());
        let outside = |piece: &&Piece| {
            let key = vec![piece.key.clone()];
            !footprint.overlaps(&Footprint::Keys(key))
        };
        assert!(
            before
                .iter()
                .filter(outside)
                .eq(after.iter().filter(outside))
        );
    }
}

/// The pieces of a state in canonical CBOR.
pub(super) fn pieces(rule: &impl Resolver, state: &[u8]) -> Vec<Piece> {
    let state = rule.decode_state(state).unwrap();
    let pieces = ErasedResolver::pieces(rule, &state).unwrap();
    assert!(pieces.iter().all(|piece| cbor::is_canonical(&piece.value)));
    assert!(pieces.iter().all(|piece| piece.from.is_sorted()));
    pieces
}

/// The size of a state after so many writes, each by somebody who saw all before it.
pub(super) fn size_after(rule: &impl Resolver, payloads: &[Payload], writes: usize) -> usize {
    let history = History::new(
        (0..writes).map(|at| (0..at).collect()).collect(),
        &payloads
            .iter()
            .cycle()
            .take(writes)
            .cloned()
            .collect::<Vec<_>>(),
    );
    history.fold(rule, &history.canonical_order()).state.len()
}

fn aggregate() -> AggregateId {
    AggregateId::new("thing/1").unwrap()
}

struct Seen(Vec<EventId>);

impl View for Seen {
    fn saw(&self, id: EventId) -> bool {
        self.0.contains(&id)
    }

    fn rivals(&self) -> Vec<Event> {
        Vec::new()
    }
}

fn subsets(of: usize) -> Vec<Vec<usize>> {
    (0..1usize << of)
        .map(|bits| (0..of).filter(|at| bits >> at & 1 == 1).collect())
        .collect()
}

#[test]
fn histories_are_as_many_as_are_known() {
    let count = |events| all_pasts(events).len();
    assert_eq!([1, 2, 3, 4, 5].map(count), [1, 2, 7, 40, 357]);
    let unrelated: Pasts = vec![Vec::new(); 4];
    assert_eq!(all_orders(&unrelated).len(), 24);
    assert_eq!(all_words(&['a', 'b'], 3).len(), 8);
}
