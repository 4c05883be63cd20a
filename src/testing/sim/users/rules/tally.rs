use crate::event::AggregateId;
use crate::resolver::{Claims, Context, Footprint, Resolver, ResolverId};

/// A sum, whose steps commute; but every tenth number asks how many rivals it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally;

impl Resolver for Tally {
    type State = u64;
    type Payload = u64;

    fn id(&self) -> ResolverId {
        ResolverId::new("tally", 1)
    }

    fn init(&self, _: &AggregateId) -> u64 {
        0
    }

    fn apply(&self, state: &mut u64, number: &u64, cx: &Context<'_, u64>) {
        *state += number;
        if number.is_multiple_of(10) {
            *state += 1_000 * cx.rivals().len() as u64;
        }
    }

    fn footprint(&self, _: &u64) -> Footprint {
        Footprint::Everything
    }

    fn claims(&self) -> Claims {
        Claims::commuting()
    }
}
