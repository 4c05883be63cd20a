//! The head of a request: read within bounds, parsed, and refused where two readers could
//! understand it differently.

use std::time::Duration;

use httparse::{EMPTY_HEADER, Error, Status};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::answer::Answer;
use crate::limits::{
    HTTP_FIRST_BYTE_MS, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_MS, HTTP_HEADERS_MAX, HTTP_TARGET_BYTES_MAX,
};

/// The methods of HTTP. What begins otherwise is another protocol.
const METHODS: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"CONNECT", b"TRACE",
];

/// A whole head that every reader understands alike.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    /// Whether it is HTTP/1.1, rather than 1.0.
    pub(super) current: bool,
    pub(super) headers: Vec<(&'a str, &'a [u8])>,
    /// Bytes of the head.
    pub(super) len: usize,
}

impl<'a> Request<'a> {
    pub(super) fn headers(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone + use<'a, '_> {
        self.headers.iter().copied()
    }

    /// The values of a header.
    pub(super) fn all<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n, '_> {
        let named = self
            .headers()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    }

    /// Whether bytes follow the head that belong to the request.
    pub(super) fn has_body(&self) -> bool {
        self.all("transfer-encoding").next().is_some()
            || self.all("content-length").any(|length| length != b"0")
    }
}

/// Reads until a whole head is there and returns it with whatever came after it, or the answer to a
/// bad one, or nothing where nobody is there to hear an answer.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Option<Answer>> {
    let whole = async {
        let mut bytes = Vec::new();
        let first = Duration::from_millis(HTTP_FIRST_BYTE_MS);
        timeout(first, more(stream, &mut bytes))
            .await
            .map_err(|_| None)??;
        while parse(&bytes).map_err(Some)?.is_none() {
            more(stream, &mut bytes).await?;
        }
        Ok(bytes)
    };
    let late = |_| {
        Some(Answer::new(
            408,
            "the head of the request did not come in time",
        ))
    };
    timeout(Duration::from_millis(HTTP_HEAD_MS), whole)
        .await
        .map_err(late)?
}

/// Reads some more, never past the bound.
async fn more(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> Result<(), Option<Answer>> {
    let room = HTTP_HEAD_BYTES_MAX.saturating_sub(bytes.len());
    let room = u64::try_from(room).unwrap_or(u64::MAX);
    match stream.take(room).read_buf(bytes).await {
        Ok(0) | Err(_) => Err(None),
        Ok(_) => Ok(()),
    }
}

/// The request that the bytes hold, nothing while its head is not whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, Answer> {
    if !begins_like_http(bytes) {
        return Err(Answer::new(
            400,
            "this port speaks HTTP/1.1 and WebSocket, without TLS",
        ));
    }
    let mut headers = [EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let len = match parsed.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if bytes.len() < HTTP_HEAD_BYTES_MAX => return Ok(None),
        Ok(Status::Partial) => return Err(too_large(bytes)),
        Err(Error::TooManyHeaders) => {
            let text = format!("a request has at most {HTTP_HEADERS_MAX} headers");
            return Err(Answer::new(431, text));
        }
        Err(error) => return Err(Answer::new(400, format!("not a request in HTTP: {error}"))),
    };
    let request = Request {
        method: parsed.method.unwrap_or_default(),
        target: parsed.path.unwrap_or_default(),
        current: parsed.version == Some(1),
        headers: parsed
            .headers
            .iter()
            .map(|header| (header.name, header.value))
            .collect(),
        len,
    };
    check(&request).map_or(Ok(Some(request)), Err)
}

/// Whether the bytes are, or may become, the beginning of a request.
fn begins_like_http(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let whole = method.len() < bytes.len();
    METHODS.iter().any(|known| {
        if whole {
            *known == method
        } else {
            known.starts_with(method)
        }
    })
}

fn too_large(bytes: &[u8]) -> Answer {
    if bytes.contains(&b'\n') {
        Answer::new(
            431,
            format!("the head of a request has at most {HTTP_HEAD_BYTES_MAX} bytes"),
        )
    } else {
        too_long()
    }
}

fn too_long() -> Answer {
    Answer::new(
        414,
        format!("a target has at most {HTTP_TARGET_BYTES_MAX} bytes"),
    )
}

/// Refuses what a proxy in front may have read differently.
fn check(request: &Request<'_>) -> Option<Answer> {
    if request.target.len() > HTTP_TARGET_BYTES_MAX {
        return Some(too_long());
    }
    let hosts = request.all("host").count();
    let lengths: Vec<&[u8]> = request.all("content-length").collect();
    let bad = if hosts > 1 || (request.current && hosts == 0) {
        "a request names its Host once"
    } else if lengths.len() > 1 {
        "a request has one Content-Length at most"
    } else if lengths
        .iter()
        .any(|l| l.is_empty() || !l.iter().all(u8::is_ascii_digit))
    {
        "a Content-Length is a number"
    } else if !lengths.is_empty() && request.all("transfer-encoding").next().is_some() {
        "a request has a Content-Length or a Transfer-Encoding, not both"
    } else {
        return None;
    };
    Some(Answer::new(400, bad))
}
