//! One connection, from its first byte to its last.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answer::Answer;
use super::route::{Standing, decide};
use super::{Seat, Service, head, told};
use crate::transport::websocket::{Upgrade, accept};

/// Serves a connection until it ends.
pub(super) async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    stop: watch::Receiver<bool>,
) {
    let read = tokio::select! {
        // Who has not said what it wants by now has nothing to lose.
        () = told(stop.clone()) => return,
        read = head::read(&mut stream) => read,
    };
    let stopping = *stop.borrow();
    drop(stop);
    match read.and_then(|bytes| judge(bytes, &service, stopping).map_err(Some)) {
        Ok((upgrade, rest, seat)) => {
            if let Ok(link) = accept(stream, &upgrade, rest, peer.to_string()).await {
                service.replica.accept(link).await;
            }
            drop(seat);
        }
        Err(Some(answer)) => answer.send(stream).await,
        Err(None) => {}
    }
}

/// Whether a request gets a link, with what came after its head.
fn judge(
    mut bytes: Vec<u8>,
    service: &Arc<Service>,
    stopping: bool,
) -> Result<(Upgrade, Vec<u8>, Seat), Answer> {
    let Some(request) = head::parse(&bytes)? else {
        return Err(Answer::new(400, "the head of the request is not whole"));
    };
    let ready = !stopping && service.replica.is_ready();
    let upgrade = decide(
        &request,
        Standing {
            ready,
            origins: &service.origins,
        },
    )?;
    let len = request.len;
    let seat = service
        .seat()
        .ok_or_else(|| Answer::busy("every link is taken"))?;
    Ok((upgrade, bytes.split_off(len), seat))
}
