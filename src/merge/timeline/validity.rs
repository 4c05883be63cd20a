use alloc::format;

use crate::event::{ChainTag, Event, EventId, Timestamp};
use crate::resolver::Rejection;

/// What validity asks about a named head.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) timestamp: Timestamp,
    /// Nothing where it is not known; then it is not compared.
    pub(super) tag: Option<ChainTag>,
    pub(super) valid: bool,
}

/// Why an event is invalid, judged by its causal past alone, which `look_up` knows: nothing for an
/// id that is no event of this aggregate.
///
/// An invalid event is no part of the canonical order and never a head, so that an impossible
/// timestamp cannot leave an aggregate without a valid successor; an event that names it is
/// invalid, too.
pub(super) fn invalid(
    event: &Event,
    look_up: impl Fn(EventId) -> Option<Named>,
) -> Option<Rejection> {
    let because = |reason| Some(Rejection::new(reason));
    let mut greatest = None;
    let mut continues = false;
    for head in event.heads() {
        let id = head.id;
        let Some(named) = look_up(id) else {
            return because(format!(
                "it names {id}, which is no event of this aggregate"
            ));
        };
        if named.tag.is_some_and(|tag| tag != head.tag) {
            return because(format!(
                "it names {id} of another branch of that replica's events"
            ));
        }
        if !named.valid {
            return because(format!("it names {id}, which is invalid"));
        }
        // The events of one commit share a stamp, and the named one is valid with it.
        if id.replica == event.id().replica && event.commit().contains(id.seq) {
            continues = true;
            continue;
        }
        if named.timestamp >= event.timestamp() {
            let (own, other) = (event.timestamp(), named.timestamp);
            return because(format!("its timestamp {own} is not after {other} of {id}"));
        }
        greatest = greatest.max(Some(named.timestamp));
    }
    let successor = greatest.and_then(Timestamp::next);
    if event.timestamp().is_far() && !continues && successor != Some(event.timestamp()) {
        let own = event.timestamp();
        return because(format!(
            "its timestamp {own} is far ahead and follows none exactly"
        ));
    }
    None
}
