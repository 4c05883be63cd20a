use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use anabranch::resolver::Key;

use super::super::text::escaped;

/// A place as people name it: segments with dots between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Path(String);

impl FromStr for Path {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Path {
    /// Whether the place is this one. Names may hold dots themselves, so whole texts are compared.
    pub(in crate::cli) fn is(&self, key: &Key) -> bool {
        key.path.join(".") == self.0
    }

    /// Whether the place is this one, lies in it, or stands for a branch that it lies in.
    pub(super) fn meets(&self, key: &Key) -> bool {
        let other = key.path.join(".");
        let lies_in = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        lies_in(&other, &self.0) || (key.branch && (other.is_empty() || lies_in(&self.0, &other)))
    }
}

/// A place as people read it, safe to show.
pub(in crate::cli) fn named(key: &Key) -> String {
    match (key.path.is_empty(), key.branch) {
        (true, _) => "the whole record".into(),
        (false, false) => escaped(&key.path.join(".")),
        (false, true) => format!("{} and below", escaped(&key.path.join("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_meets_what_it_holds_and_the_branches_that_hold_it() {
        let meets = |path: &str, key: Key| Path(path.into()).meets(&key);
        assert!(meets("a.b", Key::leaf(["a", "b"])));
        assert!(meets("a.b", Key::leaf(["a", "b", "c"])));
        assert!(meets("a.b", Key::leaf(["a.b"])), "a name may hold a dot");
        assert!(meets("a.b", Key::branch(["a"])));
        assert!(meets("a.b", Key::everything()));
        assert!(!meets("a.b", Key::leaf(["a"])));
        assert!(!meets("a.b", Key::leaf(["a", "bc"])));
        assert!(!meets("a.b", Key::branch(["a", "c"])));
        assert_eq!(named(&Key::everything()), "the whole record");
        assert_eq!(
            named(&Key::branch(["a", "b\u{1b}"])),
            "a.b\\u{1b} and below"
        );
    }
}
