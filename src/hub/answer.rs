//! Answers in HTTP/1.1, each the last on its connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::{HTTP_LINGER_MS, RETRY_AFTER_SECS};

/// What a request gets instead of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    text: String,
    /// Whether the text is left out, as `HEAD` asks for.
    head_only: bool,
}

impl Answer {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            text: text.into(),
            head_only: false,
        }
    }

    /// 503, with a time to come back.
    pub(super) fn busy(text: impl Into<String>) -> Self {
        Self::new(503, text).header("Retry-After", RETRY_AFTER_SECS.to_string())
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn head_only(mut self, head_only: bool) -> Self {
        self.head_only = head_only;
        self
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n",
            self.status,
            phrase(self.status),
            self.text.len().saturating_add(1),
        );
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        if !self.head_only {
            head.extend([&self.text, "\n"]);
        }
        head.into_bytes()
    }

    /// Sends the answer and closes. The other end sees the end of the answer at once; this one
    /// throws away for a while what still comes.
    pub(super) async fn send(self, mut stream: TcpStream) {
        let exchange = async {
            stream.write_all(&self.encode()).await?;
            stream.shutdown().await?;
            let mut rest = Vec::with_capacity(1024);
            while stream.read_buf(&mut rest).await? > 0 {
                rest.clear();
            }
            Ok::<(), std::io::Error>(())
        };
        // A client that is gone or does not leave needs no more than the close that follows.
        let _ = timeout(Duration::from_millis(HTTP_LINGER_MS), exchange).await;
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
