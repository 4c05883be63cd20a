use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Places;

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

    /// Whether two footprints share a place. Costs about the segments of all keys.
    pub fn overlaps(&self, other: &Self) -> bool {
        let mut overlaps = false;
        self.each_candidate(other, &mut |key, other| {
            overlaps |= key.overlaps(other);
            !overlaps
        });
        overlaps
    }

    /// The places that two footprints share, in the order of keys, each once. Costs about the
    /// segments of all keys, and as much for each pair that overlaps.
    pub fn shared(&self, other: &Self) -> Vec<Key> {
        let mut shared = BTreeSet::new();
        self.each_candidate(other, &mut |key, other| {
            shared.extend(key.shared(other));
            true
        });
        shared.into_iter().cloned().collect()
    }

    /// Calls for each pair of keys that overlaps, and perhaps for others, until told to stop. Few
    /// keys are compared with each other, many are looked up.
    fn each_candidate<'a>(
        &'a self,
        other: &'a Self,
        call: &mut dyn FnMut(&'a Key, &'a Key) -> bool,
    ) {
        let (keys, others) = (self.keys(), other.keys());
        if keys.len().min(others.len()) <= FEW {
            let mut pairs = keys
                .iter()
                .flat_map(|key| others.iter().map(move |other| (key, other)));
            pairs.all(|(key, other)| call(key, other));
            return;
        }
        let mut places: Places<Vec<&Key>> = Places::default();
        for key in keys.iter().collect::<BTreeSet<_>>() {
            places.note(key, &mut |cell| cell.push(key));
        }
        for other in others.iter().collect::<BTreeSet<_>>() {
            let mut each = |cell: &Vec<&'a Key>| cell.iter().all(|key| call(key, other));
            if !places.each_overlapping(other, &mut each) {
                return;
            }
        }
    }
}

/// So many keys are compared with any number of others sooner than they are put in order.
const FEW: usize = 8;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

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

    fn footprints() -> impl Strategy<Value = Footprint> {
        let path = prop::collection::vec(0u8..3, 0..4);
        let key = (path, any::<bool>()).prop_map(|(path, branch)| Key {
            path: path.iter().map(ToString::to_string).collect(),
            branch,
        });
        prop_oneof![
            1 => Just(Footprint::Everything),
            9 => prop::collection::vec(key, 0..3 * FEW).prop_map(Footprint::Keys),
        ]
    }

    proptest! {
        #[test]
        fn many_keys_share_what_each_two_of_them_share(a in footprints(), b in footprints()) {
            let pairs = a.keys().iter().flat_map(|a| b.keys().iter().map(move |b| (a, b)));
            let shared: BTreeSet<&Key> = pairs.filter_map(|(a, b)| a.shared(b)).collect();
            prop_assert_eq!(a.overlaps(&b), !shared.is_empty());
            prop_assert_eq!(a.shared(&b), shared.into_iter().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn tens_of_thousands_of_keys_take_no_time_to_be_compared() {
        let keys = |side: &str| {
            let key = |number: usize| Key::branch([side.to_string(), number.to_string()]);
            Footprint::Keys((0..30_000).map(key).chain([Key::leaf(["x"])]).collect())
        };
        assert_eq!(keys("a").shared(&keys("b")), [Key::leaf(["x"])]);
        assert!(keys("a").overlaps(&keys("b")));
        assert_eq!(keys("a").shared(&keys("a")).len(), 30_001);
    }
}
