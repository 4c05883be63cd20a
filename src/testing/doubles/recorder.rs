use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::vec::Vec;

use crate::event::{AggregateId, EventId, EventType, Payload, PayloadError};
use crate::resolver::{
    Claims, Context, Footprint, Key, Piece, Rejection, Resolver, ResolverId, Verdict,
};

/// A rule that keeps what it was asked, and answers as the rule that it wraps: the same id, states,
/// footprints and claims. Clones share the record.
///
/// What a replica asks is its own affair and changes from version to version; that an event was
/// refused, or folded once and not again, is worth an assertion, the number of footprints is not.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anabranch::resolver::Counter;
/// use anabranch::testing::doubles::Recorder;
/// use anabranch::{Draft, Registry, Replica};
///
/// let rule = Recorder::new(Counter);
/// let replica = Replica::in_memory(Registry::new().with("steps", rule.clone())?).await?;
/// let recorded = replica.record(Draft::new("steps/today", "walked", &7)?).await?;
/// replica.present("steps/today").await?;
/// assert_eq!(rule.applied(), recorded.events().collect::<Vec<_>>());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Recorder<R> {
    rule: Arc<R>,
    record: Arc<Mutex<Vec<Asked>>>,
}

/// One question that a rule was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// [`Resolver::init`].
    Init(AggregateId),
    /// [`Resolver::admit`], and what it refused the event for.
    Admit(EventId, Result<(), Rejection>),
    /// [`Resolver::apply`].
    Apply(EventId),
    /// [`Resolver::footprint`], of a payload whose event the rule is not told.
    Footprint(Footprint),
    /// [`Resolver::judge`] or [`Resolver::judge_at`], of two payloads whose events the rule is not
    /// told.
    Judge(Verdict),
}

impl<R> Recorder<R> {
    /// Wraps a rule.
    pub fn new(rule: R) -> Self {
        Self {
            rule: Arc::new(rule),
            record: Arc::default(),
        }
    }

    /// Everything so far, in the order in which it was asked.
    pub fn record(&self) -> Vec<Asked> {
        self.locked().clone()
    }

    /// The events that were folded, in that order; one that was folded again stands there again.
    pub fn applied(&self) -> Vec<EventId> {
        let applied = |asked: &Asked| match asked {
            Asked::Apply(id) => Some(*id),
            _ => None,
        };
        self.locked().iter().filter_map(applied).collect()
    }

    /// The events that were refused, with the reason.
    pub fn refused(&self) -> Vec<(EventId, Rejection)> {
        let refused = |asked: &Asked| match asked {
            Asked::Admit(id, Err(rejection)) => Some((*id, rejection.clone())),
            _ => None,
        };
        self.locked().iter().filter_map(refused).collect()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.locked().clear();
    }

    fn note(&self, asked: Asked) {
        self.locked().push(asked);
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.record.lock().expect("nothing panics under this lock")
    }
}

impl<R> Clone for Recorder<R> {
    fn clone(&self) -> Self {
        Self {
            rule: Arc::clone(&self.rule),
            record: Arc::clone(&self.record),
        }
    }
}

impl<R: Resolver> Resolver for Recorder<R> {
    type State = R::State;
    type Payload = R::Payload;

    fn id(&self) -> ResolverId {
        self.rule.id()
    }

    fn init(&self, aggregate: &AggregateId) -> R::State {
        self.note(Asked::Init(aggregate.clone()));
        self.rule.init(aggregate)
    }

    fn admit(
        &self,
        state: &R::State,
        payload: &R::Payload,
        cx: &Context<'_, R::Payload>,
    ) -> Result<(), Rejection> {
        let answer = self.rule.admit(state, payload, cx);
        self.note(Asked::Admit(cx.id(), answer.clone()));
        answer
    }

    fn apply(&self, state: &mut R::State, payload: &R::Payload, cx: &Context<'_, R::Payload>) {
        self.note(Asked::Apply(cx.id()));
        self.rule.apply(state, payload, cx);
    }

    fn footprint(&self, payload: &R::Payload) -> Footprint {
        let answer = self.rule.footprint(payload);
        self.note(Asked::Footprint(answer.clone()));
        answer
    }

    fn judge(&self, earlier: &R::Payload, later: &R::Payload) -> Verdict {
        let answer = self.rule.judge(earlier, later);
        self.note(Asked::Judge(answer));
        answer
    }

    fn judge_at(&self, key: &Key, earlier: &R::Payload, later: &R::Payload) -> Verdict {
        let answer = self.rule.judge_at(key, earlier, later);
        self.note(Asked::Judge(answer));
        answer
    }

    fn value_at(&self, key: &Key, payload: &R::Payload) -> Option<Vec<u8>> {
        self.rule.value_at(key, payload)
    }

    fn rule_at(&self, key: &Key) -> Cow<'static, str> {
        self.rule.rule_at(key)
    }

    fn pieces(&self, state: &R::State) -> Result<Vec<Piece>, PayloadError> {
        self.rule.pieces(state)
    }

    fn claims(&self) -> Claims {
        self.rule.claims()
    }

    fn configuration(&self) -> Vec<u8> {
        self.rule.configuration()
    }

    fn knows(&self, event_type: &EventType) -> bool {
        self.rule.knows(event_type)
    }

    fn decode(&self, payload: &Payload) -> Result<R::Payload, PayloadError> {
        self.rule.decode(payload)
    }

    fn present(&self, state: &R::State) -> Result<Vec<u8>, PayloadError> {
        self.rule.present(state)
    }
}
