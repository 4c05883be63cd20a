use core::fmt;

/// Why a connection was closed, as a number that every carrier can show: those of WebSocket
/// (RFC 6455, section 7.4) and, from 4400, our own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// Both ends have what they wanted.
    pub const DONE: Self = Self(1000);
    /// This end stops; it may be back.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer sent what it may not send, or not now.
    pub const PROTOCOL_VIOLATION: Self = Self(1002);
    /// A text frame came where only binary ones are spoken.
    pub const TEXT: Self = Self(1003);
    /// The carrier broke without a close. Never sent; it is what the surviving end notes down.
    pub const LOST: Self = Self(1006);
    /// A frame was larger than any frame may be.
    pub const TOO_BIG: Self = Self(1009);
    /// This end has a fault of its own.
    pub const INTERNAL: Self = Self(1011);
    /// The peer did not introduce itself in time.
    pub const HELLO_TIMEOUT: Self = Self(4408);
    /// The two logs have different origins and both are shared with others.
    pub const LINEAGE_MISMATCH: Self = Self(4409);
    /// Both ends go by the same replica id: a copy of a store, or a connection to itself.
    pub const SAME_REPLICA: Self = Self(4410);
    /// This end was restored or cloned and begins anew under a new incarnation: connect again.
    pub const NEW_INCARNATION: Self = Self(4411);
    /// What this end was when the connection opened is outdated: connect again.
    pub const OUTDATED: Self = Self(4412);
    /// No version of the protocol is spoken by both ends.
    pub const UNSUPPORTED_VERSION: Self = Self(4426);
    /// Nothing was heard from the peer for too long.
    pub const DEAD_PEER: Self = Self(4440);

    /// The code with this number, known here or not.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether connecting again can end otherwise without anybody's doing.
    pub const fn is_worth_a_retry(self) -> bool {
        !matches!(
            self,
            Self::LINEAGE_MISMATCH | Self::SAME_REPLICA | Self::UNSUPPORTED_VERSION
        )
    }

    const fn name(self) -> &'static str {
        match self {
            Self::DONE => "done",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_VIOLATION => "protocol violation",
            Self::TEXT => "text frame",
            Self::LOST => "connection lost",
            Self::TOO_BIG => "frame too big",
            Self::INTERNAL => "internal fault",
            Self::HELLO_TIMEOUT => "no hello in time",
            Self::LINEAGE_MISMATCH => "different lineage",
            Self::SAME_REPLICA => "same replica on both ends",
            Self::NEW_INCARNATION => "new incarnation",
            Self::OUTDATED => "outdated, connect again",
            Self::UNSUPPORTED_VERSION => "unsupported version",
            Self::DEAD_PEER => "dead peer",
            _ => "unknown code",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
