//! Panics of a rule on trial are findings, so they are caught and print nothing.
//!
//! The process's panic hook is wrapped once, by the first trial. Whatever panics outside a trial, in
//! this thread or in another, goes on to the hook that was there before.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many trials this thread is inside of.
    static TRIALS: Cell<usize> = const { Cell::new(0) };
}

static WRAPPED: Once = Once::new();

/// Does something, or says with which words it panicked.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    if !std::thread::panicking() {
        WRAPPED.call_once(wrap);
    }
    TRIALS.set(TRIALS.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    TRIALS.set(TRIALS.get() - 1);
    done.map_err(|panic| words(&*panic))
}

fn wrap() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if TRIALS.try_with(Cell::get).unwrap_or(0) == 0 {
            before(panic);
        }
    }));
}

fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    said.unwrap_or_else(|| "without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_a_panic_on_trial_is_kept_from_the_hook_that_was_there_before() {
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref() == Some(&"heard") {
                HEARD.fetch_add(1, Ordering::Relaxed);
            } else {
                before(panic);
            }
        }));
        wrap();
        assert_eq!(caught(|| panic!("heard")), Err::<(), _>("heard".to_owned()));
        assert_eq!(HEARD.load(Ordering::Relaxed), 0);
        let outside = catch_unwind(|| caught(|| 1).map(|_| panic!("heard")));
        assert!(outside.is_err());
        let elsewhere = || std::thread::spawn(|| panic!("heard")).join().is_err();
        assert_eq!(caught(elsewhere), Ok(true));
        assert_eq!(HEARD.load(Ordering::Relaxed), 2);
    }
}
