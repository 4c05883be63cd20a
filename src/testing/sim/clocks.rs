use super::world::node::START;

/// A wall clock that may be wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    skew_ms: i64,
    /// How far it may be off; 0 for any distance.
    bound_ms: u64,
    /// By how much it runs too fast, in millionths, and since when.
    drift_ppm: i64,
    drifts_from: u64,
    /// What it shows, and until when.
    frozen: Option<(u64, u64)>,
}

impl Clock {
    /// A clock that is off by so much, and never by more than the bound.
    pub(crate) fn new(skew_ms: i64, bound_ms: u64) -> Self {
        Self {
            skew_ms,
            bound_ms,
            ..Self::default()
        }
    }

    /// What it shows, in milliseconds since 1970.
    pub(crate) fn wall_ms(&self, mono_ms: u64) -> u64 {
        match self.frozen {
            Some((shown, until)) if mono_ms < until => shown,
            _ => (START + mono_ms).saturating_add_signed(self.off_ms(mono_ms)),
        }
    }

    fn off_ms(&self, mono_ms: u64) -> i64 {
        let elapsed = mono_ms.saturating_sub(self.drifts_from) as i64;
        let off = self.skew_ms + elapsed * self.drift_ppm / 1_000_000;
        match self.bound_ms as i64 {
            0 => off,
            bound => off.clamp(-bound, bound),
        }
    }

    /// Sets it; it goes on at the right speed.
    pub(crate) fn set(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
        self.drift_ppm = 0;
        self.frozen = None;
    }

    /// Sets it by so much ahead or back, within its bound.
    pub(crate) fn jump(&mut self, mono_ms: u64, by_ms: i64) {
        let before = self.off_ms(mono_ms);
        self.set(before + by_ms);
        self.skew_ms = self.off_ms(mono_ms);
    }

    /// Lets it run too fast or too slow from now on.
    pub(crate) fn drift(&mut self, mono_ms: u64, ppm: i64) {
        self.skew_ms = self.off_ms(mono_ms);
        self.drifts_from = mono_ms;
        self.drift_ppm = ppm;
    }

    /// Lets it stand still until then.
    pub(crate) fn freeze(&mut self, mono_ms: u64, until: u64) {
        self.frozen = Some((self.wall_ms(mono_ms), until));
    }
}
