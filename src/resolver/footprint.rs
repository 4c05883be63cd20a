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
    /// Whether two footprints share a place.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Keys(ours), Self::Keys(theirs)) => ours
                .iter()
                .any(|key| theirs.iter().any(|other| key.overlaps(other))),
            _ => true,
        }
    }
}
