use std::fmt;
use std::sync::Arc;

use super::draws::Draws;
use super::users::rules;
use crate::event::{AggregateId, Payload};
use crate::resolver::Registry;

/// Draws what an event says.
type Draw = Arc<dyn Fn(&mut Draws) -> Payload + Send + Sync>;

/// What the replicas of a simulated system have in common: rules, aggregates, and what users write.
#[derive(Clone)]
pub struct Cast {
    pub(crate) registry: Registry,
    /// The rules as another release of the application has them.
    pub(crate) other: Option<Registry>,
    lines: Vec<(AggregateId, Draw)>,
    /// Types whose rules refuse what they can read; nothing if any may.
    refusing: Option<&'static [&'static str]>,
}

impl Cast {
    /// Your rules. Say with [`writing`](Self::writing) what users write under them.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            other: None,
            lines: Vec::new(),
            refusing: None,
        }
    }

    /// Lets users write these aggregates, each as often as any other of the cast. The closure draws
    /// the content of one event from what it is given, and from nothing else.
    ///
    /// # Panics
    /// If a name is none that an aggregate can have.
    #[must_use]
    pub fn writing<const N: usize>(
        mut self,
        aggregates: [&str; N],
        payload: impl Fn(&mut Draws) -> Payload + Send + Sync + 'static,
    ) -> Self {
        let draw: Draw = Arc::new(payload);
        for name in aggregates {
            self.lines.push((rules::aggregate(name), Arc::clone(&draw)));
        }
        self
    }

    /// Lets some replicas run these rules for a while: an older or newer release of yours. Without it
    /// no replica ever runs [another version](super::Fault::OtherVersion).
    #[must_use]
    pub fn with_other_version(mut self, registry: Registry) -> Self {
        self.other = Some(registry);
        self
    }

    pub(crate) fn refusing(mut self, types: &'static [&'static str]) -> Self {
        self.refusing = Some(types);
        self
    }

    /// Whether a rule may refuse what it can read.
    pub(crate) fn may_refuse(&self, aggregate: &AggregateId) -> bool {
        let of = aggregate.as_str().split('/').next().unwrap_or_default();
        self.refusing.is_none_or(|types| types.contains(&of))
    }

    /// Whether these are the rules that come with the simulation.
    pub(crate) fn is_own(&self) -> bool {
        self.refusing.is_some()
    }

    pub(crate) fn any<'a>(&'a self, draws: &mut Draws) -> &'a AggregateId {
        &draws.pick(&self.lines).0
    }

    /// Something that the rule of the aggregate can read.
    pub(crate) fn payload(&self, aggregate: &AggregateId, draws: &mut Draws) -> Payload {
        let line = self.lines.iter().find(|(id, _)| id == aggregate);
        match line {
            Some((_, draw)) => draw(draws),
            None => rules::text(draws),
        }
    }

    /// Users and their aggregates.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &AggregateId> {
        self.lines.iter().map(|(id, _)| id)
    }
}

impl Default for Cast {
    fn default() -> Self {
        rules::cast()
    }
}

impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.aggregates().map(AggregateId::as_str).collect();
        f.debug_struct("Cast")
            .field("aggregates", &names)
            .finish_non_exhaustive()
    }
}
