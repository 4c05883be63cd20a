use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::WEBSOCKET_BITE_BYTES;

/// A connection that is read in small bites while little comes and in large ones while much does.
///
/// The library reads no more at a time than the buffer that it keeps, which an idle connection pays
/// for. So the buffer is small, and what fills it is followed by a read into a larger one, which is
/// let go when it was handed on.
pub(super) struct Bites {
    stream: TcpStream,
    /// Read and not handed on.
    ahead: Bytes,
    /// The last read filled what it was given: more is there.
    flows: bool,
}

impl Bites {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            ahead: Bytes::new(),
            flows: false,
        }
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let bytes = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(bytes));
        if !self.ahead.has_remaining() {
            self.ahead = Bytes::new();
        }
    }

    /// Reads as much as there is, up to a bound. Nothing is taken up while there is nothing.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let mut ahead = Vec::with_capacity(WEBSOCKET_BITE_BYTES);
            match self.stream.try_read_buf(&mut ahead) {
                Ok(bytes) => {
                    self.flows = bytes >= WEBSOCKET_BITE_BYTES;
                    self.ahead = ahead.into();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.flows = false,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Bites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if !me.ahead.has_remaining() {
            if !mem::take(&mut me.flows) {
                let before = buffer.remaining();
                ready!(Pin::new(&mut me.stream).poll_read(cx, buffer))?;
                me.flows = before > 0 && buffer.remaining() == 0;
                return Poll::Ready(Ok(()));
            }
            ready!(me.poll_ahead(cx))?;
        }
        me.hand_on(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bites {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Whatever comes in pieces of whatever size, and whatever buffers it is read into.
    #[tokio::test]
    async fn what_is_read_is_what_was_sent() {
        let sent: Vec<u8> = (0..=250).cycle().take(600_000).collect();
        for (piece, buffer) in [(7, 14), (700, 1_024), (300_000, 14), (600_000, 1_024)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut sender = TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            let (receiver, _) = listener.accept().await.unwrap();
            let length = if piece < 100 { 20_000 } else { sent.len() };
            let pieces: Vec<Vec<u8>> = sent[..length].chunks(piece).map(<[u8]>::to_vec).collect();
            let sending = tokio::spawn(async move {
                for piece in pieces {
                    sender.write_all(&piece).await.unwrap();
                }
            });
            let mut reading = Bites::new(receiver);
            let mut got = Vec::new();
            let mut into = vec![0; buffer];
            loop {
                let bytes = reading.read(&mut into).await.unwrap();
                if bytes == 0 {
                    break;
                }
                got.extend_from_slice(&into[..bytes]);
                assert!(reading.ahead.len() < WEBSOCKET_BITE_BYTES);
            }
            sending.await.unwrap();
            assert!(got == sent[..length] && reading.ahead.is_empty());
        }
    }
}
