//! Lines of stdin, read by a thread of their own: a read of a terminal cannot be cancelled, and
//! nothing here may wait for the next key when the command ends.

use std::io::{BufRead, Read};
use std::thread;

use anabranch::limits::{LINE_BYTES_MAX, LINES_AT_ONCE_MAX};
use tokio::sync::mpsc;

/// Lines with their numbers, from 1.
pub(super) type Lines = mpsc::Receiver<(u64, String)>;

/// Starts to read; the receiver ends with the input.
pub(super) fn lines() -> Lines {
    let (sender, receiver) = mpsc::channel(LINES_AT_ONCE_MAX);
    thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        for number in 1.. {
            let mut bytes = Vec::new();
            match (&mut stdin)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut bytes)
            {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&bytes).trim().to_owned();
            if !line.is_empty() && sender.blocking_send((number, line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The lines that are there, at least one unless the input has ended.
pub(super) async fn next_lines(lines: &mut Lines) -> Vec<(u64, String)> {
    let mut taken = Vec::new();
    lines.recv_many(&mut taken, LINES_AT_ONCE_MAX).await;
    taken
}
