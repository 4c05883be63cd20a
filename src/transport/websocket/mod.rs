//! Links over WebSocket: one binary message per frame, subprotocol [`SUBPROTOCOL`].
//!
//! [`WebSocketTransport`] dials `ws://` addresses. A listener reads the head of the HTTP request
//! itself, judges it with [`Upgrade::check`] and turns the connection into a link with [`accept`].
//! Invariant: one connection keeps a KiB or two while it is idle, and some tens of KiB while much
//! comes (`Bites`); one that breaks the protocol hears why (1002, 1003 or 1009) before it is closed.
//!
//! Knows neither HTTP routes nor TLS, which a proxy in front terminates.

mod bites;
mod dial;
mod link;
mod upgrade;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub use self::dial::WebSocketTransport;
pub use self::upgrade::{Upgrade, UpgradeRefusal, accept};
use crate::limits::{
    FRAME_BYTES_MAX, WEBSOCKET_GATHERED_BYTES, WEBSOCKET_READ_BYTES, WEBSOCKET_WRITE_BYTES_MAX,
};

/// What both ends must name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "anabranch.v1";

/// The path that a hub listens at, and that an address without a path means.
pub const PATH: &str = "/sync";

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(WEBSOCKET_READ_BYTES)
        .write_buffer_size(WEBSOCKET_GATHERED_BYTES)
        .max_write_buffer_size(WEBSOCKET_WRITE_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}
