/// How much of something may still be done: so much at once, and so much more each second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    left: u64,
    most: u64,
    per_second: u64,
    since_ms: u64,
}

impl Allowance {
    pub(super) const fn new(most: u64, per_second: u64) -> Self {
        Self {
            left: most,
            most,
            per_second,
            since_ms: 0,
        }
    }

    /// Takes so many, if they are left.
    pub(super) fn take(&mut self, count: u64, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.since_ms);
        let more = passed_ms.saturating_mul(self.per_second) / 1_000;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(self.most);
            self.since_ms = now_ms;
        }
        let Some(left) = self.left.checked_sub(count) else {
            return false;
        };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_more_each_second() {
        let mut allowance = Allowance::new(3, 2);
        let mut taken = |now| (0..10).filter(|_| allowance.take(1, now)).count();
        assert_eq!(taken(0), 3);
        assert_eq!(taken(400), 0);
        assert_eq!(taken(500), 1);
        assert_eq!(taken(1_500), 2);
        assert_eq!(taken(u64::MAX), 3);
        assert!(!Allowance::new(3, 2).take(4, 0) && Allowance::new(3, 2).take(3, 0));
    }
}
