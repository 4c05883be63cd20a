use crate::event::ReplicaId;

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The peer has not introduced itself yet.
    #[default]
    Hello,
    /// The peer has; the owner has not yet said what it knows of it.
    Greeted,
    /// Events may flow.
    Open,
    /// Over.
    Closed,
}

/// What has crossed the carrier in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Batches; a large commit counts as one, a mere move of the cursor does too.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of all frames.
    pub bytes: u64,
}

/// A session seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How far it has come.
    pub phase: Phase,
    /// The peer, once it has introduced itself.
    pub peer: Option<ReplicaId>,
    /// What was sent.
    pub sent: Traffic,
    /// What was received.
    pub received: Traffic,
    /// The peer's wall clock as last heard, in milliseconds since 1970.
    pub peer_clock_ms: Option<u64>,
}
