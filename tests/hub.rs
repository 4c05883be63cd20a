//! A hub against whatever a stranger may send, over real sockets, and its graceful end.
#![cfg(feature = "hub")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use anabranch::hub::signals::{Ending, Signals};
use anabranch::hub::{Hub, HubBuilder, HubError};
use anabranch::protocol::CloseCode;
use anabranch::replica::Replica;
use anabranch::store::MemoryStore;
use anabranch::transport::websocket::WebSocketTransport;
use anabranch::transport::{Incoming, Link, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const UPGRADE: &str = "GET /sync HTTP/1.1\r\nHost: hub.example\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: anabranch.v1\r\n";

async fn replica() -> Replica {
    Replica::builder(MemoryStore::new()).open().await.unwrap()
}

async fn hub_with(configure: impl FnOnce(HubBuilder) -> HubBuilder) -> Hub {
    configure(Hub::builder(replica().await).bind("127.0.0.1:0"))
        .start()
        .await
        .unwrap()
}

async fn hub() -> Hub {
    hub_with(|builder| builder).await
}

async fn dial(hub: &Hub) -> Result<Link, TransportError> {
    WebSocketTransport::new()
        .dial(&format!("ws://{}", hub.local_addr()))
        .await
}

/// Sends bytes and reads until the hub closes.
async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The hub may answer and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref()).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .unwrap_or("none")
}

/// A request of one line and these headers.
fn request(line: &str, headers: &str) -> String {
    format!("{line}\r\n{headers}\r\n")
}

