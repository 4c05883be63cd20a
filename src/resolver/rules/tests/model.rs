//! What a document holds by the rules as the module's page states them: for most rules, what nobody
//! took away who saw it. It keeps every event and looks at every pair, and knows no tree.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use ciborium::Value;

use super::super::Rule;

pub(super) type Path = Vec<String>;

/// What an event says of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Say {
    Set(Option<u8>),
    Resolve(Option<u8>),
    Elements(Vec<u8>),
    Discard(Vec<u8>),
    Add(Vec<u8>),
    Count(i64),
}

/// One event: what it removes, then what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) remove: Vec<Path>,
    pub(super) says: Vec<(Path, Say)>,
}

/// All events in canonical order, each with those that its writer had seen.
pub(super) struct Model<'a> {
    pub(super) told: &'a [Told],
    pub(super) pasts: &'a [BTreeSet<usize>],
    pub(super) rule_of: &'a dyn Fn(&[String]) -> Rule,
}

/// Something that an event left at a path: a value, or an element of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    path: Path,
    event: usize,
    value: Option<u8>,
}

impl Say {
    /// Whether it leaves something, for which what lies above and below gives way.
    fn writes(&self) -> bool {
        match self {
            Self::Discard(_) => false,
            Self::Count(step) => *step != 0,
            Self::Add(elements) => !elements.is_empty(),
            _ => true,
        }
    }
}

