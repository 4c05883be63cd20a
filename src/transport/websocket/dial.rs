use std::io::ErrorKind;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};

use super::bites::Bites;
use super::{PATH, SUBPROTOCOL, config, link};
use crate::limits::{DIAL_MS, SAID_CHARS_MAX};
use crate::transport::{Link, Transport, TransportError};

/// Dials `ws://host[:port][/path]`; the port is 80 and the path `/sync` where none is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketTransport;

impl WebSocketTransport {
    /// The transport; it holds nothing.
    pub fn new() -> Self {
        Self
    }
}

impl Transport for WebSocketTransport {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Link, TransportError>> {
        Dial { address }.run().boxed()
    }

    fn serves(&self, address: &str) -> bool {
        ["ws://", "wss://"].iter().any(|scheme| {
            address
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
    }
}

/// One attempt.
#[derive(Clone, Copy)]
struct Dial<'a> {
    address: &'a str,
}

impl Dial<'_> {
    async fn run(self) -> Result<Link, TransportError> {
        let request = self.request()?;
        let patience = Duration::from_millis(DIAL_MS);
        let attempt = async {
            let tcp = self.connect(request.uri()).await?;
            tcp.set_nodelay(true).map_err(|e| self.unreachable(&e))?;
            let (stream, _) = client_async_with_config(request, Bites::new(tcp), Some(config()))
                .await
                .map_err(|error| self.handshake(error))?;
            Ok(link::open(stream, self.address.to_owned()))
        };
        match timeout(patience, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(TransportError::Timeout {
                address: self.address.to_owned(),
                step: "answer",
                after_ms: DIAL_MS,
            }),
        }
    }

    fn request(self) -> Result<Request, TransportError> {
        let bad = |reason| TransportError::UnsupportedAddress {
            address: self.address.to_owned(),
            reason,
        };
        let uri: Uri = self
            .address
            .parse()
            .map_err(|_| bad("write ws://host:port, for example ws://127.0.0.1:7171"))?;
        match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
            Some("ws") => {}
            Some("wss") => {
                return Err(bad(
                    "TLS is left to a proxy for now; dial the ws:// address of one on this machine",
                ));
            }
            _ => return Err(bad("a WebSocket address begins with ws://")),
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(bad("an address holds no credentials"));
        }
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            "/" => PATH,
            path => path,
        };
        let mut request = format!("ws://{authority}{path}")
            .into_client_request()
            .map_err(|_| bad("it names no host"))?;
        let wanted = HeaderValue::from_static(SUBPROTOCOL);
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", wanted);
        Ok(request)
    }

    /// Tries every address that the name has, in the resolver's order.
    async fn connect(self, uri: &Uri) -> Result<TcpStream, TransportError> {
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let unknown = |reason: String| TransportError::Dns {
            host: host.to_owned(),
            reason,
        };
        let found = lookup_host((host, uri.port_u16().unwrap_or(80)))
            .await
            .map_err(|error| unknown(error.to_string()))?;
        let mut failure = unknown("it has no addresses".to_owned());
        for address in found {
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = self.unreachable(&error),
            }
        }
        Err(failure)
    }

    fn unreachable(self, error: &std::io::Error) -> TransportError {
        let address = self.address.to_owned();
        match error.kind() {
            ErrorKind::ConnectionRefused => TransportError::Refused { address },
            _ => TransportError::Unreachable {
                address,
                reason: error.to_string(),
            },
        }
    }

    fn handshake(self, error: Error) -> TransportError {
        let address = self.address.to_owned();
        match error {
            Error::Http(response) => TransportError::Status {
                address,
                status: response.status().as_u16(),
                said: said(response.body().as_deref().unwrap_or_default()),
            },
            Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
                TransportError::WrongSubprotocol {
                    address,
                    wanted: SUBPROTOCOL,
                }
            }
            Error::Protocol(ProtocolError::HandshakeIncomplete) => TransportError::NotAWebSocket {
                address,
                reason: "it closed the connection before it had answered".to_owned(),
            },
            Error::Io(error) => self.unreachable(&error),
            other => TransportError::NotAWebSocket {
                address,
                reason: other.to_string(),
            },
        }
    }
}

/// The beginning of a stranger's text on one line, fit for a terminal.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty());
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(SAID_CHARS_MAX)
        .collect()
}
