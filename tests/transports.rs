//! Every carrier against every promise, over real sockets where it has sockets.
#![cfg(all(feature = "testing", feature = "websocket"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod transports {
    mod planted;
    mod wrong_carrier;
}

use std::time::Duration;

use anabranch::testing::conformance::transport::Carrier;
use anabranch::testing::doubles::LinkFaults;
use anabranch::transport::in_process::{InProcess, Listener};
use anabranch::transport::websocket::{Upgrade, WebSocketTransport, accept};
use anabranch::transport::{Link, Transport, TransportError};
use futures::future::{BoxFuture, FutureExt, join};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

struct WithinProcess {
    switchboard: InProcess,
    listener: Listener,
}

impl WithinProcess {
    fn open() -> Self {
        let switchboard = InProcess::new();
        let listener = switchboard.listen("hub").unwrap();
        Self {
            switchboard,
            listener,
        }
    }
}

impl Carrier for WithinProcess {
    fn connect(&mut self) -> BoxFuture<'_, (Link, Link)> {
        async {
            let near = self.switchboard.dial("mem://hub").await.unwrap();
            (near, self.listener.accept().await)
        }
        .boxed()
    }
}

/// Both ends behind a script in which nothing stands.
struct BothFaulty(WithinProcess, LinkFaults);

impl BothFaulty {
    fn open() -> Self {
        Self(WithinProcess::open(), LinkFaults::new())
    }
}

impl Carrier for BothFaulty {
    fn connect(&mut self) -> BoxFuture<'_, (Link, Link)> {
        async {
            let (near, far) = self.0.connect().await;
            (self.1.wrap(near), self.1.wrap(far))
        }
        .boxed()
    }
}

struct OverSockets {
    listener: TcpListener,
}

impl OverSockets {
    async fn open() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }
}

impl Carrier for OverSockets {
    fn connect(&mut self) -> BoxFuture<'_, (Link, Link)> {
        async {
            let address = format!("ws://{}", self.listener.local_addr().unwrap());
            let dial = async { WebSocketTransport::new().dial(&address).await };
            let (near, far) = join(dial, accept_link(&self.listener)).await;
            (near.unwrap(), far)
        }
        .boxed()
    }
}

/// What a hub does, without its limits.
async fn accept_link(listener: &TcpListener) -> Link {
    let (mut stream, peer) = listener.accept().await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("GET /sync HTTP/1.1\r\n"), "{head}");
    let headers: Vec<(&str, &[u8])> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let upgrade = Upgrade::check(&headers.into_iter()).unwrap();
    accept(stream, &upgrade, Vec::new(), peer.to_string())
        .await
        .unwrap()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

anabranch::transport_conformance!(in_process, std::future::ready(WithinProcess::open()));
anabranch::transport_conformance!(
    faulty_without_faults,
    std::future::ready(BothFaulty::open())
);
anabranch::transport_conformance!(websocket, OverSockets::open());

/// Dials a listener that answers its first caller with these bytes and hangs up.
async fn dial_server_that_says(answer: &'static [u8]) -> Result<Link, TransportError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/sync", listener.local_addr().unwrap());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(answer).await.unwrap();
    };
    join(WebSocketTransport::new().dial(&address), serve)
        .await
        .0
}

