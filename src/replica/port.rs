use std::collections::VecDeque;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::engine::{Input, LinkId, LinkOptions, SyncReport};
use crate::protocol::{CloseCode, Role};
use crate::transport::{Incoming, Link, LinkSender};

use super::shell::Shell;

/// How a connection ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Why, as a number.
    pub code: CloseCode,
    /// Why, in words.
    pub reason: String,
    /// What the session came to.
    pub report: SyncReport,
}

/// The outgoing side of one connection: frames that wait for the carrier, bounded by the credit
/// that the peer has granted.
#[derive(Default)]
pub(super) struct Port {
    queue: Mutex<Queue>,
    wake: Notify,
    done: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    closed: Option<Closed>,
}

impl Port {
    pub(super) fn send(&self, frame: Bytes) {
        self.lock().frames.push_back(frame);
        self.wake.notify_one();
    }

    pub(super) fn close(&self, closed: Closed) {
        self.lock().closed.get_or_insert(closed);
        self.wake.notify_one();
        self.done.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> (Vec<Bytes>, Option<Closed>) {
        let mut queue = self.lock();
        (queue.frames.drain(..).collect(), queue.closed.clone())
    }

    fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    /// Carries frames out until the connection is to be closed, and closes it.
    async fn run(&self, mut sender: Box<dyn LinkSender>) {
        loop {
            let (frames, closed) = self.take();
            if !frames.is_empty() && sender.send(frames).await.is_err() {
                return;
            }
            if let Some(closed) = closed {
                sender.close(closed.code, closed.reason).await;
                return;
            }
            self.wake.notified().await;
        }
    }
}

/// Tells the engine that a connection is gone, even if the task that served it was dropped.
struct Registered {
    shell: Arc<Shell>,
    link: LinkId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let reason = String::from("the task that served the connection ended");
        self.shell.drive(Input::LinkClosed {
            link: self.link,
            code: None,
            reason,
        });
        self.shell.remove_port(self.link);
    }
}

/// One open connection, known to the engine. Dropping it closes it.
pub(super) struct Serving {
    registered: Registered,
    port: Arc<Port>,
    connection: Link,
}

impl Serving {
    pub(super) fn open(
        shell: &Arc<Shell>,
        connection: Link,
        role: Role,
        options: LinkOptions,
    ) -> Self {
        let port = Arc::new(Port::default());
        let link = shell.add_port(port.clone());
        let registered = Registered {
            shell: shell.clone(),
            link,
        };
        shell.drive(Input::LinkOpened {
            link,
            role,
            options,
        });
        // A close that came before this may have said its goodbyes already.
        if shell.is_closed() {
            let (code, reason) = (CloseCode::GOING_AWAY, String::from("the replica stops"));
            shell.drive(Input::LinkEnd { link, code, reason });
        }
        Self {
            registered,
            port,
            connection,
        }
    }

    pub(super) fn link(&self) -> LinkId {
        self.registered.link
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(self) -> Closed {
        let Self {
            registered,
            port,
            connection,
        } = self;
        let Registered { shell, link } = &registered;
        let Link {
            sender,
            mut receiver,
            ..
        } = connection;
        let outgoing = port.run(sender);
        tokio::pin!(outgoing);
        let mut sending = true;
        loop {
            tokio::select! {
                incoming = receiver.receive() => match incoming {
                    Incoming::Frame(frame) => shell.drive(Input::LinkFrame { link: *link, frame }),
                    Incoming::Closed { code, reason } => {
                        shell.drive(Input::LinkClosed { link: *link, code, reason });
                        break;
                    }
                },
                () = port.done.notified() => break,
                () = &mut outgoing, if sending => sending = false,
            }
        }
        if sending {
            outgoing.await;
        }
        drop(registered);
        port.closed().unwrap_or_else(|| Closed {
            code: CloseCode::LOST,
            reason: String::from("connection lost"),
            report: SyncReport::default(),
        })
    }
}
