use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Rule, RulesError};
use crate::event::cbor::Writer;

/// Which fields a rule is for: a path in which `*` stands for any one segment.
///
/// Made from a text with dots between the segments, `"lines.*.notes"`, or from a list of segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPattern(Vec<Segment>);

/// A name comes before any name, so that of two patterns of one length the more specific one does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Named(Box<str>),
    Any,
}

impl FieldPattern {
    fn from_segments<'a>(segments: impl IntoIterator<Item = &'a str>) -> Self {
        let segment = |segment: &str| match segment {
            "*" => Segment::Any,
            name => Segment::Named(name.into()),
        };
        Self(segments.into_iter().map(segment).collect())
    }

    /// Whether it begins like this path.
    fn covers(&self, path: &[&str]) -> bool {
        self.0
            .iter()
            .zip(path)
            .all(|(segment, name)| match segment {
                Segment::Named(own) => **own == **name,
                Segment::Any => true,
            })
    }

    /// Whether some path begins like both.
    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| {
            one == other || matches!((one, other), (Segment::Any, _) | (_, Segment::Any))
        })
    }
}

impl fmt::Display for FieldPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            f.write_str(match segment {
                Segment::Named(name) => name,
                Segment::Any => "*",
            })?;
        }
        Ok(())
    }
}

impl From<&str> for FieldPattern {
    fn from(dotted: &str) -> Self {
        Self::from_segments(dotted.split('.'))
    }
}

impl From<String> for FieldPattern {
    fn from(dotted: String) -> Self {
        Self::from(dotted.as_str())
    }
}

impl<const N: usize> From<[&str; N]> for FieldPattern {
    fn from(segments: [&str; N]) -> Self {
        Self::from_segments(segments)
    }
}

impl From<&[&str]> for FieldPattern {
    fn from(segments: &[&str]) -> Self {
        Self::from_segments(segments.iter().copied())
    }
}

impl From<Vec<String>> for FieldPattern {
    fn from(segments: Vec<String>) -> Self {
        Self::from_segments(segments.iter().map(String::as_str))
    }
}

/// The rule of every field there may be. Invariant: no field lies within another, so that whether
/// a place is a field or a branch follows from its path alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RuleBook {
    /// Sorted, each once.
    fields: Vec<(FieldPattern, Rule)>,
    otherwise: Rule,
}

impl RuleBook {
    pub(super) fn set_otherwise(&mut self, rule: Rule) {
        self.otherwise = rule;
    }

    pub(super) fn insert(&mut self, pattern: FieldPattern, rule: Rule) -> Result<(), RulesError> {
        match pattern.0.as_slice() {
            [] => return Err(RulesError::NoSegment),
            [Segment::Any] => return Err(RulesError::EveryField),
            segments => {
                let empty =
                    |segment: &Segment| matches!(segment, Segment::Named(name) if name.is_empty());
                if segments.iter().any(empty) {
                    return Err(RulesError::EmptySegment { pattern });
                }
            }
        }
        for (other, _) in &self.fields {
            if other.0.len() != pattern.0.len() && other.meets(&pattern) {
                let (outer, inner) = if other.0.len() < pattern.0.len() {
                    (other.to_owned(), pattern)
                } else {
                    (pattern, other.to_owned())
                };
                return Err(RulesError::FieldInField { inner, outer });
            }
        }
        match self
            .fields
            .binary_search_by(|(other, _)| other.cmp(&pattern))
        {
            Ok(_) => Err(RulesError::FieldTwice { pattern }),
            Err(place) => {
                self.fields.insert(place, (pattern, rule));
                Ok(())
            }
        }
    }

    /// The rule of the field at a path, if one is named that ends there. O(fields).
    pub(super) fn named(&self, path: &[&str]) -> Option<Rule> {
        let ends = |(pattern, _): &&(FieldPattern, Rule)| {
            pattern.0.len() == path.len() && pattern.covers(path)
        };
        self.fields.iter().find(ends).map(|(_, rule)| *rule)
    }

    /// The rule of a field that is not named.
    pub(super) fn otherwise(&self) -> Rule {
        self.otherwise
    }

    /// The rule of the field at a path, named or not.
    pub(super) fn of(&self, path: &[&str]) -> Rule {
        self.named(path).unwrap_or(self.otherwise)
    }

