use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

/// What happened in a run, in order: as a number that only equal runs share, and as text if wanted.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    sum: u64,
    text: Option<String>,
}

impl Trace {
    pub(crate) fn new(is_kept: bool) -> Self {
        let text = is_kept.then(String::new);
        Self {
            sum: 0xcbf2_9ce4_8422_2325,
            text,
        }
    }

    /// One line: when, what, to whom, and everything it is made of.
    pub(crate) fn line(&mut self, now: u64, what: &'static str, which: u64, bytes: &[u8]) {
        let content = xxh3_64(bytes);
        let name = what
            .bytes()
            .fold(0_u64, |sum, byte| (sum << 5) ^ sum ^ u64::from(byte));
        for part in [now, name, which, content] {
            self.sum = (self.sum ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.sum ^= self.sum >> 29;
        }
        if let Some(text) = &mut self.text {
            let bytes = bytes.len();
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{now:>10} ms  {what} {which}  {bytes} bytes {content:016x}"
            );
        }
    }

    /// Something for readers alone.
    pub(crate) fn say(&mut self, now: u64, what: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            let _ = writeln!(text, "{now:>10} ms  {}", what());
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    pub(crate) fn into_text(self) -> String {
        self.text.unwrap_or_default()
    }
}
