//! The accept loop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::{Service, connection, told};
use crate::limits::{ACCEPT_BACKOFF_MS, HTTP_CONNECTIONS_MAX, STOP_MS};

/// Accepts until the stop, then waits for the connections to end.
pub(super) async fn run(listener: TcpListener, service: Arc<Service>, stop: watch::Receiver<bool>) {
    let open_max = service.links_max.saturating_add(HTTP_CONNECTIONS_MAX);
    let mut open = JoinSet::new();
    let stopped = told(stop.clone());
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if open.len() < open_max => {
                    open.spawn(connection::serve(stream, peer, service.clone(), stop.clone()));
                }
                Ok((stream, _)) => turn_away(&stream),
                // What fails is either this one connection or, with no file descriptor left, every
                // one until some other ends: trying again at once would only burn a processor.
                Err(_) => sleep(Duration::from_millis(ACCEPT_BACKOFF_MS)).await,
            },
        }
    }
    drop(listener);
    if stop.has_changed().is_ok() {
        let ended = async { while open.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_millis(STOP_MS), ended).await;
    }
}

/// Says "come back later" as far as that goes without waiting.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(&Answer::busy("the hub has no connection left").encode());
}