    /// The path of a field, and the segment of an element if a key is that of an element of a set.
    pub(super) fn split<'p, 'a>(
        &self,
        path: &'p [&'a str],
        branch: bool,
    ) -> (&'p [&'a str], Option<&'a str>) {
        if let Some((segment, field)) = path.split_last()
            && !branch
            && self.named(path).is_none()
            && self.of(field) == Rule::AddWinsSet
        {
            return (field, Some(segment));
        }
        (path, None)
    }

    /// The named field that a path lies strictly within: how many segments of it are its own path.
    pub(super) fn field_around(&self, path: &[&str]) -> Option<(usize, Rule)> {
        let around = |(pattern, rule): &(FieldPattern, Rule)| {
            let len = pattern.0.len();
            (len < path.len() && pattern.covers(path)).then_some((len, *rule))
        };
        self.fields.iter().find_map(around)
    }

    /// Whether some named field lies strictly below a path.
    pub(super) fn has_fields_below(&self, path: &[&str]) -> bool {
        self.fields
            .iter()
            .any(|(pattern, _)| pattern.0.len() > path.len() && pattern.covers(path))
    }

    /// Every rule that some field may have.
    pub(super) fn rules(&self) -> impl Iterator<Item = Rule> {
        let named = self.fields.iter().map(|(_, rule)| *rule);
        named.chain([self.otherwise])
    }

    /// Bytes that differ wherever two books do.
    pub(super) fn write_to(&self, writer: &mut Writer) {
        writer.array(2).text(self.otherwise.name());
        writer.array(self.fields.len());
        for (pattern, rule) in &self.fields {
            writer.array(2).text(rule.name()).array(pattern.0.len());
            for segment in &pattern.0 {
                match segment {
                    Segment::Named(name) => writer.text(name),
                    Segment::Any => writer.null(),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn book<const N: usize>(fields: [(&str, Rule); N]) -> Result<RuleBook, RulesError> {
        let mut book = RuleBook::default();
        for (pattern, rule) in fields {
            book.insert(pattern.into(), rule)?;
        }
        Ok(book)
    }

    #[test]
    fn the_first_segment_that_tells_two_patterns_apart_decides_whichever_came_first() {
        let fields = [
            ("a.*.x", Rule::Counter),
            ("a.b.*", Rule::Manual),
            ("*.b.x", Rule::KeepAll),
        ];
        let mut turned = fields;
        turned.reverse();
        for fields in [fields, turned] {
            let book = book(fields).unwrap();
            assert_eq!(book.named(&["a", "b", "x"]), Some(Rule::Manual));
            assert_eq!(book.named(&["a", "c", "x"]), Some(Rule::Counter));
            assert_eq!(book.named(&["c", "b", "x"]), Some(Rule::KeepAll));
            assert_eq!(book.named(&["c", "b", "y"]), None);
            assert_eq!(book.named(&["a", "b"]), None);
            assert!(book.has_fields_below(&["a", "b"]));
            assert!(!book.has_fields_below(&["c", "c"]));
            let inside = book.field_around(&["a", "c", "x", "deep"]);
            assert_eq!(inside, Some((3, Rule::Counter)));
            assert_eq!(book.field_around(&["a", "c", "x"]), None);
        }
    }

    #[test]
    fn a_field_is_named_once_and_lies_in_no_other() {
        let refused = |fields| book(fields).unwrap_err().to_string();
        let last = Rule::LastWrite;
        assert_eq!(
            refused([("a.b", last), ("a.b", Rule::Counter)]),
            "field a.b is given two rules"
        );
        for fields in [
            [("a.b.c", last), ("a.*", last)],
            [("a.*", last), ("a.b.c", last)],
        ] {
            assert_eq!(
                refused(fields),
                "field a.b.c lies within field a.*, which is settled as a whole"
            );
        }
        assert!(book([("a.b.c", last), ("b.*", last)]).is_ok());
        for (pattern, reason) in [
            ("*", "the pattern * alone names every field: say otherwise"),
            ("a..b", "field pattern \"a..b\" has an empty segment"),
            ("", "field pattern \"\" has an empty segment"),
        ] {
            assert_eq!(book([(pattern, last)]).unwrap_err().to_string(), reason);
        }
        let none = RuleBook::default().insert([].into(), last);
        assert_eq!(none, Err(RulesError::NoSegment));
    }

    #[test]
    fn a_pattern_is_the_same_with_dots_and_as_a_list() {
        let dotted = FieldPattern::from("a.*.b");
        assert_eq!(dotted, FieldPattern::from(["a", "*", "b"]));
        assert_eq!(dotted.to_string(), "a.*.b");
        assert_eq!(FieldPattern::from(["a.b"]).to_string(), "a.b");
        assert_ne!(FieldPattern::from(["a.b"]), FieldPattern::from("a.b"));
    }
}
