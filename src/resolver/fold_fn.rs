use alloc::borrow::Cow;
use alloc::boxed::Box;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Claims, Context, Footprint, Rejection, Resolver, ResolverId, Verdict};
use crate::event::AggregateId;

/// A resolver from closures: a start and a step, and if wanted a door, keys, a verdict and claims.
///
/// The closures are bound by the laws of [`Resolver`]: what they capture must not change, and the
/// version is raised whenever they would give another state. Unless it is told otherwise, the
/// footprint of every event is everything, which is correct and merely slower than it could be.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use anabranch::resolver::{FoldFn, Footprint, Key, Registry, Rejection};
///
/// // Stock that refuses to go below zero.
/// let stock = FoldFn::new("stock", 1, |_| 0i64, |stock, step: &i64, _| *stock += step)
///     .with_admit(|stock, step, _| match stock.checked_add(*step) {
///         Some(0..) => Ok(()),
///         _ => Err(Rejection::new(format!("only {stock} left"))),
///     });
///
/// // A plain reducer, which does not look at causality: how many of each thing there are.
/// let shelf = FoldFn::reducer("shelf", 1, |_| BTreeMap::new(), |shelf, thing: &String| {
///     *shelf.entry(thing.clone()).or_insert(0u64) += 1;
/// })
/// .with_footprint(|thing| Footprint::Keys(vec![Key::leaf([thing.as_str()])]));
/// let registry = Registry::new().with("stock", stock)?.with("shelf", shelf)?;
/// # Ok::<(), anabranch::resolver::RegistryError>(())
/// ```
pub struct FoldFn<S, P> {
    id: ResolverId,
    init: Box<dyn Fn(&AggregateId) -> S + Send + Sync>,
    apply: Box<Apply<S, P>>,
    admit: Option<Box<Admit<S, P>>>,
    footprint: Option<Box<Keys<P>>>,
    judge: Option<Box<Judge<P>>>,
    claims: Claims,
}

type Apply<S, P> = dyn Fn(&mut S, &P, &Context<'_, P>) + Send + Sync;
type Keys<P> = dyn Fn(&P) -> Footprint + Send + Sync;
pub(super) type Judge<P> = dyn Fn(&P, &P) -> Verdict + Send + Sync;
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
            footprint: None,
            judge: None,
            claims: Claims::none(),
        }
    }

    /// The same from a step that asks nothing about causality: what is called a reducer elsewhere.
    #[doc(alias = "Reducer")]
    pub fn reducer<N, I, A>(name: N, version: u32, init: I, apply: A) -> Self
    where
        N: Into<Cow<'static, str>>,
        I: Fn(&AggregateId) -> S + Send + Sync + 'static,
        A: Fn(&mut S, &P) + Send + Sync + 'static,
    {
        Self::new(name, version, init, move |state, payload, _| {
            apply(state, payload);
        })
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

    /// Names the keys that an event reads or writes, by the door and by the step. What is left out
    /// makes replicas differ.
    #[must_use]
    pub fn with_footprint<F>(mut self, footprint: F) -> Self
    where
        F: Fn(&P) -> Footprint + Send + Sync + 'static,
    {
        self.footprint = Some(Box::new(footprint));
        self
    }

    /// Tells people what became of two concurrent events that share keys, the earlier one first;
    /// the later one wins unless told otherwise. No state depends on it.
    #[must_use]
    pub fn with_judge<J>(mut self, judge: J) -> Self
    where
        J: Fn(&P, &P) -> Verdict + Send + Sync + 'static,
    {
        self.judge = Some(Box::new(judge));
        self
    }

    /// Promises more than the laws ask for. A claim that does not hold makes replicas differ.
    #[must_use]
    pub fn with_claims(mut self, claims: Claims) -> Self {
        self.claims = claims;
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

    fn footprint(&self, payload: &P) -> Footprint {
        self.footprint
            .as_ref()
            .map_or(Footprint::Everything, |footprint| footprint(payload))
    }

    fn judge(&self, earlier: &P, later: &P) -> Verdict {
        self.judge
            .as_ref()
            .map_or(Verdict::LaterWins, |judge| judge(earlier, later))
    }

    fn claims(&self) -> Claims {
        self.claims
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::super::Key;
    use super::*;

    #[test]
    fn what_a_rule_of_closures_is_not_told_is_answered_carefully() {
        let plain = FoldFn::reducer("sum", 1, |_| 0i64, |sum, step: &i64| *sum += step);
        assert_eq!(Resolver::footprint(&plain, &1), Footprint::Everything);
        assert_eq!(Resolver::judge(&plain, &1, &2), Verdict::LaterWins);
        assert_eq!(Resolver::claims(&plain), Claims::none());
    }

    #[test]
    fn a_rule_of_closures_answers_as_it_was_told() {
        let told = FoldFn::reducer("names", 1, |_| 0u64, |count, _: &String| *count += 1)
            .with_footprint(|name| Footprint::Keys(vec![Key::leaf([name.as_str()])]))
            .with_judge(|_, _| Verdict::Merged)
            .with_claims(Claims::commuting());
        let (one, other) = (String::from("a"), String::from("b"));
        let keys = Footprint::Keys(vec![Key::leaf(["a"])]);
        assert_eq!(Resolver::footprint(&told, &one), keys);
        assert_eq!(Resolver::judge(&told, &one, &other), Verdict::Merged);
        assert_eq!(Resolver::claims(&told), Claims::commuting());
    }
}
