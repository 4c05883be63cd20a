//! Random histories of a document that has a field of every rule.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use ciborium::Value;
use proptest::prelude::*;

use super::super::{DocumentEdit, Rule, Rules};
use super::model::{Model, Path, Say, Told, written};
use crate::event::Payload;
use crate::resolver::tests::rehearsal::{Rehearsal, Turn, turns};

/// The rules of a document: the named fields, and what every other path that is drawn has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    pub(super) otherwise: Rule,
    /// Whether every rule is replaced by one whose concurrent events commute.
    pub(super) commuting: bool,
}

impl Schema {
    pub(super) fn rules(self) -> Rules {
        let fields = [
            ("p", Rule::LastWrite),
            ("f", Rule::FirstWrite),
            ("n", Rule::Counter),
            ("t", Rule::AddWinsSet),
            ("k", Rule::KeepAll),
            ("m", Rule::Manual),
            ("b.*.t", Rule::AddWinsSet),
            ("b.*.n", Rule::Counter),
            ("b.x.n", Rule::Manual),
        ];
        let named = |rules: Rules, (pattern, rule)| rules.field(pattern, self.of(rule));
        let rules = fields.into_iter().try_fold(Rules::new("test", 1), named);
        rules.unwrap().otherwise(self.of(self.otherwise))
    }

    /// The same, said differently.
    pub(super) fn rule_of(self, path: &[String]) -> Rule {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.of(match path.as_slice() {
            ["p"] => Rule::LastWrite,
            ["f"] => Rule::FirstWrite,
            ["k"] => Rule::KeepAll,
            ["m"] | ["b", "x", "n"] => Rule::Manual,
            ["t"] | ["b", _, "t"] => Rule::AddWinsSet,
            ["n"] | ["b", _, "n"] => Rule::Counter,
            _ => self.otherwise,
        })
    }

    fn of(self, rule: Rule) -> Rule {
        match rule {
            rule if !self.commuting => rule,
            Rule::Counter | Rule::AddWinsSet => Rule::AddWinsSet,
            _ => Rule::KeepAll,
        }
    }
}

const PATHS: [&str; 16] = [
    "p", "f", "n", "t", "k", "m", "b.x.t", "b.y.t", "b.y.n", "b.x.n", "b", "b.x", "b.x.w", "u",
    "u.v", "u.v.w",
];

pub(super) fn path(dotted: &str) -> Path {
    dotted.split('.').map(String::from).collect()
}

fn says(rule: Rule) -> BoxedStrategy<Say> {
    let value = || prop_oneof![3 => (0u8..3).prop_map(Some), 1 => Just(None)];
    let elements = || prop::collection::vec(0u8..3, 0..3);
    match rule {
        Rule::Counter => (-1i64..3).prop_map(Say::Count).boxed(),
        Rule::AddWinsSet => prop_oneof![
            1 => elements().prop_map(Say::Elements),
            2 => elements().prop_map(Say::Discard),
            4 => elements().prop_map(Say::Add),
        ]
        .boxed(),
        Rule::Manual => {
            prop_oneof![value().prop_map(Say::Set), value().prop_map(Say::Resolve)].boxed()
        }
        _ => value().prop_map(Say::Set).boxed(),
    }
}

/// What one event says: of each path at most one thing, and by one operation of no two paths of
/// which one begins like the other.
fn told(schema: Schema) -> impl Strategy<Value = Told> {
    let paths = || prop::sample::select(PATHS.to_vec()).prop_map(path);
    let gone = prop_oneof![6 => paths(), 1 => Just(Path::new()), 1 => Just(path("b.y"))];
    let say = paths().prop_flat_map(move |path| {
        let say = says(schema.rule_of(&path));
        (Just(path), say)
    });
    let remove = prop::collection::vec(gone, 0..2);
    (remove, prop::collection::vec(say, 0..4)).prop_map(|(remove, all)| {
        let mut says: Vec<(Path, Say)> = Vec::new();
        for (path, say) in all {
            let alike = |other: &Say| core::mem::discriminant(other) == core::mem::discriminant(&say)
                // Both are set.
                || matches!((other, &say), (Say::Set(_), Say::Elements(_)) | (Say::Elements(_), Say::Set(_)));
            let clash = |(at, other): &(Path, Say)| {
                *at == path || alike(other) && (at.starts_with(&path) || path.starts_with(at))
            };
            if !says.iter().any(clash) {
                says.push((path, say));
            }
        }
        Told { remove, says }
    })
}

pub(super) fn edit(told: &Told) -> DocumentEdit {
    let mut edit = DocumentEdit::new();
    for path in &told.remove {
        edit = edit.remove(path);
    }
    for (path, say) in &told.says {
        edit = match say {
            Say::Set(value) => edit.set(path, &written(*value)),
            Say::Resolve(value) => edit.resolve(path, &written(*value)),
            Say::Elements(elements) => edit.set(path, elements),
            Say::Discard(elements) => elements
                .iter()
                .try_fold(edit, |edit, element| edit.discard(path, element)),
            Say::Add(elements) => elements
                .iter()
                .try_fold(edit, |edit, element| edit.add(path, element)),
            Say::Count(step) => edit.count(path, *step),
        }
        .unwrap();
    }
    edit
}

/// A document's history, as it is folded and as it is told to the model.
#[derive(Debug)]
pub(super) struct History {
    pub(super) schema: Schema,
    pub(super) told: Vec<Told>,
    pub(super) rehearsal: Rehearsal,
}

/// Histories under any rule for the fields that are not named.
pub(super) fn histories(
    commuting: bool,
    len: core::ops::Range<usize>,
) -> impl Strategy<Value = History> {
    let of_rule = move |otherwise| {
        let schema = Schema {
            otherwise,
            commuting,
        };
        let told = prop::collection::vec(told(schema), len.clone());
        (Just(schema), turns(len.clone()), told)
    };
    let rule = prop::sample::select(Rule::ALL.to_vec());
    rule.prop_flat_map(of_rule)
        .prop_map(|(schema, turns, told)| history(schema, turns, told))
}

fn history(schema: Schema, turns: Vec<Turn>, mut told: Vec<Told>) -> History {
    let payloads = told
        .iter()
        .map(|told| Payload::encode(&edit(told)).unwrap());
    let rehearsal = Rehearsal::new(turns.into_iter().zip(payloads));
    told.truncate(rehearsal.len());
    History {
        schema,
        told,
        rehearsal,
    }
}

impl History {
    pub(super) fn rules(&self) -> Rules {
        self.schema.rules()
    }

    /// What is shown by the model, and which events each field comes from.
    pub(super) fn visible(&self) -> BTreeMap<Path, (Value, BTreeSet<usize>)> {
        let pasts = self.pasts();
        self.model(&pasts, &|path| self.schema.rule_of(path))
            .visible()
    }

    /// The events that the model does not refuse.
    pub(super) fn admitted(&self) -> Vec<usize> {
        let pasts = self.pasts();
        self.model(&pasts, &|path| self.schema.rule_of(path))
            .admitted()
    }

    fn pasts(&self) -> Vec<BTreeSet<usize>> {
        let past = |at| self.rehearsal.past(at).clone();
        (0..self.rehearsal.len()).map(past).collect()
    }

    fn model<'a>(
        &'a self,
        pasts: &'a [BTreeSet<usize>],
        rule_of: &'a dyn Fn(&[String]) -> Rule,
    ) -> Model<'a> {
        Model {
            told: &self.told,
            pasts,
            rule_of,
        }
    }
}
