use std::collections::BTreeMap;

use crate::event::AggregateId;
use crate::resolver::{Context, Footprint, Key, Rejection, Resolver, ResolverId};
use crate::testing::sim::draws::Draws;

/// Boxes on a shelf, each of which must not get below nothing. Halving them all, and taking from one,
/// depend on their order, so exact keys are needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf;

/// A step of one box, or all of them halved.
type Step = (Option<u64>, i64);

pub(super) fn step(draws: &mut Draws) -> Step {
    let which = (!draws.chance(15)).then(|| draws.below(4));
    (which, draws.below(20) as i64 - 7)
}

impl Resolver for Shelf {
    type State = BTreeMap<u64, i64>;
    type Payload = Step;

    fn id(&self) -> ResolverId {
        ResolverId::new("shelf", 1)
    }

    fn init(&self, _: &AggregateId) -> Self::State {
        BTreeMap::new()
    }

    fn admit(
        &self,
        state: &Self::State,
        (which, step): &Step,
        _: &Context<'_, Step>,
    ) -> Result<(), Rejection> {
        let there = which.map_or(0, |which| state.get(&which).copied().unwrap_or_default());
        match which {
            Some(_) if there + step < 0 => Err(Rejection::new(format!("only {there} left"))),
            _ => Ok(()),
        }
    }

    fn apply(&self, state: &mut Self::State, (which, step): &Step, _: &Context<'_, Step>) {
        match which {
            Some(which) => *state.entry(*which).or_default() += step,
            None => state.values_mut().for_each(|there| *there /= 2),
        }
    }

    fn footprint(&self, (which, _): &Step) -> Footprint {
        let key = match which {
            Some(which) => Key::leaf(["boxes".into(), which.to_string()]),
            None => Key::branch(["boxes"]),
        };
        Footprint::Keys(vec![key])
    }
}
