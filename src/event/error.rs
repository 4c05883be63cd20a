use alloc::string::String;

use thiserror::Error;

use super::EventId;

/// A name that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Longer than the bound.
    #[error("aggregate id has {bytes} bytes, at most {max} are allowed")]
    AggregateIdTooLong {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Longer than the bound.
    #[error("event type has {bytes} bytes, at most {max} are allowed")]
    EventTypeTooLong {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A control character, NUL and line breaks among them.
    #[error("{what} holds a control character")]
    ControlCharacter {
        /// Which name.
        what: &'static str,
    },
    /// Only a type, no name after it.
    #[error("aggregate id has no name: write type/name, for example note/7")]
    NoName,
    /// Two slashes in a row, or one at an end.
    #[error("aggregate id has an empty segment: write type/name with single slashes between")]
    EmptySegment,
    /// No characters at all.
    #[error("event type is empty")]
    EmptyEventType,
    /// Not two groups of 16 hexadecimal digits.
    #[error("not a replica id: expected 16 hexadecimal digits, a hyphen and 16 more")]
    NotAReplicaId,
    /// Not a replica id, a colon and a number from 1.
    #[error("not an event id: expected a replica id, a colon and a number from 1")]
    NotAnEventId,
}

/// A payload that cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Longer than the bound.
    #[error("payload has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Nested deeper than the bound.
    #[error("CBOR is nested deeper than {max} levels")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// A map with two equal keys, which has no canonical form.
    #[error("CBOR map holds a key twice")]
    KeyTwice,
    /// The type refused to be written, or cannot be written as CBOR.
    #[error("value cannot be written as CBOR: {reason}")]
    Unwritable {
        /// What the serializer said.
        reason: String,
    },
    /// The bytes are not the CBOR of the type asked for.
    #[error("payload cannot be read: {reason}")]
    Unreadable {
        /// What the deserializer said.
        reason: String,
    },
}

/// An event that is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// A name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The payload breaks a bound.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// More heads than an event may name.
    #[error("event names {heads} heads, at most {max} are allowed")]
    TooManyHeads {
        /// Heads found.
        heads: usize,
        /// The bound.
        max: usize,
    },
    /// The same head more than once.
    #[error("event names the head {id} twice")]
    HeadTwice {
        /// The head.
        id: EventId,
    },
    /// The event is in its own past.
    #[error("event {id} names itself or a later event of its own replica as a head")]
    HeadNotBefore {
        /// The event.
        id: EventId,
    },
    /// A replacement of itself, or of another device's event.
    #[error(
        "event {id} cannot replace {replaced}: only an event of the same device's earlier incarnation can be replaced"
    )]
    BadReplacement {
        /// The event.
        id: EventId,
        /// What it claims to replace.
        replaced: EventId,
    },
    /// More metadata entries than allowed.
    #[error("metadata has {entries} entries, at most {max} are allowed")]
    TooMuchMetadata {
        /// Entries found.
        entries: usize,
        /// The bound.
        max: usize,
    },
    /// Metadata longer than allowed.
    #[error("metadata has {bytes} bytes, at most {max} are allowed")]
    MetadataTooLarge {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// An empty key, or one with a control character.
    #[error("metadata key is empty or holds a control character")]
    BadMetadataKey,
    /// The event lies outside the commit it says it is part of.
    #[error("event {id} lies outside its commit")]
    OutsideCommit {
        /// The event.
        id: EventId,
    },
}

/// Events that do not form a commit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// No events.
    #[error("a commit holds at least one event")]
    Empty,
    /// More events than allowed.
    #[error("commit has {events} events, at most {max} are allowed")]
    TooManyEvents {
        /// Events found.
        events: usize,
        /// The bound.
        max: usize,
    },
    /// More bytes than allowed.
    #[error("commit has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The events disagree about their commit.
    #[error("event {id} does not belong to the commit: {what} differs")]
    Mixed {
        /// The event.
        id: EventId,
        /// The field that differs.
        what: &'static str,
    },
    /// Seqs do not run without a hole from the first to the last.
    #[error("event {id} is out of place in its commit")]
    OutOfPlace {
        /// The event.
        id: EventId,
    },
    /// One of the events is not well formed.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end early.
    #[error("bytes end in the middle of {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// Bytes are left over.
    #[error("{bytes} bytes follow the end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A number out of its range.
    #[error("{what} is out of range")]
    OutOfRange {
        /// Which number.
        what: &'static str,
    },
    /// A text that is not UTF-8.
    #[error("{what} is not UTF-8")]
    NotUtf8 {
        /// Which text.
        what: &'static str,
    },
    /// A list that is not in its canonical order.
    #[error("{what} are not in order")]
    Unsorted {
        /// Which list.
        what: &'static str,
    },
    /// A format or message this version does not know.
    #[error("unknown {what}: {value}")]
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// Its number.
        value: u64,
    },
    /// An event is not the one that was written.
    #[error("checksum of event {id} does not match")]
    Checksum {
        /// The event, as far as its bytes tell.
        id: EventId,
    },
    /// Some event of a block is not the one that was written.
    #[error("checksum of a block of {events} events does not match")]
    BlockChecksum {
        /// Events of the block.
        events: usize,
    },
    /// The pieces do not make an event or a commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<EventError> for CodecError {
    fn from(error: EventError) -> Self {
        Self::Commit(CommitError::Event(error))
    }
}
