use alloc::borrow::Cow;
use alloc::boxed::Box;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, Rejection, Resolver, ResolverId};
use crate::event::AggregateId;

/// A resolver from closures: a start and a step, and if wanted a door.
///
/// The closures are bound by the laws of [`Resolver`]: what they capture must not change. The
/// footprint of every event is everything, which is correct and merely slower than it could be.
///
/// ```
/// use anabranch::resolver::{FoldFn, Registry, Rejection};
///
/// // Stock that refuses to go below zero.
/// let stock = FoldFn::new("stock", 1, |_| 0i64, |stock, step: &i64, _| *stock += step)
///     .with_admit(|stock, step, _| match stock + step {
///         ..0 => Err(Rejection::new(format!("only {stock} left"))),
///         _ => Ok(()),
///     });
/// let registry = Registry::new().with("stock", stock)?;
/// # Ok::<(), anabranch::resolver::RegistryError>(())
/// ```
pub struct FoldFn<S, P> {
    id: ResolverId,
    init: Box<dyn Fn(&AggregateId) -> S + Send + Sync>,
    apply: Box<Apply<S, P>>,
    admit: Option<Box<Admit<S, P>>>,
}

type Apply<S, P> = dyn Fn(&mut S, &P, &Context<'_, P>) + Send + Sync;
type Admit<S, P> = dyn Fn(&S, &P, &Context<'_, P>) -> Result<(), Rejection> + Send + Sync;

impl<S, P> FoldFn<S, P> {
    /// A rule from its name and version, the state before any event, and the step.
    pub fn new<N, I, A>(name: N, version: u32, init: I, apply: A) -> Self
    where
        N: Into<Cow<'static, str>>,
        I: Fn(&AggregateId) -> S + Send + Sync + 'static,
        A: Fn(&mut S, &P, &Context<'_, P>) + Send + Sync + 'static,
    {
        Self {
            id: ResolverId {
                name: name.into(),
                version,
            },
            init: Box::new(init),
            apply: Box::new(apply),
            admit: None,
        }
    }

    /// Adds what may refuse an event.
    #[must_use]
    pub fn with_admit<A>(mut self, admit: A) -> Self
    where
        A: Fn(&S, &P, &Context<'_, P>) -> Result<(), Rejection> + Send + Sync + 'static,
    {
        self.admit = Some(Box::new(admit));
        self
    }
}

impl<S, P> core::fmt::Debug for FoldFn<S, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FoldFn({})", self.id)
    }
}

impl<S, P> Resolver for FoldFn<S, P>
where
    S: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    P: DeserializeOwned + Send + Sync + 'static,
{
    type State = S;
    type Payload = P;

    fn id(&self) -> ResolverId {
        self.id.clone()
    }

    fn init(&self, aggregate: &AggregateId) -> S {
        (self.init)(aggregate)
    }

    fn admit(&self, state: &S, payload: &P, cx: &Context<'_, P>) -> Result<(), Rejection> {
        self.admit
            .as_ref()
            .map_or(Ok(()), |admit| admit(state, payload, cx))
    }

    fn apply(&self, state: &mut S, payload: &P, cx: &Context<'_, P>) {
        (self.apply)(state, payload, cx);
    }
}
