//! A future that is polled where it is woken.
//!
//! For the one wait that everybody waits for: a task would have to be woken first, on a core that may
//! be asleep. Whoever wakes it must not hold a lock that what follows takes; the store's threads and
//! the runtime's hold none.

use std::boxed::Box;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Then<T> = Box<dyn FnOnce(T) + Send>;
type Pending<T> = (Pin<Box<dyn Future<Output = T> + Send>>, Then<T>);

pub(super) struct Inline<T> {
    /// Gone once it is done.
    pending: Mutex<Option<Pending<T>>>,
    /// How often it was woken since somebody began to poll it; who finds none polls.
    woken: AtomicUsize,
}

impl<T: Send + 'static> Inline<T> {
    /// Polls a future. Returns what comes of it if that is known at once; else `then` is told, on the
    /// thread on which it becomes known.
    pub(super) fn start(
        mut future: Pin<Box<dyn Future<Output = T> + Send>>,
        then: impl FnOnce(T) + Send + 'static,
    ) -> Option<T> {
        let me = Arc::new(Self {
            pending: Mutex::new(None),
            woken: AtomicUsize::new(1),
        });
        let waker = Waker::from(me.clone());
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        *me.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some((future, Box::new(then)));
        me.settle(1);
        None
    }

    /// Polls until nobody has woken it since the last poll; `seen` wakings are dealt with.
    fn settle(self: &Arc<Self>, mut seen: usize) {
        while let Err(woken) =
            self.woken
                .compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire)
        {
            seen = woken;
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((future, _)) = pending.as_mut() else {
                return;
            };
            let waker = Waker::from(self.clone());
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(result) = polled {
                let done = pending.take();
                drop(pending);
                if let Some((_, then)) = done {
                    then(result);
                }
                return;
            }
        }
    }
}

impl<T: Send + 'static> Wake for Inline<T> {
    fn wake(self: Arc<Self>) {
        // Whoever polls it now polls it again; if nobody does, this thread is the one.
        if self.woken.fetch_add(1, Ordering::AcqRel) == 0 {
            self.settle(0);
        }
    }
}
