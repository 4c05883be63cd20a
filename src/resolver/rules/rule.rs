use core::fmt;

/// How one field is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The last write in canonical order.
    #[default]
    LastWrite,
    /// The first write in canonical order, until somebody who saw it removes it.
    FirstWrite,
    /// The sum of all steps.
    Counter,
    /// A set in which an add beats a concurrent removal.
    AddWinsSet,
    /// Every value that nobody has seen and written over.
    KeepAll,
    /// The same, and where there are several a person decides.
    Manual,
}

impl Rule {
    /// Every rule there is.
    pub const ALL: [Self; 6] = [
        Self::LastWrite,
        Self::FirstWrite,
        Self::Counter,
        Self::AddWinsSet,
        Self::KeepAll,
        Self::Manual,
    ];

    /// What it is called where it is written down: `last-write`, `add-wins-set`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastWrite => "last-write",
            Self::FirstWrite => "first-write",
            Self::Counter => "counter",
            Self::AddWinsSet => "add-wins-set",
            Self::KeepAll => "keep-all",
            Self::Manual => "manual",
        }
    }

    /// What it is called where people are told who won: `last write wins`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::LastWrite => "last write wins",
            Self::FirstWrite => "first write wins",
            Self::Counter => "counter",
            Self::AddWinsSet => "add-wins set",
            Self::KeepAll => "all values are kept",
            Self::Manual => "a person decides",
        }
    }

    /// The rule of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Whether concurrent events of such a field commute, removals and rejections included.
    pub(super) const fn commutes(self) -> bool {
        matches!(self, Self::AddWinsSet | Self::KeepAll)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
