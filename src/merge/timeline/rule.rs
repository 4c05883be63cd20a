use alloc::string::String;
use alloc::vec::Vec;

use crate::event::Event;
use crate::merge::Guard;
use crate::resolver::{Decision, ErasedResolver, Footprint, Key, Route};

/// The resolver of an aggregate, with what catches its panics: it is only asked under the guard.
#[derive(Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) resolver: &'a dyn ErasedResolver,
    pub(super) guard: &'a dyn Guard,
}

impl<'a> Rule<'a> {
    pub(super) fn new(route: &'a Route, guard: &'a dyn Guard) -> Self {
        Self {
            resolver: &**route.resolver(),
            guard,
        }
    }

    /// What comes of asking the rule something; nothing where it panics.
    pub(super) fn ask<T>(self, question: impl Fn(&dyn ErasedResolver) -> T) -> Option<T> {
        let mut answer = None;
        let ran = self
            .guard
            .run(&mut || answer = Some(question(self.resolver)));
        ran.ok().and(answer)
    }

    /// What an event touches; everything where the rule panics.
    pub(super) fn footprint(self, event: &Event) -> Footprint {
        self.ask(|resolver| resolver.footprint(event.payload()))
            .unwrap_or(Footprint::Everything)
    }

    /// What decides at a place; the rule as a whole where it panics.
    pub(super) fn name(self, key: &Key) -> String {
        self.ask(|resolver| resolver.rule_at(key).into_owned())
            .unwrap_or_else(|| self.resolver.id().name.into_owned())
    }

    /// What is decided at each of some places; nothing at all where the rule panics.
    pub(super) fn decide(self, keys: &[Key], earlier: &Event, later: &Event) -> Vec<Decision> {
        self.ask(|resolver| resolver.decide(keys, earlier.payload(), later.payload()))
            .flatten()
            .unwrap_or_default()
    }
}
