use alloc::string::String;

use thiserror::Error;

use super::{FieldPattern, Rule};

/// Rules that contradict themselves, or a text that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The whole record cannot be one field.
    #[error("a field pattern has at least one segment")]
    NoSegment,
    /// An empty name is no field that can be given a rule.
    #[error("field pattern \"{pattern}\" has an empty segment")]
    EmptySegment {
        /// The pattern.
        pattern: FieldPattern,
    },
    /// It would say the same as `otherwise`, and mean something else where maps are nested.
    #[error("the pattern * alone names every field: say otherwise")]
    EveryField,
    /// Which of two rules was meant cannot be told.
    #[error("field {pattern} is given two rules")]
    FieldTwice {
        /// The pattern.
        pattern: FieldPattern,
    },
    /// A field is settled as a whole, whatever is inside.
    #[error("field {inner} lies within field {outer}, which is settled as a whole")]
    FieldInField {
        /// The longer pattern.
        inner: FieldPattern,
        /// The shorter one.
        outer: FieldPattern,
    },
    /// A part of a text that is not `FIELD=RULE`.
    #[error("{part:?} is not FIELD=RULE, for example price=last-write")]
    NotAssigned {
        /// The part.
        part: String,
    },
    /// A part of a text whose rule has another name.
    #[error("{part:?} names no rule: take one of {}", rule_names())]
    UnknownRule {
        /// The part.
        part: String,
    },
    /// A text that says twice what holds for fields without a rule.
    #[error("{part:?} is the second rule for all other fields")]
    OtherwiseTwice {
        /// The part.
        part: String,
    },
    /// A part of a text that contradicts another.
    #[error("{part:?}: {source}")]
    Part {
        /// The part.
        part: String,
        /// What it contradicts.
        source: alloc::boxed::Box<RulesError>,
    },
}

fn rule_names() -> String {
    Rule::ALL.map(Rule::name).join(", ")
}
