//! Lines of an export, read by a thread of their own: a read of a pipe cannot be cancelled.

use std::io::{self, BufRead, BufReader, Read};
use std::thread;

use anabranch::limits::{BATCH_EVENTS_MAX, IMPORT_BYTES_AT_ONCE, IMPORT_LINE_BYTES_MAX};
use tokio::sync::mpsc;

/// A line, or why it is none.
pub(super) type LineRead = Result<Vec<u8>, TooLong>;

/// A line is longer than any commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Some lines with their numbers, from 1.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) lines: Vec<(u64, LineRead)>,
    /// How much of the input has been read with it.
    pub(super) bytes: u64,
}

/// Starts to read; the receiver ends with the input, or after an error.
pub(super) fn chunks(input: impl Read + Send + 'static) -> mpsc::Receiver<io::Result<Chunk>> {
    // What is read ahead is one chunk, whatever the size of the input.
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut input = Lines {
            input: BufReader::new(input),
            number: 0,
            bytes: 0,
        };
        loop {
            let chunk = input.chunk(IMPORT_LINE_BYTES_MAX, IMPORT_BYTES_AT_ONCE);
            let is_last = chunk.as_ref().map_or(true, |chunk| chunk.lines.is_empty());
            let is_told = matches!(&chunk, Ok(chunk) if chunk.lines.is_empty());
            if (!is_told && sender.blocking_send(chunk).is_err()) || is_last {
                return;
            }
        }
    });
    receiver
}

struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// No lines at the end of the input.
    fn chunk(&mut self, line_max: u64, at_once: u64) -> io::Result<Chunk> {
        let began = self.bytes;
        let mut chunk = Chunk::default();
        while chunk.lines.is_empty()
            || (chunk.lines.len() < BATCH_EVENTS_MAX && self.bytes - began < at_once)
        {
            let Some(line) = self.line(line_max)? else {
                break;
            };
            if line
                .as_ref()
                .map_or(true, |line| !line.trim_ascii().is_empty())
            {
                chunk.lines.push((self.number, line));
            }
        }
        chunk.bytes = self.bytes;
        Ok(chunk)
    }

    fn line(&mut self, max: u64) -> io::Result<Option<LineRead>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(max).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += count(read);
        if count(read) == max && !line.ends_with(b"\n") {
            self.bytes += count(self.input.skip_until(b'\n')?);
            return Ok(Some(Err(TooLong)));
        }
        Ok(Some(Ok(line)))
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, line_max: u64, at_once: u64) -> Vec<Vec<(u64, Result<String, TooLong>)>> {
        let mut input = Lines {
            input: text.as_bytes(),
            number: 0,
            bytes: 0,
        };
        let mut chunks = Vec::new();
        loop {
            let chunk = input.chunk(line_max, at_once).unwrap();
            if chunk.lines.is_empty() {
                assert_eq!(chunk.bytes, count(text.len()));
                return chunks;
            }
            let text = |line: Vec<u8>| String::from_utf8(line).unwrap().trim().to_owned();
            let lines = chunk.lines.into_iter();
            chunks.push(
                lines
                    .map(|(number, line)| (number, line.map(text)))
                    .collect(),
            );
        }
    }

    #[test]
    fn lines_keep_their_numbers_and_one_that_is_too_long_is_left_out() {
        let line = |number, text: &str| (number, Ok(text.to_owned()));
        let chunks = read("a\n\n0123456789\nb\nc", 6, 1000);
        assert_eq!(
            chunks,
            [[line(1, "a"), (3, Err(TooLong)), line(4, "b"), line(5, "c")]]
        );
        let chunks = read("aa\nbb\ncc\n", 100, 4);
        assert_eq!(
            chunks,
            [vec![line(1, "aa"), line(2, "bb")], vec![line(3, "cc")]]
        );
    }
}
