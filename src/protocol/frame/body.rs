//! The content of each message, after the frame's header.

use alloc::string::String;

use super::reader::Reader;
use super::writer::Writer;
use super::{batch, digests, hello, summary};
use crate::event::{BlockNames, CodecError};
use crate::limits::REASON_BYTES_MAX;
use crate::protocol::{Message, Reason, Refusal, Remedy};

const HELLO: u8 = 1;
const SUMMARY: u8 = 2;
const NEED_SUMMARY: u8 = 3;
const FILL: u8 = 4;
pub(super) const BATCH: u8 = 5;
const PART: u8 = 6;
const ACK: u8 = 7;
const CREDIT: u8 = 8;
const CAUGHT_UP: u8 = 9;
const REFUSE: u8 = 10;
const AGAIN: u8 = 11;
const PING: u8 = 12;
const PONG: u8 = 13;
const ERROR: u8 = 14;
const DIGESTS: u8 = 15;

/// Number and name of a kind of message, if there is one of that number.
pub(super) fn kind_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        HELLO => "hello",
        SUMMARY => "summary",
        NEED_SUMMARY => "need-summary",
        FILL => "fill",
        BATCH => "batch",
        PART => "part",
        ACK => "ack",
        CREDIT => "credit",
        CAUGHT_UP => "caught-up",
        REFUSE => "refuse",
        AGAIN => "again",
        PING => "ping",
        PONG => "pong",
        ERROR => "error",
        DIGESTS => "digests",
        _ => return None,
    })
}

/// Room for the body, which then mostly needs no more.
pub(super) fn room(message: &Message) -> usize {
    match message {
        Message::Batch(batch) => {
            let commits = batch.commits.iter();
            let bytes: usize = commits.map(|d| d.commit.bytes()).sum();
            BATCH_ROOM + bytes
        }
        Message::Part(part) => PART_ROOM + part.bytes.len(),
        Message::Hello(_) | Message::Summary(_) | Message::Digests(_) => 256,
        _ => 16,
    }
}

/// What stands before the bytes of a part, and before the block of a batch, which mostly takes less than
/// the canonical bytes of its commits.
const PART_ROOM: usize = 64;
const BATCH_ROOM: usize = 64;

/// Appends the body and returns the kind.
pub(super) fn put(message: &Message, out: &mut Writer) -> u8 {
    match message {
        Message::Hello(hello) => {
            hello::put(hello, out);
            HELLO
        }
        Message::Summary(piece) => {
            summary::put(piece, out);
            SUMMARY
        }
        Message::NeedSummary => NEED_SUMMARY,
        Message::Fill => FILL,
        Message::Batch(batch) => {
            batch::put_batch(batch, out);
            BATCH
        }
        Message::Part(part) => {
            batch::put_part(part, out);
            PART
        }
        Message::Ack { batch, durable } => {
            out.number(*batch);
            out.flag(*durable);
            ACK
        }
        Message::Credit { bytes } => {
            out.number(*bytes);
            CREDIT
        }
        Message::CaughtUp => CAUGHT_UP,
        Message::Refuse(refusal) => {
            put_refusal(refusal, out);
            REFUSE
        }
        Message::Again => AGAIN,
        Message::Ping { clock_ms } => {
            out.number(*clock_ms);
            PING
        }
        Message::Pong { clock_ms } => {
            out.number(*clock_ms);
            PONG
        }
        Message::Error { code, text } => {
            out.number((*code).into());
            out.bytes(cut(text).as_bytes());
            ERROR
        }
        Message::Digests(digests) => {
            digests::put(digests, out);
            DIGESTS
        }
    }
}

pub(super) fn read(
    kind: u8,
    input: &mut Reader<'_>,
    names: &mut BlockNames,
) -> Result<Message, CodecError> {
    Ok(match kind {
        HELLO => Message::Hello(hello::read(input)?),
        SUMMARY => Message::Summary(summary::read(input)?),
        NEED_SUMMARY => Message::NeedSummary,
        FILL => Message::Fill,
        BATCH => Message::Batch(batch::read_batch(input, names)?),
        PART => Message::Part(batch::read_part(input)?),
        ACK => Message::Ack {
            batch: input.number("number of a batch")?,
            durable: input.flag("durability flag")?,
        },
        CREDIT => Message::Credit {
            bytes: input.number("credit")?,
        },
        CAUGHT_UP => Message::CaughtUp,
        REFUSE => Message::Refuse(read_refusal(input)?),
        AGAIN => Message::Again,
        PING => Message::Ping {
            clock_ms: input.number("clock")?,
        },
        PONG => Message::Pong {
            clock_ms: input.number("clock")?,
        },
        DIGESTS => Message::Digests(digests::read(input)?),
        ERROR => Message::Error {
            code: input.small("close code")?,
            text: String::from(input.text("text of an error", REASON_BYTES_MAX)?),
        },
        _ => {
            return Err(CodecError::Unknown {
                what: "message",
                value: kind.into(),
            });
        }
    })
}

fn put_refusal(refusal: &Refusal, out: &mut Writer) {
    out.id(refusal.commit);
    match refusal.why {
        Reason::ClockSkew { ahead_ms, max_ms } => {
            out.byte(1);
            out.number(ahead_ms);
            out.number(max_ms);
        }
        Reason::Forked => out.byte(2),
        Reason::Behind(id) => {
            out.byte(3);
            out.id(id);
        }
    }
    out.byte(match refusal.remedy {
        Remedy::Restamp => 1,
        Remedy::Drop => 2,
    });
    out.number(refusal.clock_ms);
}

fn read_refusal(input: &mut Reader<'_>) -> Result<Refusal, CodecError> {
    let commit = input.id()?;
    let why = match input.byte("reason")? {
        1 => Reason::ClockSkew {
            ahead_ms: input.number("clock skew")?,
            max_ms: input.number("clock skew")?,
        },
        2 => Reason::Forked,
        3 => Reason::Behind(input.id()?),
        value => {
            return Err(CodecError::Unknown {
                what: "reason",
                value: value.into(),
            });
        }
    };
    let remedy = match input.byte("remedy")? {
        1 => Remedy::Restamp,
        2 => Remedy::Drop,
        value => {
            return Err(CodecError::Unknown {
                what: "remedy",
                value: value.into(),
            });
        }
    };
    Ok(Refusal {
        commit,
        why,
        remedy,
        clock_ms: input.number("clock")?,
    })
}

/// The text up to the bound, cut between characters.
fn cut(text: &str) -> &str {
    let end = (0..=REASON_BYTES_MAX.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}
