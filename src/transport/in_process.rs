//! Links within one process: a pair of ends, and a switchboard where names listen.
//!
//! Invariant: each direction holds at most [`IN_PROCESS_FRAMES_MAX`] frames; a sender waits for the
//! reader. Frames are handed over, not copied. What was sent before a close arrives before it.
//!
//! Knows no executor: everything here works under any.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use futures::future::{AbortHandle, BoxFuture, FutureExt};
use futures::stream::{Abortable, StreamExt};

use super::{Incoming, Link, LinkReceiver, LinkSender, Transport, TransportError};
use crate::limits::{FRAME_BYTES_MAX, IN_PROCESS_CALLERS_MAX, IN_PROCESS_FRAMES_MAX};
use crate::protocol::CloseCode;

/// The scheme of the switchboard's addresses.
const SCHEME: &str = "mem://";

/// Two ends of one connection; each calls the other by the name given for it.
pub fn pair(first: &str, second: &str) -> (Link, Link) {
    let (to_second, from_first) = mpsc::channel(IN_PROCESS_FRAMES_MAX - 1);
    let (to_first, from_second) = mpsc::channel(IN_PROCESS_FRAMES_MAX - 1);
    let said_by_first = Goodbye::default();
    let said_by_second = Goodbye::default();
    (
        end(
            to_second,
            said_by_first.clone(),
            from_second,
            said_by_second.clone(),
            second,
        ),
        end(to_first, said_by_second, from_first, said_by_first, first),
    )
}

/// A switchboard: names that listen, and a [`Transport`] that dials them as `mem://name`.
///
/// Clones share their names.
#[derive(Clone, Default)]
pub struct InProcess {
    names: Arc<Mutex<BTreeMap<String, mpsc::Sender<Link>>>>,
}

impl InProcess {
    /// A switchboard where nobody listens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens under a name until the listener is dropped.
    ///
    /// # Errors
    /// [`TransportError::AddressInUse`] while another listener has the name.
    pub fn listen(&self, name: &str) -> Result<Listener, TransportError> {
        let mut names = locked(&self.names);
        if names.contains_key(name) {
            return Err(TransportError::AddressInUse {
                address: format!("{SCHEME}{name}"),
            });
        }
        let (calls, incoming) = mpsc::channel(IN_PROCESS_CALLERS_MAX);
        names.insert(name.to_owned(), calls);
        Ok(Listener {
            name: name.to_owned(),
            incoming,
            switchboard: self.clone(),
        })
    }

    fn call(&self, address: &str) -> Result<Link, TransportError> {
        let name =
            address
                .strip_prefix(SCHEME)
                .ok_or_else(|| TransportError::UnsupportedAddress {
                    address: address.to_owned(),
                    reason: "an address within this process is mem://name",
                })?;
        let (ours, theirs) = pair(&format!("{SCHEME}caller-of-{name}"), address);
        let refused = || TransportError::Refused {
            address: address.to_owned(),
        };
        let mut names = locked(&self.names);
        names
            .get_mut(name)
            .ok_or_else(refused)?
            .try_send(theirs)
            .map_err(|_| refused())?;
        Ok(ours)
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(locked(&self.names).keys()).finish()
    }
}

impl Transport for InProcess {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Link, TransportError>> {
        std::future::ready(self.call(address)).boxed()
    }

    fn serves(&self, address: &str) -> bool {
        address.starts_with(SCHEME)
    }
}

/// A name that listens. Dropped, it frees the name, and calls that were not accepted end.
#[derive(Debug)]
pub struct Listener {
    name: String,
    incoming: mpsc::Receiver<Link>,
    switchboard: InProcess,
}

impl Listener {
    /// The next caller. Cancel-safe.
    pub async fn accept(&mut self) -> Link {
        match self.incoming.next().await {
            Some(link) => link,
            // The switchboard holds the other end for as long as this listener has its name.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        locked(&self.switchboard.names).remove(&self.name);
    }
}

/// The last words of one end, left beside the channel so that a full channel cannot hold them up.
type Goodbye = Arc<Mutex<Option<(CloseCode, String)>>>;

fn end(
    frames: mpsc::Sender<Bytes>,
    ours: Goodbye,
    incoming: mpsc::Receiver<Bytes>,
    theirs: Goodbye,
    peer: &str,
) -> Link {
    let (stop, stopped) = AbortHandle::new_pair();
    let incoming = Some(Abortable::new(incoming, stopped));
    Link {
        sender: Box::new(Sender {
            frames: Some(frames),
            goodbye: ours,
            theirs: theirs.clone(),
            stop,
        }),
        receiver: Box::new(Receiver {
            incoming,
            goodbye: theirs,
        }),
        peer: peer.to_owned(),
    }
}

struct Sender {
    /// Gone once closed, and while a send is under way: a send that is dropped half done thereby
    /// ends the connection.
    frames: Option<mpsc::Sender<Bytes>>,
    goodbye: Goodbye,
    theirs: Goodbye,
    /// Ends our own receiver.
    stop: AbortHandle,
}

impl Sender {
    fn say(&mut self, code: CloseCode, reason: String) {
        locked(&self.goodbye).get_or_insert((code, reason));
        self.frames = None;
        self.stop.abort();
    }

    fn closed(&self) -> TransportError {
        let (code, reason) = last_words(&self.theirs);
        TransportError::Closed { code, reason }
    }
}

impl LinkSender for Sender {
    fn send(&mut self, frames: Vec<Bytes>) -> BoxFuture<'_, Result<(), TransportError>> {
        async move {
            let mut channel = self.frames.take().ok_or_else(|| self.closed())?;
            for frame in frames {
                let bytes = frame.len();
                if bytes > FRAME_BYTES_MAX {
                    self.say(CloseCode::TOO_BIG, format!("a frame of {bytes} bytes"));
                    return Err(TransportError::FrameTooLarge {
                        bytes,
                        max: FRAME_BYTES_MAX,
                    });
                }
                channel.send(frame).await.map_err(|_| self.closed())?;
            }
            self.frames = Some(channel);
            Ok(())
        }
        .boxed()
    }

    fn close(&mut self, code: CloseCode, reason: String) -> BoxFuture<'_, ()> {
        self.say(code, reason);
        std::future::ready(()).boxed()
    }
}

struct Receiver {
    /// Gone once the end was reached, which makes the other end's sends fail.
    incoming: Option<Abortable<mpsc::Receiver<Bytes>>>,
    goodbye: Goodbye,
}

impl LinkReceiver for Receiver {
    fn receive(&mut self) -> BoxFuture<'_, Incoming> {
        async move {
            if let Some(incoming) = &mut self.incoming
                && let Some(frame) = incoming.next().await
            {
                return Incoming::Frame(frame);
            }
            self.incoming = None;
            let (code, reason) = last_words(&self.goodbye);
            Incoming::Closed { code, reason }
        }
        .boxed()
    }
}

fn last_words(goodbye: &Goodbye) -> (Option<CloseCode>, String) {
    match &*locked(goodbye) {
        Some((code, reason)) => (Some(*code), reason.clone()),
        None => (None, "the other end is gone".to_owned()),
    }
}

/// Nothing panics while it holds one of these locks, so a poisoned one is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
