use alloc::string::String;

/// What catches a panic of a resolver.
///
/// Catching needs `std`, so it comes in from outside. What was in use when a panic was caught is
/// thrown away by the caller, never looked at again.
pub trait Guard {
    /// Does the work.
    ///
    /// # Errors
    /// [`Panic`] when the work panicked and the panic was caught.
    fn run(&self, work: &mut dyn FnMut()) -> Result<(), Panic>;
}

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// What it said.
    pub message: String,
}

/// Catches nothing: a panic of a resolver goes through to the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unguarded;

impl Guard for Unguarded {
    fn run(&self, work: &mut dyn FnMut()) -> Result<(), Panic> {
        work();
        Ok(())
    }
}