#[tokio::test]
async fn dialing_where_nobody_listens_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = WebSocketTransport::new().dial(&address).await.unwrap_err();
    assert_eq!(refused, TransportError::Refused { address });
    let address = "mem://nobody".to_owned();
    let refused = InProcess::new().dial(&address).await.unwrap_err();
    assert_eq!(refused, TransportError::Refused { address });
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_apart() {
    let failed = WebSocketTransport::new()
        .dial("ws://no-such-host.invalid:1/sync")
        .await;
    let failed = failed.unwrap_err();
    assert!(
        matches!(failed, TransportError::Dns { ref host, .. } if host == "no-such-host.invalid")
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_after_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let failed = WebSocketTransport::new().dial(&address).await.unwrap_err();
    assert!(
        matches!(
            failed,
            TransportError::Timeout {
                after_ms: 10_000,
                ..
            }
        ),
        "{failed}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_upgrade_is_quoted_without_its_control_characters() {
    let failed = dial_server_that_says(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\n\r\n\x1b[31mcome back\r\nlater\n",
    )
    .await
    .unwrap_err();
    let TransportError::Status { status, said, .. } = &failed else {
        panic!("{failed}")
    };
    assert_eq!((*status, said.as_str()), (503, "[31mcome back later"));
}

#[tokio::test]
async fn something_else_than_a_websocket_server_is_told_apart() {
    let answers: [&'static [u8]; 4] = [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBwcm9v\r\n\r\n",
    ];
    for answer in answers {
        let failed = dial_server_that_says(answer).await.unwrap_err();
        assert!(
            matches!(failed, TransportError::NotAWebSocket { .. }),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_server_of_another_subprotocol_is_told_apart() {
    for chosen in ["", "Sec-WebSocket-Protocol: mqtt\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await;
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let key = tokio_tungstenite::tungstenite::handshake::derive_accept_key(
                key.unwrap().as_bytes(),
            );
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n{chosen}\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let dialed = join(WebSocketTransport::new().dial(&address), serve)
            .await
            .0;
        assert!(
            matches!(dialed, Err(TransportError::WrongSubprotocol { .. })),
            "{dialed:?}"
        );
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_dialed_says_what_to_write() {
    let cases = [
        ("wss://hub.example/sync", "TLS"),
        ("http://hub.example", "ws://"),
        ("hub.example:7171", "ws://"),
        ("ws://", "ws://"),
        ("ws://user:secret@hub.example", "credentials"),
        ("ws://a b", "ws://"),
    ];
    for (address, hint) in cases {
        let failed = WebSocketTransport::new().dial(address).await.unwrap_err();
        assert!(
            matches!(failed, TransportError::UnsupportedAddress { .. }),
            "{address}: {failed}"
        );
        assert!(failed.to_string().contains(hint), "{address}: {failed}");
    }
    assert!(InProcess::new().dial("ws://x").await.is_err());
}

#[tokio::test]
async fn a_name_within_the_process_has_one_listener_at_a_time() {
    let switchboard = InProcess::new();
    let first = switchboard.listen("hub").unwrap();
    let taken = switchboard.listen("hub").unwrap_err();
    assert_eq!(
        taken,
        TransportError::AddressInUse {
            address: "mem://hub".to_owned()
        }
    );
    drop(first);
    let mut second = switchboard.clone().listen("hub").unwrap();
    let near = switchboard.dial("mem://hub").await.unwrap();
    assert_eq!(near.peer, "mem://hub");
    assert_eq!(second.accept().await.peer, "mem://caller-of-hub");
}

/// What a stranger may write on an upgraded connection, and the code that it must hear.
#[tokio::test]
async fn a_broken_rule_of_websocket_is_answered_with_its_code() {
    let masked = |first: u8, len: u8| [&[first, 0x80 | len][..], &[0; 4]].concat();
    let oversize = 1_048_577_u64.to_be_bytes();
    let cases: [(&str, Vec<u8>, u16); 8] = [
        (
            "a text message",
            [masked(0x81, 2), b"hi".to_vec()].concat(),
            1003,
        ),
        (
            "text that is not UTF-8",
            [masked(0x81, 1), vec![0xff]].concat(),
            1003,
        ),
        ("an unmasked frame", vec![0x82, 0x01, 0x07], 1002),
        ("a reserved bit", [masked(0xC2, 1), vec![7]].concat(), 1002),
        (
            "a reserved opcode",
            [masked(0x83, 1), vec![7]].concat(),
            1002,
        ),
        (
            "a continuation of nothing",
            [masked(0x80, 1), vec![7]].concat(),
            1002,
        ),
        (
            "a long ping",
            [&[0x89, 0xFE, 0, 126][..], &[0; 130]].concat(),
            1002,
        ),
        (
            "a frame above the bound",
            [&[0x82, 0xFF][..], &oversize, &[0; 4]].concat(),
            1009,
        ),
    ];
    for (what, bytes, code) in cases {
        let (mut stream, mut far) = raw_connection().await;
        stream.write_all(&bytes).await.unwrap();
        let (said, _) = soon(join(read_rest(stream), far.receiver.receive())).await;
        assert_eq!(said.first(), Some(&0x88), "{what}: {said:?}");
        assert_eq!(u16::from_be_bytes([said[2], said[3]]), code, "{what}");
    }
}

/// The code must arrive although the stranger goes on sending for a while.
#[tokio::test]
async fn a_message_in_many_pieces_is_bounded_like_any_other() {
    let (mut stream, mut far) = raw_connection().await;
    let attack = async {
        let mut piece = [&[0x02, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0][..], &vec![7; 65_535]].concat();
        for _ in 0..128 {
            stream.write_all(&piece).await.unwrap();
            piece[0] = 0x00;
        }
        read_rest(stream).await
    };
    let (heard, received) = soon(join(attack, far.receiver.receive())).await;
    assert!(matches!(
        received,
        anabranch::transport::Incoming::Closed { .. }
    ));
    assert_eq!(u16::from_be_bytes([heard[2], heard[3]]), 1009);
}

/// An upgraded connection whose near end is a bare socket.
async fn raw_connection() -> (TcpStream, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let knock = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /sync HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Protocol: anabranch.v1\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(
            answer.contains("Sec-WebSocket-Protocol: anabranch.v1\r\n"),
            "{answer}"
        );
        stream
    };
    join(knock, accept_link(&listener)).await
}

/// A hang is a failure.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.unwrap()
}

async fn read_rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}
