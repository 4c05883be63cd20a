use thiserror::Error;

use crate::protocol::CloseCode;

/// What a carrier can fail with. Every one but `FrameTooLarge` and the two about the address itself
/// may pass by itself, so a caller that stays connected backs off and tries again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Not an address of this transport's kind.
    #[error("cannot dial {address}: {reason}")]
    UnsupportedAddress {
        /// The address.
        address: String,
        /// What is wrong with it, and what to write instead.
        reason: &'static str,
    },
    /// Somebody listens under this name already.
    #[error("cannot listen at {address}: another listener is there")]
    AddressInUse {
        /// The address.
        address: String,
    },
    /// Nobody listens there.
    #[error("{address} refused the connection: nothing listens there, or it takes no more callers")]
    Refused {
        /// The address.
        address: String,
    },
    /// The name of the host leads nowhere.
    #[error("the name {host} was not found: {reason}")]
    Dns {
        /// The host's name.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The network does not lead there.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// The address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("{address} did not {step} within {after_ms} ms")]
    Timeout {
        /// The address.
        address: String,
        /// Which step took too long.
        step: &'static str,
        /// How long it was waited for, in milliseconds.
        after_ms: u64,
    },
    /// An HTTP server that does not upgrade.
    #[error("{address} answered with HTTP status {status}{}", colon(said))]
    Status {
        /// The address.
        address: String,
        /// The status.
        status: u16,
        /// The beginning of the answer's text, without control characters.
        said: String,
    },
    /// Something that is no WebSocket server.
    #[error("{address} does not speak WebSocket: {reason}")]
    NotAWebSocket {
        /// The address.
        address: String,
        /// What it did instead.
        reason: String,
    },
    /// A WebSocket server for something else.
    #[error("{address} does not speak {wanted}: it chose another subprotocol or none")]
    WrongSubprotocol {
        /// The address.
        address: String,
        /// The subprotocol that was asked for.
        wanted: &'static str,
    },
    /// A frame above the bound was to be sent; nothing of it left, and the connection is closed.
    #[error("frame has {bytes} bytes, at most {max} are allowed")]
    FrameTooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The connection ended before everything was sent.
    #[error("connection is closed{}", colon(reason))]
    Closed {
        /// The code that the other end closed with, where it said one.
        code: Option<CloseCode>,
        /// Text for people.
        reason: String,
    },
}

/// `: text`, or nothing where there is no text.
fn colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}
