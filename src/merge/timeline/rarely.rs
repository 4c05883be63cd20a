use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

/// Something that most timelines never have any of: it takes a pointer, and memory of its own only from
/// the first change on.
///
/// Reading it reads what an empty one says, so whoever may find nothing to change must look first.
#[derive(Debug)]
pub(super) struct Rarely<T>(Option<Box<T>>);

/// What there is one empty value of, for all who have none of their own.
pub(super) trait Absent: Default + 'static {
    fn absent() -> &'static Self;
}

impl<T> Default for Rarely<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Absent> Deref for Rarely<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(own) => own,
            None => T::absent(),
        }
    }
}

impl<T: Absent> DerefMut for Rarely<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

/// Says that a type has an empty value that can be made at compile time.
macro_rules! absent {
    ($type:ty, $empty:expr) => {
        impl $crate::merge::timeline::rarely::Absent for $type {
            fn absent() -> &'static Self {
                static EMPTY: $type = $empty;
                &EMPTY
            }
        }
    };
}

pub(super) use absent;
