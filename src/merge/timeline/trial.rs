use super::validity::{Named, invalid};
use super::view::LatestView;
use super::{Timeline, TrialError};
use crate::event::{Event, EventId};
use crate::merge::{Guard, Panic};
use crate::resolver::{ErasedResolver, ErasedState, Folded, Rejection, View};

impl Timeline {
    /// Whether these new events of one commit, which name everything here, would be admitted now.
    /// Fold first: what has not been folded is not looked at. The state is copied only where there
    /// are several events.
    ///
    /// Where there is no rule, or its state cannot be had, only validity is checked: nothing would
    /// be gained by refusing a write for it. An event type that the rule does not know is refused.
    ///
    /// # Errors
    /// [`TrialError`] names the first event that would be rejected, and why.
    pub fn trial(&self, events: &[Event], guard: &dyn Guard) -> Result<(), TrialError> {
        for (index, event) in events.iter().enumerate() {
            let before = events.get(..index).unwrap_or_default();
            let look_up = |id| self.named(id).or_else(|| named_in(before, id));
            if let Some(rejection) = invalid(event, look_up) {
                return Err(TrialError { index, rejection });
            }
        }
        let (Some(route), Ok(state)) = (&self.route, self.state()) else {
            return Ok(());
        };
        let resolver = &**route.resolver();
        let mut copy: Option<ErasedState> = None;
        for (index, event) in events.iter().enumerate() {
            let previous = index
                .checked_sub(1)
                .and_then(|at| events.get(at))
                .map(Event::id);
            let view = LatestView {
                seen: &self.seen,
                previous,
            };
            let mut verdict = Ok(());
            let ran = guard.run(&mut || {
                if events.len() > 1 && copy.is_none() {
                    copy = Some(resolver.clone_state(state));
                }
                verdict = judge(resolver, state, copy.as_mut(), event, &view);
            });
            if let Err(Panic { message }) = ran {
                let reason = alloc::format!("the resolver panicked: {message}");
                verdict = Err(Rejection::new(reason));
            }
            verdict.map_err(|rejection| TrialError { index, rejection })?;
        }
        Ok(())
    }
}

fn judge(
    resolver: &dyn ErasedResolver,
    state: &ErasedState,
    copy: Option<&mut ErasedState>,
    event: &Event,
    view: &dyn View,
) -> Result<(), Rejection> {
    let event_type = event.event_type();
    if !resolver.knows(event_type) {
        let reason = alloc::format!(
            "{} does not know the event type {event_type}",
            resolver.id()
        );
        return Err(Rejection::new(reason));
    }
    let Some(copy) = copy else {
        return resolver.admit(state, event, view);
    };
    match resolver.fold(copy, event, view) {
        Folded::Applied => Ok(()),
        Folded::Rejected(rejection) => Err(rejection),
    }
}

/// An earlier event of the same trial.
fn named_in(before: &[Event], id: EventId) -> Option<Named> {
    let event = before.iter().find(|event| event.id() == id)?;
    Some(Named {
        timestamp: event.timestamp(),
        tag: None,
        valid: true,
    })
}
