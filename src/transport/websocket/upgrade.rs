use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::bites::Bites;
use super::{SUBPROTOCOL, config, link};
use crate::transport::{Link, TransportError};

/// A request to upgrade that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The proof that the request was understood.
    accept_key: String,
}

/// Why a request is not upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UpgradeRefusal {
    /// An ordinary request.
    #[error("this address speaks WebSocket only: send Connection: upgrade and Upgrade: websocket")]
    NotAnUpgrade,
    /// Another version than RFC 6455's.
    #[error("the WebSocket version must be 13")]
    Version,
    /// The key is missing, there are two, or it is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key must be given once and be 16 bytes in base64")]
    Key,
    /// The subprotocol is missing or another one.
    #[error("Sec-WebSocket-Protocol must list a supported subprotocol; supported: {SUBPROTOCOL}")]
    Subprotocol,
}

impl UpgradeRefusal {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::NotAnUpgrade | Self::Version => 426,
            Self::Key | Self::Subprotocol => 400,
        }
    }

    /// Headers that tell a program what would be accepted.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::NotAnUpgrade => &[("Upgrade", "websocket")],
            Self::Version => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            Self::Key => &[],
            Self::Subprotocol => &[("Sec-WebSocket-Protocol", SUBPROTOCOL)],
        }
    }
}

impl Upgrade {
    /// Judges the headers of a `GET` request in HTTP/1.1.
    ///
    /// # Errors
    /// The first reason not to upgrade.
    pub fn check<'a, H>(headers: &H) -> Result<Self, UpgradeRefusal>
    where
        H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        if !lists(headers, "connection", "upgrade") || !lists(headers, "upgrade", "websocket") {
            return Err(UpgradeRefusal::NotAnUpgrade);
        }
        if single(headers, "sec-websocket-version") != Some(b"13") {
            return Err(UpgradeRefusal::Version);
        }
        let key = single(headers, "sec-websocket-key").ok_or(UpgradeRefusal::Key)?;
        if !is_key(key) {
            return Err(UpgradeRefusal::Key);
        }
        if !lists(headers, "sec-websocket-protocol", SUBPROTOCOL) {
            return Err(UpgradeRefusal::Subprotocol);
        }
        Ok(Self {
            accept_key: derive_accept_key(key),
        })
    }

    fn response(&self) -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
            self.accept_key
        )
    }
}

/// Answers a good request and turns its connection into a link. `read` is what came after the head
/// of the request already; `peer` is what the link calls the other end.
///
/// Not cancel-safe: a dropped future ends the connection.
///
/// # Errors
/// [`TransportError::Closed`] when the connection breaks first.
pub async fn accept(
    mut stream: TcpStream,
    upgrade: &Upgrade,
    read: Vec<u8>,
    peer: String,
) -> Result<Link, TransportError> {
    let closed = |e: std::io::Error| TransportError::Closed {
        code: None,
        reason: e.to_string(),
    };
    stream.set_nodelay(true).map_err(closed)?;
    stream
        .write_all(upgrade.response().as_bytes())
        .await
        .map_err(closed)?;
    let stream = Bites::new(stream);
    let stream =
        WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config())).await;
    Ok(link::open(stream, peer))
}

/// Whether a header that holds a list names this word, in whatever case.
fn lists<'a, H>(headers: &H, name: &str, word: &str) -> bool
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    all(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// The value of a header that must be there once.
fn single<'a, H>(headers: &H, name: &str) -> Option<&'a [u8]>
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    let mut values = all(headers, name);
    values
        .next()
        .filter(|_| values.next().is_none())
        .map(<[u8]>::trim_ascii)
}

fn all<'a, H>(headers: &H, name: &str) -> impl Iterator<Item = &'a [u8]>
where
    H: Iterator<Item = (&'a str, &'a [u8])> + Clone,
{
    headers
        .clone()
        .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

/// 16 bytes in base64: 22 digits, of which the last holds four bits that must be zero, and padding.
fn is_key(key: &[u8]) -> bool {
    let Some(digits) = key.strip_suffix(b"==") else {
        return false;
    };
    digits.len() == 22
        && digits
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        && digits
            .last()
            .is_some_and(|b| matches!(b, b'A' | b'Q' | b'g' | b'w'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &[u8]); 5] = [
        ("Upgrade", b"WebSocket"),
        ("Connection", b"keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", b"other, anabranch.v1"),
    ];

    fn check(headers: &[(&'static str, &'static [u8])]) -> Result<Upgrade, UpgradeRefusal> {
        Upgrade::check(&headers.iter().copied())
    }

    #[test]
    fn the_example_of_the_standard_gets_the_standards_answer() {
        assert_eq!(
            check(&GOOD).unwrap().accept_key,
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn each_header_is_needed_and_its_absence_named() {
        let refusals = [
            UpgradeRefusal::NotAnUpgrade,
            UpgradeRefusal::NotAnUpgrade,
            UpgradeRefusal::Version,
            UpgradeRefusal::Key,
            UpgradeRefusal::Subprotocol,
        ];
        for (gone, refusal) in refusals.into_iter().enumerate() {
            let mut headers = GOOD.to_vec();
            headers.remove(gone);
            assert_eq!(check(&headers), Err(refusal), "without header {gone}");
        }
    }

    #[test]
    fn a_second_or_malformed_key_is_refused() {
        let keys: [&'static [u8]; 4] = [
            b"",
            b"short==",
            b"dGhlIHNhbXBsZSBub25jZR==",
            b"dGhlIHNhbXBsZSBub25j!Q==",
        ];
        for key in keys {
            let mut headers = GOOD;
            headers[3].1 = key;
            assert_eq!(check(&headers), Err(UpgradeRefusal::Key));
        }
        let mut twice = GOOD.to_vec();
        twice.push(GOOD[3]);
        assert_eq!(check(&twice), Err(UpgradeRefusal::Key));
    }

    #[test]
    fn a_longer_name_is_another_subprotocol() {
        let mut headers = GOOD;
        headers[4].1 = b"anabranch.v10, anabranch";
        assert_eq!(check(&headers), Err(UpgradeRefusal::Subprotocol));
    }
}