impl Model<'_> {
    fn saw(&self, event: usize, other: usize) -> bool {
        self.pasts[event].contains(&other)
    }

    /// Whether an event takes away, for what it says of other places, what it saw at a path.
    fn sweeps(&self, by: usize, path: &[String]) -> bool {
        let told = &self.told[by];
        let removed = |gone: &Path| path.starts_with(gone);
        let beside = |(at, say): &(Path, Say)| {
            let inside = at != path && at.starts_with(path);
            let around = at != path && path.starts_with(at) && !matches!(say, Say::Add(_));
            say.writes() && (inside || around)
        };
        told.remove.iter().any(removed) || told.says.iter().any(beside)
    }

    fn takes(&self, by: usize, mark: &Mark) -> bool {
        let told = &self.told[by];
        let here = told.says.iter().filter(|(at, _)| *at == mark.path);
        if (self.rule_of)(&mark.path) == Rule::LastWrite {
            return here.count() > 0
                || told.remove.contains(&mark.path)
                || self.saw(by, mark.event) && self.sweeps(by, &mark.path);
        }
        let names = |say: &Say| match say {
            Say::Add(elements) | Say::Discard(elements) => {
                mark.value.is_some_and(|value| elements.contains(&value))
            }
            _ => true,
        };
        let mut here = here.map(|(_, say)| say);
        self.saw(by, mark.event) && (here.any(names) || self.sweeps(by, &mark.path))
    }

    /// What of values and elements is there after some of the events.
    fn marks(&self, events: &[usize]) -> Vec<Mark> {
        let mut alive = Vec::new();
        for (at, event) in events.iter().enumerate() {
            for (path, say) in &self.told[*event].says {
                let values: Vec<Option<u8>> = match (say, (self.rule_of)(path)) {
                    (_, Rule::FirstWrite | Rule::Counter) | (Say::Set(None), Rule::KeepAll) => {
                        continue;
                    }
                    (Say::Set(value) | Say::Resolve(value), _) => vec![*value],
                    (Say::Elements(all) | Say::Add(all), _) => {
                        all.iter().copied().map(Some).collect()
                    }
                    (Say::Discard(_) | Say::Count(_), _) => continue,
                };
                for value in values {
                    let mark = Mark {
                        path: path.clone(),
                        event: *event,
                        value,
                    };
                    if !events[at + 1..].iter().any(|by| self.takes(*by, &mark)) {
                        alive.push(mark);
                    }
                }
            }
        }
        alive
    }

    /// The first write that stands at a path, or the null that took its place.
    fn first(&self, events: &[usize], path: &[String]) -> Option<(usize, Option<u8>)> {
        let mut there: Option<(usize, Option<u8>)> = None;
        for event in events {
            let saw = |there: &mut (usize, Option<u8>)| self.saw(*event, there.0);
            if self.sweeps(*event, path) {
                there.take_if(saw);
            }
            for (at, say) in &self.told[*event].says {
                if at == path
                    && let Say::Set(value) = say
                {
                    let free = there.is_none_or(|(_, value)| value.is_none());
                    let given_up = there.is_some_and(|mut there| saw(&mut there));
                    if free && value.is_some() || !free && value.is_none() && given_up {
                        there = Some((*event, *value));
                    }
                }
            }
        }
        there
    }

    /// The steps of a counter since it was last removed.
    fn steps(&self, events: &[usize], path: &[String]) -> Vec<(usize, i64)> {
        let mut steps: Vec<(usize, i64)> = Vec::new();
        for event in events {
            if self.sweeps(*event, path) && steps.iter().all(|(step, _)| self.saw(*event, *step)) {
                steps.clear();
            }
            for (at, say) in &self.told[*event].says {
                if at == path
                    && let Say::Count(step @ (1.. | ..=-1)) = say
                {
                    steps.push((*event, *step));
                }
            }
        }
        steps
    }

    /// The events that are not refused. Nothing is refused for what a payload is, here.
    pub(super) fn admitted(&self) -> Vec<usize> {
        let mut admitted: Vec<usize> = Vec::new();
        for (event, told) in self.told.iter().enumerate() {
            let marks = self.marks(&admitted);
            let settles = |path: &Path| {
                let seen = marks.iter().filter(|mark| mark.path == *path);
                let seen = seen.filter(|mark| self.saw(event, mark.event));
                let values: BTreeSet<Option<u8>> = seen.map(|mark| mark.value).collect();
                (self.rule_of)(path) == Rule::Manual && values.len() > 1
            };
            let written = told
                .says
                .iter()
                .filter(|(_, say)| matches!(say, Say::Set(_)));
            let written = written.map(|(path, _)| path);
            if !written.chain(&told.remove).any(settles) {
                admitted.push(event);
            }
        }
        admitted
    }

    /// What every field shows, whether something hides it or not, and which events it comes from.
    fn fields(&self) -> BTreeMap<Path, (Value, BTreeSet<usize>)> {
        let events = self.admitted();
        let mut fields = BTreeMap::new();
        let paths = self.told.iter().flat_map(|told| &told.says);
        let paths: BTreeSet<&Path> = paths.map(|(path, _)| path).collect();
        let marks = self.marks(&events);
        for path in paths {
            let here: Vec<&Mark> = marks.iter().filter(|mark| mark.path == *path).collect();
            let values: BTreeSet<Option<u8>> = here.iter().map(|mark| mark.value).collect();
            let mut from: BTreeSet<usize> = here.iter().map(|mark| mark.event).collect();
            let mut all: Vec<Value> = values.into_iter().map(written).collect();
            // Null comes after all numbers.
            all.sort_by_key(Value::is_null);
            let value = match (self.rule_of)(path) {
                Rule::FirstWrite => self.first(&events, path).map(|(event, value)| {
                    from.insert(event);
                    written(value)
                }),
                Rule::Counter => {
                    let steps = self.steps(&events, path);
                    let sum: i64 = steps.iter().map(|(_, step)| step).sum();
                    (!steps.is_empty()).then(|| Value::from(sum))
                }
                _ if all.is_empty() => None,
                Rule::AddWinsSet | Rule::KeepAll => Some(Value::Array(all)),
                Rule::Manual if all.len() > 1 => {
                    Some(Value::Map(vec![(Value::from("open"), Value::Array(all))]))
                }
                Rule::LastWrite | Rule::Manual => all.pop(),
            };
            fields.extend(value.map(|value| (path.clone(), (value, from))));
        }
        fields
    }

    /// What is shown, and which events each field comes from.
    pub(super) fn visible(&self) -> BTreeMap<Path, (Value, BTreeSet<usize>)> {
        let mut fields = self.fields();
        let paths: Vec<Path> = fields.keys().cloned().collect();
        fields.retain(|path, _| !paths.iter().any(|at| at != path && at.starts_with(path)));
        fields
    }
}

pub(super) fn written(value: Option<u8>) -> Value {
    value.map_or(Value::Null, Value::from)
}
