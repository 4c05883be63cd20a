/// Two readings of the outside world's clocks, taken together and handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall time in milliseconds since 1970. May jump either way.
    pub wall_ms: u64,
    /// Milliseconds since some start. Never goes back; for deadlines.
    pub mono_ms: u64,
}
