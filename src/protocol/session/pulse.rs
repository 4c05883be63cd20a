use crate::limits::{DEAD_MS, HELLO_MS, PING_MS};

/// What silence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The peer did not introduce itself in time.
    HelloTimeout,
    /// Nothing was heard for too long.
    Dead,
    /// Nothing was heard, or nothing said, for long enough to ask.
    Ping,
}

/// When the ends last heard of each other. All times in milliseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    greeted: bool,
    heard: u64,
    sent: u64,
    pinged: u64,
}

impl Pulse {
    pub(super) fn new(now: u64) -> Self {
        Self {
            greeted: false,
            heard: now,
            sent: now,
            pinged: now,
        }
    }

    pub(super) fn heard(&mut self, now: u64) {
        self.heard = self.heard.max(now);
    }

    pub(super) fn sent(&mut self, now: u64) {
        self.sent = self.sent.max(now);
    }

    /// The peer has introduced itself.
    pub(super) fn greeted(&mut self) {
        self.greeted = true;
    }

    pub(super) fn deadline(&self) -> u64 {
        if self.greeted {
            self.dead_at().min(self.ping_at())
        } else {
            self.hello_by()
        }
    }

    /// What is due now. A ping counts as sent once it is asked for.
    pub(super) fn check(&mut self, now: u64) -> Option<Silence> {
        if !self.greeted {
            return (now >= self.hello_by()).then_some(Silence::HelloTimeout);
        }
        if now >= self.dead_at() {
            return Some(Silence::Dead);
        }
        if now < self.ping_at() {
            return None;
        }
        self.pinged = now;
        Some(Silence::Ping)
    }

    fn hello_by(&self) -> u64 {
        self.heard.saturating_add(HELLO_MS)
    }

    fn dead_at(&self) -> u64 {
        self.heard.saturating_add(DEAD_MS)
    }

    fn ping_at(&self) -> u64 {
        self.heard
            .min(self.sent)
            .max(self.pinged)
            .saturating_add(PING_MS)
    }
}
