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
        if let Poll::Ready(result) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return Some(result);
        }
        // Nobody is woken for that poll, so there is another one.
        let me = Arc::new(Self {
            pending: Mutex::new(Some((future, Box::new(then)))),
            woken: AtomicUsize::new(1),
        });
        me.settle(0);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use futures::FutureExt;
    use futures::channel::oneshot;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_is_known_at_once_is_returned_and_nobody_is_told() {
        let known = Inline::start(std::future::ready(7).boxed(), |_| panic!("told"));
        assert_eq!(known, Some(7));
    }

    #[test]
    fn what_becomes_known_is_told_on_the_thread_that_makes_it_known() {
        let (answer, answered) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let future = answered.map(|answer| answer.unwrap_or(0)).boxed();
        let known = Inline::start(future, move |result| {
            tell.send((result, thread::current().id())).unwrap();
        });
        assert_eq!(known, None);
        assert!(told.try_recv().is_err());
        let other = thread::spawn(move || {
            assert_eq!(answer.send(7), Ok(()));
            thread::current().id()
        });
        let id = other.join().unwrap();
        assert_eq!(told.recv(), Ok((7, id)));
    }

    /// Wakes whoever polls it so many times, while it is polled.
    struct Restless(u32);

    impl Future for Restless {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
            if self.0 == 0 {
                return Poll::Ready(7);
            }
            self.0 -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_and_not_within_its_poll() {
        let (tell, told) = mpsc::channel();
        let known = Inline::start(Restless(3).boxed(), move |result| {
            tell.send(result).unwrap();
        });
        assert_eq!((known, told.try_recv()), (None, Ok(7)));
    }

    #[test]
    fn wakings_from_many_threads_end_in_one_answer() {
        for _ in 0..200 {
            let (answer, answered) = oneshot::channel();
            let (tell, told) = mpsc::channel();
            let mut answered = answered.fuse();
            let (lend, wakers) = mpsc::channel();
            let future = futures::future::poll_fn(move |cx| {
                drop(lend.send(cx.waker().clone()));
                answered.poll_unpin(cx)
            });
            let known = Inline::start(future.boxed(), move |result| {
                tell.send(result).unwrap();
            });
            assert!(known.is_none());
            // The first poll is on behalf of nobody.
            let waker = wakers.iter().nth(1).unwrap();
            let others: Vec<_> = (0..3)
                .map(|_| waker.clone())
                .map(|waker| thread::spawn(move || waker.wake()))
                .collect();
            assert_eq!(answer.send(7), Ok(()));
            for other in others {
                other.join().unwrap();
            }
            waker.wake();
            assert_eq!(told.recv(), Ok(Ok(7)));
            assert!(told.recv().is_err());
        }
    }
}
