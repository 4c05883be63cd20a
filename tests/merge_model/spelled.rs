//! Every built-in rule, on histories of writers with whims, looked at as their events come: the same
//! bytes as when everything is there and folded once.

use std::collections::BTreeSet;

use anabranch::event::{AggregateId, Commit, Event, EventId, Payload, PayloadError};
use anabranch::merge::Aggregates;
use anabranch::resolver::{
    AddWinsSet, Claims, Context, Counter, FieldEdit, FieldMerge, FirstWriteWins, Footprint,
    LastWriteWins, Manual, MultiValue, Piece, Registry, Rejection, Resolver, ResolverId, SetEdit,
};
use proptest::prelude::*;
use serde::Serialize;

use crate::authors::Authors;
use crate::random::{Step, Whim, deliveries, play, steps};

/// A rule whose payloads are spelled as numbers, which is what the authors write.
#[derive(Clone)]
struct Spelled<R> {
    rule: R,
    words: Vec<Payload>,
}

impl<R: Resolver> Resolver for Spelled<R> {
    type State = R::State;
    type Payload = R::Payload;

    fn id(&self) -> ResolverId {
        self.rule.id()
    }

    fn init(&self, aggregate: &AggregateId) -> R::State {
        self.rule.init(aggregate)
    }

    fn admit(
        &self,
        state: &R::State,
        payload: &R::Payload,
        cx: &Context<'_, R::Payload>,
    ) -> Result<(), Rejection> {
        self.rule.admit(state, payload, cx)
    }

    fn apply(&self, state: &mut R::State, payload: &R::Payload, cx: &Context<'_, R::Payload>) {
        self.rule.apply(state, payload, cx);
    }

    fn footprint(&self, payload: &R::Payload) -> Footprint {
        self.rule.footprint(payload)
    }

    fn claims(&self) -> Claims {
        self.rule.claims()
    }

    fn pieces(&self, state: &R::State) -> Result<Vec<Piece>, PayloadError> {
        self.rule.pieces(state)
    }

    /// The last number spells what no rule can read.
    fn decode(&self, payload: &Payload) -> Result<R::Payload, PayloadError> {
        let number: usize = payload.decode()?;
        let unreadable = Payload::from_bytes([0xff].to_vec().into())?;
        let word = self.words.get(number % (self.words.len() + 1));
        self.rule.decode(word.unwrap_or(&unreadable))
    }

    fn present(&self, state: &R::State) -> Result<Vec<u8>, PayloadError> {
        self.rule.present(state)
    }
}

/// Words of different types in one list.
trait Word {
    fn payload(&self) -> Payload;
}

impl<T: Serialize> Word for T {
    fn payload(&self) -> Payload {
        Payload::encode(self).unwrap()
    }
}

/// A history, the order in which it comes before it comes backwards, and when it is looked at.
struct Course {
    authors: Authors,
    deliveries: Vec<usize>,
    looks: Vec<bool>,
}

impl Course {
    fn comes_out_as_folded_once<R: Resolver + Clone>(&self, rule: R, words: &[&dyn Word]) {
        let commits = &self.authors.commits;
        let words = words.iter().map(|word| word.payload()).collect();
        let rule = Spelled { rule, words };
        let registry = || Registry::new().with("journal", rule.clone()).unwrap();
        let mut once = Aggregates::new(registry());
        for commit in commits {
            once.receive(commit);
        }
        let mut bit_by_bit = Aggregates::new(registry());
        for (delivery, look) in self.deliveries.iter().zip(self.looks.iter().cycle()) {
            bit_by_bit.receive(&commits[*delivery]);
            if *look {
                bit_by_bit.fold_all();
            }
        }
        for commit in commits.iter().rev() {
            bit_by_bit.receive(commit);
            bit_by_bit.fold_all();
        }
        let digests = [&mut once, &mut bit_by_bit].map(Aggregates::state_digest);
        assert_eq!(digests[0], digests[1], "{}", rule.id());
        let ids: BTreeSet<AggregateId> = once.iter().map(|it| it.aggregate().clone()).collect();
        let events = commits.iter().flat_map(Commit::events).map(Event::id);
        let events: BTreeSet<EventId> = events.collect();
        for id in ids {
            assert_eq!(once.present(&id), bit_by_bit.present(&id));
            let rejections = |of: &mut Aggregates| of.timeline(&id).unwrap().rejections();
            assert_eq!(rejections(&mut once), rejections(&mut bit_by_bit));
            let pieces = rule.pieces(once.state::<Spelled<R>>(&id).unwrap()).unwrap();
            let mut origins = pieces.iter().flat_map(|piece| &piece.from);
            assert!(origins.all(|from| events.contains(from)));
        }
    }
}

