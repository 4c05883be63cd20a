//! What a carrier alone costs: tungstenite in a loop, nothing merged, nothing kept.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::{runtime, say};
use crate::Done;

/// Sends everything back.
pub(super) fn echo() -> Done<()> {
    runtime(0)?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        say(&format!("ws://{}", listener.local_addr()?));
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut socket = accept_async(socket).await?;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok(())
    })
}

/// Passes on what the second connection says to the first.
pub(super) fn relay() -> Done<()> {
    runtime(0)?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        say(&format!("ws://{}", listener.local_addr()?));
        let (reader, _) = listener.accept().await?;
        reader.set_nodelay(true)?;
        let mut reader = accept_async(reader).await?;
        let (writer, _) = listener.accept().await?;
        let mut writer = accept_async(writer).await?;
        while let Some(Ok(message)) = writer.next().await {
            if message.is_binary() {
                reader.send(message).await?;
            }
        }
        Ok(())
    })
}
