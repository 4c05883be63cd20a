//! Rules that do, or say, something else than is meant.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anabranch::event::PayloadError;
use anabranch::event::cbor;
use anabranch::resolver::{Key, Piece, Resolver, ResolverId, Verdict};
use anabranch::testing::laws::{Alphabet, Law, Suite};
use anabranch::{AggregateId, Context, FoldFn};

use super::{Mistake, numbers};

/// Wrong verdicts, lost writes, questions that stay open, rules of the house that are broken.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        reducer(),
        clock(),
        frozen(),
        maximum(),
        merged(),
        agreed(),
        earlier(),
        still_open(),
        toggled(),
        purse(),
        ticket(),
    ]
}

fn last(all: &[u64]) -> u64 {
    all.last().copied().unwrap_or(0)
}

fn reducer() -> Mistake {
    let apply = |last: &mut u64, new: &u64, cx: &Context<'_, u64>| {
        if cx.key().seq.get() < 3 || new > last {
            *last = *new;
        }
    };
    let rule = FoldFn::new("last", 1, |_| 0, apply);
    Mistake::new(
        Law::Sequence,
        "rule_for_ties_met_by_everybody",
        "what was meant for ties is done from the third write on",
        Suite::new(rule, numbers()).with_reducer(last),
    )
}

/// Payloads are the time by the writer's clock, and a value.
fn clock() -> Mistake {
    type Stamped = (u64, u64);
    let step = |state: &mut Stamped, new: &Stamped| *state = *new.max(state);
    let rule = FoldFn::reducer("stamped", 1, |_| (0, 0), step);
    let writes = Alphabet::of(&[(10u64, 1u64), (5, 2)]);
    Mistake::new(
        Law::Sequence,
        "clock_of_the_writer",
        "the greatest stamp in a payload wins, so that a slow clock cannot overwrite what it shows",
        Suite::new(rule, writes)
            .with_reducer(|all: &[Stamped]| all.last().copied().unwrap_or((0, 0))),
    )
}

/// Right as long as nobody writes at once.
fn frozen() -> Mistake {
    type Marked = (u64, bool);
    let apply = |(value, conflict): &mut Marked, new: &u64, cx: &Context<'_, u64>| {
        *conflict |= !cx.rivals().is_empty();
        if !*conflict {
            *value = *new;
        }
    };
    let rule =
        FoldFn::new("marked", 1, |_| (0, false), apply).with_judge(|_, _| Verdict::EarlierWins);
    Mistake::new(
        Law::Sequence,
        "frozen_by_a_conflict",
        "after a conflict nobody's write counts, not even of those who saw it",
        Suite::new(rule, numbers()).with_reducer(|all: &[u64]| (last(all), false)),
    )
}

fn maximum() -> Mistake {
    let step = |high: &mut u64, new: &u64| *high = *new.max(high);
    Mistake::new(
        Law::Loss,
        "maximum_said_to_be_the_later",
        "the greater value counts, and people are told that the later one does",
        Suite::new(FoldFn::reducer("high", 1, |_| 0, step), numbers()),
    )
}

fn judged(name: &'static str, sin: &'static str, verdict: Verdict) -> Mistake {
    let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u64, new: &u64| *name = *new)
        .with_judge(move |_, _| verdict);
    Mistake::new(Law::Loss, name, sin, Suite::new(rule, numbers()))
}

fn merged() -> Mistake {
    judged(
        "overruled_said_to_be_merged",
        "one of two values is gone, and people are told that both had their effect",
        Verdict::Merged,
    )
}

fn agreed() -> Mistake {
    judged(
        "overruled_said_to_agree",
        "one of two values is gone, and people are told that both said the same",
        Verdict::Agree,
    )
}

fn earlier() -> Mistake {
    judged(
        "winner_and_loser_exchanged",
        "the later value counts, and people are told that the earlier one does",
        Verdict::EarlierWins,
    )
}

/// Whoever disagrees opens a question.
struct Question {
    settle: fn(bool) -> bool,
}

/// What settles a question.
const SETTLED: u64 = 9;

impl Resolver for Question {
    type State = (u64, bool);
    type Payload = u64;

    fn id(&self) -> ResolverId {
        ResolverId::new("question", 1)
    }

    fn init(&self, _: &AggregateId) -> (u64, bool) {
        (0, false)
    }

    fn apply(&self, (value, open): &mut (u64, bool), new: &u64, cx: &Context<'_, u64>) {
        *open = match *new {
            SETTLED => (self.settle)(*open),
            _ => *open || !cx.rivals().is_empty(),
        };
        *value = *new;
    }

    fn rule_at(&self, _: &Key) -> Cow<'static, str> {
        Cow::Borrowed("a person decides")
    }

    fn pieces(&self, (value, open): &(u64, bool)) -> Result<Vec<Piece>, PayloadError> {
        Ok(vec![Piece {
            key: Key::everything(),
            value: cbor::to_vec(value)?,
            from: Vec::new(),
            open: *open,
        }])
    }
}

fn question(name: &'static str, sin: &'static str, settle: fn(bool) -> bool) -> Mistake {
    let suite = Suite::new(Question { settle }, Alphabet::of(&[1u64, 2]))
        .with_resolutions(Alphabet::of(&[SETTLED]));
    Mistake::new(Law::Resolution, name, sin, suite)
}

fn still_open() -> Mistake {
    question(
        "question_that_stays_open",
        "whoever disagrees opens a question, and a decision is one more value",
        |open| open,
    )
}

fn toggled() -> Mistake {
    question(
        "decision_that_reopens",
        "a decision switches between open and settled, so that the second of two opens it again",
        |open| !open,
    )
}

fn purse() -> Mistake {
    let step = |left: &mut i64, step: &i64| *left = left.saturating_add(*step);
    let rule = FoldFn::reducer("purse", 1, |_| 3i64, step).with_judge(|_, _| Verdict::Merged);
    Mistake::new(
        Law::Invariants,
        "balance_below_zero",
        "whoever spends has looked first, but not at what others spend meanwhile",
        Suite::new(rule, Alphabet::of(&[-2i64, 1]))
            .with_invariant("nobody owes anything", |left| *left >= 0),
    )
}

fn ticket() -> Mistake {
    let apply = |holders: &mut BTreeSet<u64>, new: &u64, cx: &Context<'_, u64>| {
        if cx.rivals().is_empty() {
            holders.clear();
        }
        holders.insert(*new);
    };
    let rule =
        FoldFn::new("ticket", 1, |_| BTreeSet::new(), apply).with_judge(|_, _| Verdict::BothKept);
    Mistake::new(
        Law::Invariants,
        "two_holders_of_one_ticket",
        "two who take it at once both have it",
        Suite::new(rule, numbers())
            .with_invariant("at most one holds it", |holders| holders.len() <= 1),
    )
    .also(&[Law::Loss])
}
