use std::boxed::Box;

use crate::store::{EventStore, StoreError};

/// Keeps the place alive in which the store of one test lives, and opens it again. Dropped after the
/// store; cleans up then.
///
/// [`Place`] is one for the usual case: something that stands for the place, and a way to open it.
pub trait StoreGuard {
    /// What lives there.
    type Store: EventStore;

    /// Opens what is there: after the store that was open has been closed, dropped or lost its power,
    /// and in one law beside an open one.
    ///
    /// # Errors
    /// What the store says. A store that is opened once at a time says [`StoreError::Locked`] while it
    /// is open elsewhere.
    fn reopen(&self) -> Result<Self::Store, StoreError>;

    /// Ends the use of a store as a loss of power would: what was fsynced is there at the next
    /// [`reopen`](Self::reopen), anything else may be gone.
    ///
    /// A guard that cannot do that drops the store, as this does unless it is overridden; the laws
    /// about the loss of power then prove no more than those about a drop.
    fn lose_power(&self, store: Self::Store) {
        drop(store);
    }
}

/// A value that stands for a place, such as a folder that is removed when it is dropped, and how the
/// store in it is opened.
pub struct Place<T, S> {
    at: T,
    open: Open<T, S>,
    cut: Cut<T, S>,
}

type Open<T, S> = Box<dyn Fn(&T) -> Result<S, StoreError>>;
type Cut<T, S> = Box<dyn Fn(&T, S)>;

impl<T, S: EventStore> Place<T, S> {
    /// The guard of a fresh place, and the store in it.
    ///
    /// # Panics
    /// When the store cannot be opened.
    pub fn opened(place: T, open: impl Fn(&T) -> Result<S, StoreError> + 'static) -> (Self, S) {
        Self::with_power(place, open, |_, store| drop(store))
    }

    /// The same for a place that can lose its power: `cut` is given the open store, ends it, and takes
    /// away what was not fsynced.
    ///
    /// # Panics
    /// When the store cannot be opened.
    pub fn with_power(
        place: T,
        open: impl Fn(&T) -> Result<S, StoreError> + 'static,
        cut: impl Fn(&T, S) + 'static,
    ) -> (Self, S) {
        let place = Self {
            at: place,
            open: Box::new(open),
            cut: Box::new(cut),
        };
        let store = place.reopen().expect("an empty place is opened");
        (place, store)
    }
}

impl<T, S: EventStore> StoreGuard for Place<T, S> {
    type Store = S;

    fn reopen(&self) -> Result<S, StoreError> {
        (self.open)(&self.at)
    }

    fn lose_power(&self, store: S) {
        (self.cut)(&self.at, store);
    }
}

impl<T: std::fmt::Debug, S> std::fmt::Debug for Place<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Place").field(&self.at).finish()
    }
}
