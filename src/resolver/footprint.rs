use alloc::string::String;
use alloc::vec::Vec;

/// A place inside an aggregate's state, as a path; it may stand for the whole branch below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The segments, outermost first.
    pub path: Vec<String>,
    /// Whether everything below is meant too.
    pub branch: bool,
}

impl Key {
    /// Exactly this place.
    pub fn leaf<S: Into<String>>(path: impl IntoIterator<Item = S>) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            branch: false,
        }
    }

    /// This place and everything below it.
    pub fn branch<S: Into<String>>(path: impl IntoIterator<Item = S>) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            branch: true,
        }
    }

    /// The whole state.
    pub const fn everything() -> Self {
        Self {
            path: Vec::new(),
            branch: true,
        }
    }

    /// What two keys share: the narrower of them, if one lies within the other.
    pub fn shared<'a>(&'a self, other: &'a Self) -> Option<&'a Self> {
        let narrow = |key: &Self| (key.path.len(), !key.branch);
        let narrower = if narrow(self) < narrow(other) {
            other
        } else {
            self
        };
        self.overlaps(other).then_some(narrower)
    }

    /// Whether two keys share a place.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.branch, other.branch) {
            (false, false) => self.path == other.path,
            (true, false) => other.path.starts_with(&self.path),
            (false, true) => self.path.starts_with(&other.path),
            (true, true) => {
                self.path.starts_with(&other.path) || other.path.starts_with(&self.path)
            }
        }
    }
}

/// What an event reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Footprint {
    /// Possibly anything.
    Everything,
    /// Exactly these places.
    Keys(Vec<Key>),
}

impl Footprint {
    /// No place at all.
    pub const NOTHING: Self = Self::Keys(Vec::new());

    /// The places; the whole state stands for everything.
    pub fn keys(&self) -> &[Key] {
        static EVERYTHING: [Key; 1] = [Key::everything()];
        match self {
            Self::Everything => &EVERYTHING,
            Self::Keys(keys) => keys,
        }
    }

    /// Whether two footprints share a place. O(n m).
    pub fn overlaps(&self, other: &Self) -> bool {
        let theirs = other.keys();
        self.keys()
            .iter()
            .any(|key| theirs.iter().any(|other| key.overlaps(other)))
    }

    /// The places that two footprints share, in the order of keys, each once. O(n m).
    pub fn shared(&self, other: &Self) -> Vec<Key> {
        let theirs = other.keys();
        let shared = |key| {
            theirs
                .iter()
                .filter_map(move |other| Key::shared(key, other))
        };
        let mut keys: Vec<Key> = self.keys().iter().flat_map(shared).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_keys_share_is_the_narrower_one() {
        let (branch, leaf) = (Key::branch(["a"]), Key::leaf(["a"]));
        let inside = Key::leaf(["a", "b"]);
        assert_eq!(branch.shared(&leaf), Some(&leaf));
        assert_eq!(leaf.shared(&branch), Some(&leaf));
        assert_eq!(branch.shared(&inside), Some(&inside));
        assert_eq!(inside.shared(&branch), Some(&inside));
        assert_eq!(leaf.shared(&inside), None);
        assert_eq!(branch.shared(&Key::branch(["b"])), None);
    }

    #[test]
    fn everything_shares_all_keys_and_none_with_nothing() {
        let keys = Footprint::Keys(alloc::vec![Key::leaf(["a"]), Key::branch(["b"])]);
        assert_eq!(Footprint::Everything.shared(&keys), keys.keys());
        assert_eq!(keys.shared(&Footprint::Everything), keys.keys());
        assert!(Footprint::Everything.overlaps(&Footprint::Everything));
        assert!(!Footprint::Everything.overlaps(&Footprint::NOTHING));
    }
}