#[tokio::test]
async fn health_is_told_to_whoever_asks() {
    let hub = hub().await;
    for (line, wanted, text) in [
        ("GET /healthz HTTP/1.1", "200", "alive\n"),
        ("GET /healthz?probe=1 HTTP/1.1", "200", "alive\n"),
        ("HEAD /healthz HTTP/1.1", "200", ""),
        ("GET /readyz HTTP/1.1", "200", "ready\n"),
        ("HEAD /readyz HTTP/1.1", "200", ""),
    ] {
        let answer = exchange(hub.local_addr(), request(line, "Host: hub\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((status(head), body), (wanted, text), "{line}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
    }
    let old = exchange(hub.local_addr(), "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&old), "200");
    hub.replica().close().await.unwrap();
    let closed = exchange(
        hub.local_addr(),
        request("GET /readyz HTTP/1.1", "Host: hub\r\n"),
    )
    .await;
    assert_eq!(status(&closed), "503");
    assert!(closed.contains("\r\nRetry-After: 5\r\n"), "{closed}");
    let alive = exchange(
        hub.local_addr(),
        request("GET /healthz HTTP/1.1", "Host: hub\r\n"),
    )
    .await;
    assert_eq!(status(&alive), "200");
    assert_eq!(
        status(&exchange(hub.local_addr(), format!("{UPGRADE}\r\n")).await),
        "503"
    );
}

/// Sends each request and demands its status.
async fn expect(hub: &Hub, cases: impl IntoIterator<Item = (&'static str, String)>) {
    for (wanted, bytes) in cases {
        let answer = exchange(hub.local_addr(), &bytes).await;
        assert_eq!(status(&answer), wanted, "{bytes:?}\n{answer}");
    }
    assert_eq!(hub.connections(), 0);
}

#[tokio::test]
async fn every_path_and_method_that_is_not_served_gets_its_status() {
    let cases = [
        ("404", "GET / HTTP/1.1"),
        ("404", "POST /upload HTTP/1.1"),
        ("404", "GET /sync/ HTTP/1.1"),
        ("404", "GET /healthz/x HTTP/1.1"),
        ("405", "POST /healthz HTTP/1.1"),
        ("405", "DELETE /sync HTTP/1.1"),
        ("405", "OPTIONS /readyz HTTP/1.1"),
        ("400", "GET /../../etc/passwd HTTP/1.1"),
        ("400", "GET /%2e%2e/etc/passwd HTTP/1.1"),
        ("400", "GET /sync%00 HTTP/1.1"),
        ("400", "GET //healthz HTTP/1.1"),
        ("400", "GET /..\\healthz HTTP/1.1"),
        ("400", "GET http://hub/healthz HTTP/1.1"),
        ("400", "OPTIONS * HTTP/1.1"),
        ("400", "GET  /healthz HTTP/1.1"),
        ("400", "GET /healthz HTTP/2.0"),
        ("400", "GET /healthz"),
        ("400", "BREW /healthz HTTP/1.1"),
    ];
    let requests = cases.map(|(wanted, line)| (wanted, request(line, "Host: hub\r\n")));
    expect(&hub().await, requests).await;
}

#[tokio::test]
async fn headers_that_two_readers_could_read_differently_are_refused() {
    let cases = [
        ("400", ""),
        ("400", "Host: a\r\nHost: b\r\n"),
        (
            "400",
            "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        ),
        ("400", "Host: a\r\nContent-Length: -1\r\n"),
        ("400", "Host: a\r\nContent-Length:\r\n"),
        ("400", "Host: a\r\nContent-Length: 1, 1\r\n"),
        (
            "400",
            "Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ),
        ("400", "Host: a\r\nX-A: b\rSet: c\r\n"),
        ("400", "Host: a\r\nX A: b\r\n"),
        ("400", "Host: a\r\nX-A: b\r\n folded\r\n"),
        ("400", "Host: a\r\nX-A: \0\r\n"),
        ("400", "Host : a\r\n"),
    ];
    let line = "GET /healthz HTTP/1.1";
    let requests = cases.map(|(wanted, headers)| (wanted, request(line, headers)));
    let hub = hub().await;
    expect(&hub, requests).await;
    let many = |count: usize| format!("Host: hub\r\n{}", "X: y\r\n".repeat(count - 1));
    expect(
        &hub,
        [
            ("200", request(line, &many(100))),
            ("431", request(line, &many(101))),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_bad_request_to_upgrade_gets_its_status() {
    let cases = [
        ("426", request("GET /sync HTTP/1.1", "Host: hub\r\n")),
        ("426", request("HEAD /sync HTTP/1.1", "Host: hub\r\n")),
        ("426", UPGRADE.replace("HTTP/1.1", "HTTP/1.0") + "\r\n"),
        ("426", UPGRADE.replace("Version: 13", "Version: 8") + "\r\n"),
        ("400", UPGRADE.replace("dGhl", "dGh") + "\r\n"),
        (
            "400",
            UPGRADE.replace("anabranch.v1", "anabranch.v2") + "\r\n",
        ),
        (
            "400",
            UPGRADE.replace("Sec-WebSocket-Protocol: anabranch.v1\r\n", "") + "\r\n",
        ),
        ("400", format!("{UPGRADE}Content-Length: 4\r\n\r\n....")),
        (
            "400",
            format!("{UPGRADE}Transfer-Encoding: chunked\r\n\r\n"),
        ),
    ];
    expect(&hub().await, cases).await;
}

#[tokio::test]
async fn heads_and_targets_are_bounded_to_the_byte() {
    let hub = hub().await;
    let with_head_of = |bytes: usize| {
        let bare = request("GET /healthz HTTP/1.1", "Host: hub\r\nX: \r\n").len();
        let filling = "x".repeat(bytes - bare);
        request(
            "GET /healthz HTTP/1.1",
            &format!("Host: hub\r\nX: {filling}\r\n"),
        )
    };
    let with_target_of = |bytes: usize| {
        let filling = "x".repeat(bytes - "/healthz?".len());
        request(&format!("GET /healthz?{filling} HTTP/1.1"), "Host: hub\r\n")
    };
    for (wanted, bytes) in [
        ("200", with_head_of(16 * 1024)),
        ("431", with_head_of(16 * 1024 + 1)),
        ("431", with_head_of(1024 * 1024)),
        ("200", with_target_of(8 * 1024)),
        ("414", with_target_of(8 * 1024 + 1)),
        ("414", with_target_of(64 * 1024)),
    ] {
        let answer = exchange(hub.local_addr(), &bytes).await;
        assert_eq!(status(&answer), wanted, "{} bytes", bytes.len());
    }
}

#[tokio::test]
async fn a_refusal_says_what_would_be_accepted() {
    let hub = hub().await;
    let address = hub.local_addr();
    let other = UPGRADE.replace("anabranch.v1", "mqtt") + "\r\n";
    let answer = exchange(address, other).await;
    assert!(
        answer.contains("\r\nSec-WebSocket-Protocol: anabranch.v1\r\n"),
        "{answer}"
    );
    assert!(answer.contains("supported: anabranch.v1"), "{answer}");
    let old = UPGRADE.replace("Version: 13", "Version: 8") + "\r\n";
    assert!(
        exchange(address, old)
            .await
            .contains("\r\nSec-WebSocket-Version: 13\r\n")
    );
    let post = request("POST /sync HTTP/1.1", "Host: hub\r\n");
    assert!(
        exchange(address, post)
            .await
            .contains("\r\nAllow: GET, HEAD\r\n")
    );
    let none = exchange(address, request("GET /metrics HTTP/1.1", "Host: hub\r\n")).await;
    assert!(
        none.contains("/sync") && none.contains("/healthz"),
        "{none}"
    );
}

/// The end of a TLS or HTTP/2 handshake, or of nonsense, comes at once.
#[tokio::test]
async fn another_protocol_is_closed_within_a_second() {
    let hub = hub().await;
    let hello = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    let mut streams: Vec<Vec<u8>> = vec![
        hello.to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        b"CONNECTED nonsense".to_vec(),
        b"getting started".to_vec(),
        b"\0".to_vec(),
    ];
    let mut seed = 7_u64;
    streams.extend((0..200).map(|_| {
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[0]
        };
        let len = usize::from(byte()) + 16;
        (0..len).map(|_| byte()).collect()
    }));
    for bytes in streams {
        let closed = timeout(Duration::from_secs(1), exchange(hub.local_addr(), &bytes)).await;
        let answer = closed.unwrap_or_else(|_| panic!("still open after {bytes:?}"));
        assert_eq!(status(&answer), "400", "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_closed_after_five_seconds() {
    let hub = hub().await;
    let begun = Instant::now();
    assert_eq!(exchange(hub.local_addr(), "").await, "");
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_speaks_too_slowly_is_told_after_ten_seconds() {
    let hub = hub().await;
    let begun = Instant::now();
    let stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let dribble = async {
        for byte in UPGRADE.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let mut answer = String::new();
    tokio::select! {
        () = dribble => panic!("the hub listened to the end"),
        read = reader.read_to_string(&mut answer) => drop(read.unwrap()),
    }
    assert_eq!(status(&answer), "408");
    assert!(
        (10..12).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_understood() {
    let hub = hub().await;
    let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in request("\r\nGET /healthz HTTP/1.1", "Host: hub\r\n").bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "200");
}

#[tokio::test]
async fn bytes_that_come_with_the_head_belong_to_the_link() {
    let hub = hub().await;
    let text_message = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    let bytes = [format!("{UPGRADE}\r\n").as_bytes(), &text_message].concat();
    let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let refusal = [0x03, 0xEB];
    while !answer.windows(2).any(|bytes| bytes == refusal) {
        assert_ne!(
            stream.read_buf(&mut answer).await.unwrap(),
            0,
            "closed without 1003"
        );
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn pages_of_other_hosts_may_not_connect() {
    let hub = hub_with(|builder| builder.origin("https://app.example")).await;
    for (origin, wanted) in [
        ("http://hub.example", "101"),
        ("https://hub.example", "101"),
        ("https://app.example", "101"),
        ("https://evil.example", "403"),
        ("http://hub.example:81", "403"),
        ("null", "403"),
    ] {
        let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
        let bytes = format!("{UPGRADE}Origin: {origin}\r\n\r\n");
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(
            status(&String::from_utf8(answer).unwrap()),
            wanted,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn who_comes_when_every_place_is_taken_is_told_to_come_back() {
    let hub = hub_with(|builder| builder.connections_max(2)).await;
    let first = dial(&hub).await.unwrap();
    let _second = dial(&hub).await.unwrap();
    assert_eq!(hub.connections(), 2);
    let refused = dial(&hub).await.unwrap_err();
    assert!(
        matches!(refused, TransportError::Status { status: 503, .. }),
        "{refused}"
    );
    let answer = exchange(hub.local_addr(), format!("{UPGRADE}\r\n")).await;
    assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
    let health = exchange(
        hub.local_addr(),
        request("GET /healthz HTTP/1.1", "Host: a\r\n"),
    )
    .await;
    assert_eq!(status(&health), "200");
    drop(first);
    timeout(Duration::from_secs(5), async {
        while dial(&hub).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn many_silent_clients_keep_nobody_out() {
    let hub = hub().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(hub.local_addr()).await.unwrap());
    }
    let health = exchange(
        hub.local_addr(),
        request("GET /healthz HTTP/1.1", "Host: a\r\n"),
    )
    .await;
    assert_eq!(status(&health), "200");
    let _link = dial(&hub).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let hub = hub().await;
    let address = hub.local_addr().to_string();
    let taken = Hub::builder(replica().await)
        .bind(address.clone())
        .start()
        .await
        .unwrap_err();
    let HubError::Listen { address: named, .. } = taken else {
        panic!("{taken}")
    };
    assert_eq!(named, address);
}

/// Reads to the end; what a session says before it is not looked at.
async fn last_words(link: &mut Link) -> Option<CloseCode> {
    loop {
        if let Incoming::Closed { code, .. } = link.receiver.receive().await {
            return code;
        }
    }
}

#[tokio::test]
async fn a_stop_says_goodbye_to_everybody_and_lets_nobody_in() {
    let hub = hub().await;
    let mut links = Vec::new();
    for _ in 0..8 {
        links.push(dial(&hub).await.unwrap());
    }
    let silent = TcpStream::connect(hub.local_addr()).await.unwrap();
    let goodbyes = async {
        for link in &mut links {
            assert_eq!(last_words(link).await, Some(CloseCode::GOING_AWAY));
        }
    };
    let begun = Instant::now();
    let (stopped, ()) = tokio::join!(hub.stop(), goodbyes);
    stopped.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(hub.connections(), 0);
    assert!(!hub.replica().is_ready());
    assert!(matches!(
        dial(&hub).await,
        Err(TransportError::Refused { .. })
    ));
    hub.stop().await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_stop_waits_for_a_silent_link_only_so_long() {
    let hub = hub().await;
    let link = dial(&hub).await.unwrap();
    timeout(Duration::from_secs(10), hub.stop())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(hub.connections(), 0);
    drop(link);
}

#[tokio::test]
async fn a_hub_whose_last_handle_is_dropped_stops_listening() {
    let hub = hub().await;
    let address = format!("ws://{}", hub.local_addr());
    let mut link = dial(&hub).await.unwrap();
    drop(hub);
    assert_eq!(last_words(&mut link).await, None);
    let refused = WebSocketTransport::new().dial(&address).await;
    assert!(
        matches!(refused, Err(TransportError::Refused { .. })),
        "{refused:?}"
    );
}

/// Both halves in one test: signals go to the whole process.
#[cfg(unix)]
#[tokio::test]
async fn the_first_signal_stops_gracefully_and_the_second_at_once() {
    let kill = |signal: &'static str| async move {
        let own = std::process::id().to_string();
        tokio::process::Command::new("kill")
            .args([signal, &own])
            .status()
            .await
            .unwrap();
    };
    for signal in ["-TERM", "-INT"] {
        let mut signals = Signals::install().unwrap();
        let hub = hub().await;
        let mut link = dial(&hub).await.unwrap();
        let (ending, (), code) =
            tokio::join!(signals.serve(&hub), kill(signal), last_words(&mut link));
        assert_eq!(ending.unwrap(), Ending::Graceful);
        assert_eq!(code, Some(CloseCode::GOING_AWAY));
    }
    let mut signals = Signals::install().unwrap();
    let hub = hub().await;
    let link = dial(&hub).await.unwrap();
    let twice = async {
        kill("-TERM").await;
        // The link does not answer its goodbye, so the graceful stop is under way for a while.
        while hub.replica().is_ready() {
            tokio::task::yield_now().await;
        }
        kill("-TERM").await;
    };
    let begun = Instant::now();
    let (ending, ()) = tokio::join!(signals.serve(&hub), twice);
    assert_eq!(ending.unwrap(), Ending::Immediate);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    drop(link);
}

/// A link may be accepted while its replica closes, after the goodbyes were said.
#[tokio::test]
async fn a_link_that_comes_to_a_closed_replica_is_sent_away() {
    let replica = replica().await;
    replica.close().await.unwrap();
    let (mut near, far) = anabranch::transport::in_process::pair("near", "far");
    let served = async { replica.accept(far).await };
    let (closed, code) = tokio::join!(served, last_words(&mut near));
    assert_eq!(closed.code, CloseCode::GOING_AWAY);
    assert_eq!(code, Some(CloseCode::GOING_AWAY));
}
