use std::string::String;
use std::sync::Arc;

use super::port::{Closed, Port};
use super::shell::Shell;
use crate::engine::{Input, LinkId, LinkOptions, SyncReport};
use crate::protocol::{CloseCode, Role};
use crate::transport::{Incoming, Link};

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