fn field(path: &[&str]) -> FieldEdit {
    let path = path.iter().copied();
    FieldEdit::new().set(path.clone(), &path.len()).unwrap()
}

/// What is added and removed, for [`AddWinsSet`].
fn edits() -> [SetEdit; 4] {
    [
        SetEdit::new().add("a").unwrap(),
        SetEdit::new().add(&7).unwrap().remove("a").unwrap(),
        SetEdit::new().add("a").unwrap().add("b").unwrap(),
        SetEdit::new().remove(&7).unwrap(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_built_in_rule_folds_what_comes_late_as_if_it_had_come_in_order(
        steps in steps(4),
        deliveries in deliveries(),
        looks in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let authors = play(4, &steps);
        prop_assume!(!authors.commits.is_empty());
        let number = |delivery: &prop::sample::Index| delivery.index(authors.commits.len());
        let deliveries = deliveries.iter().map(number).collect();
        let course = Course { authors, deliveries, looks };
        let values: [&dyn Word; 3] = [&"a", &7, &()];
        course.comes_out_as_folded_once(LastWriteWins, &values);
        course.comes_out_as_folded_once(FirstWriteWins, &values);
        course.comes_out_as_folded_once(MultiValue, &values);
        course.comes_out_as_folded_once(Counter, &[&1, &-5, &i64::MAX]);
        course.comes_out_as_folded_once(Manual, &[
            &Manual::write("a").unwrap(),
            &Manual::write(&7).unwrap(),
            &Manual::resolution(&7).unwrap(),
            &Manual::resolution(&()).unwrap(),
        ]);
        course.comes_out_as_folded_once(AddWinsSet, &edits().each_ref().map(|edit| edit as &dyn Word));
        course.comes_out_as_folded_once(FieldMerge, &[
            &field(&["a"]),
            &field(&["a", "b"]),
            &field(&["c"]),
            &FieldEdit::new().remove(["a"]),
            &FieldEdit::new().remove(["c"]).set(["a", "d"], &()).unwrap(),
        ]);
    }
}

/// Vectors say that the last commit knew the first one of its writer, which has its place behind it
/// and is in none of its pasts: whoever claims that concurrent events commute must not be believed.
#[test]
fn a_writer_that_leaves_its_own_events_out_of_its_heads_buys_no_shortcut() {
    let write = |payloads: &[u8], clock, whim| Step::Write {
        replica: 2,
        lines: payloads.iter().map(|payload| (0, *payload, None)).collect(),
        clock,
        whim,
    };
    let steps = [
        write(&[0], 26, Whim::Honest),
        write(&[3], 0, Whim::Shunned),
        write(&[0, 0], 0, Whim::Stubborn),
    ];
    let course = Course {
        authors: play(4, &steps),
        deliveries: vec![0],
        looks: vec![true],
    };
    course.comes_out_as_folded_once(MultiValue, &[&"a", &7, &()]);
    course.comes_out_as_folded_once(
        AddWinsSet,
        &edits().each_ref().map(|edit| edit as &dyn Word),
    );
}
