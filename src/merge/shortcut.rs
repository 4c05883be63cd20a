use core::fmt;

/// A way to the state that is not a fold of all events from the start, and what it takes for granted
/// of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Shortcut {
    /// A late event is applied where it came, as nothing behind it touches its keys: footprints name
    /// all that an event reads or writes.
    Footprint,
    /// A late event is applied where it came, as the rule claims that concurrent events commute.
    Claim,
    /// A replay begins at a copy of an earlier state: a copy is not changed by what happens to the
    /// original, and says the same.
    Checkpoint,
    /// A state that was written and read again is gone on from: it holds all that matters.
    StoredFold,
}

impl Shortcut {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Footprint,
        Self::Claim,
        Self::Checkpoint,
        Self::StoredFold,
    ];

    const fn bit(self) -> u8 {
        match self {
            Self::Footprint => 1,
            Self::Claim => 2,
            Self::Checkpoint => 4,
            Self::StoredFold => 8,
        }
    }
}

impl fmt::Display for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Footprint => "footprint",
            Self::Claim => "commutation claim",
            Self::Checkpoint => "checkpoint",
            Self::StoredFold => "stored fold",
        })
    }
}

/// Some shortcuts.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shortcuts(u8);

impl Shortcuts {
    /// None.
    pub const NONE: Self = Self(0);
    /// All that there are.
    pub const ALL: Self = Self(15);

    /// These and one more.
    #[must_use]
    pub const fn with(self, shortcut: Shortcut) -> Self {
        Self(self.0 | shortcut.bit())
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// All but these.
    #[must_use]
    pub const fn others(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }

    /// Those of these that are among others, too.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether one is among them.
    pub const fn has(self, shortcut: Shortcut) -> bool {
        self.0 & shortcut.bit() != 0
    }

    /// Whether all of some are among them.
    pub const fn has_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Shortcut> {
        Shortcut::ALL
            .into_iter()
            .filter(move |shortcut| self.has(*shortcut))
    }

    /// They as a number, for storing.
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`to_bits`](Self::to_bits); what is not known is left out.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

impl From<Shortcut> for Shortcuts {
    fn from(shortcut: Shortcut) -> Self {
        Self::NONE.with(shortcut)
    }
}

impl FromIterator<Shortcut> for Shortcuts {
    fn from_iter<T: IntoIterator<Item = Shortcut>>(shortcuts: T) -> Self {
        shortcuts.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Shortcuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, shortcut) in self.iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{shortcut}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Shortcuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
