use std::string::String;
use std::vec::Vec;

use crate::event::AggregateId;

/// Names from the first text on and before the second, in the order of bytes.
pub(super) type NameRange = (String, Option<String>);

/// The names under a prefix of whole segments and after a name: the prefix itself, and what goes on
/// with a slash. What sorts between the two (`a/b c` between `a/b` and `a/b/c`) is left out.
///
/// A name followed by U+0001 stands for "just after that name", since names hold no control
/// characters.
pub(super) fn under(prefix: &str, after: Option<&AggregateId>) -> Vec<NameRange> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let mut ranges = if prefix.is_empty() {
        Vec::from([(String::new(), None)])
    } else {
        Vec::from([
            (String::from(prefix), Some(format!("{prefix}\u{1}"))),
            (format!("{prefix}/"), Some(format!("{prefix}0"))),
        ])
    };
    if let Some(after) = after {
        let start = format!("{after}\u{1}");
        for range in &mut ranges {
            if range.0 < start {
                range.0.clone_from(&start);
            }
        }
    }
    ranges.retain(|(start, end)| end.as_ref().is_none_or(|end| start < end));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 9] = [
        "a/b", "a/b c", "a/b!", "a/b/c", "a/b/c/d", "a/b0", "a/bc", "a/é", "b/a",
    ];

    #[test]
    fn ranges_hold_exactly_the_names_under_the_prefix_and_after_the_name() {
        let ids = NAMES.map(|name| AggregateId::new(name).unwrap());
        let prefixes = [
            "", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b0", "b", "c", "a/é", "a//",
        ];
        for prefix in prefixes {
            for after in [None].into_iter().chain(ids.iter().map(Some)) {
                let ranges = under(prefix, after);
                for id in &ids {
                    let wanted = id.is_under(prefix) && after.is_none_or(|after| id > after);
                    let inside = ranges.iter().any(|(start, end)| {
                        id.as_str() >= start.as_str()
                            && end.as_ref().is_none_or(|end| id.as_str() < end.as_str())
                    });
                    assert_eq!(inside, wanted, "{id} under {prefix:?} after {after:?}");
                }
            }
        }
    }
}
