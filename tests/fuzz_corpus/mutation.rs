//! Small damage to known inputs, drawn from a fixed sequence of numbers.

const INTERESTING: [u8; 12] = [
    0x00, 0x01, 0x0f, 0x17, 0x18, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xff,
];

/// Xorshift64* of Vigna: no clock and no entropy, so a failure can be repeated.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }
}

/// Makes new inputs from known ones.
pub(crate) struct Mutator {
    known: Vec<Vec<u8>>,
    draws: Draws,
}

impl Mutator {
    pub(crate) fn new(known: Vec<Vec<u8>>) -> Self {
        Self {
            known,
            draws: Draws(0x0a1a_b1a2_c0de_5eed),
        }
    }

    /// One known input with one to four changes.
    pub(crate) fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.pick();
        for _ in 0..=self.draws.below(4) {
            self.change(&mut input);
        }
        input
    }

    fn pick(&mut self) -> Vec<u8> {
        let index = self.draws.below(self.known.len());
        self.known.get(index).cloned().unwrap_or_default()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.draws.below(input.len());
        let end = at + self.draws.below(input.len().saturating_sub(at).min(32));
        match self.draws.below(7) {
            0 => self.replace(input, at, |old, draws| old ^ (1 << draws.below(8))),
            1 => self.replace(input, at, |_, draws| draws.byte()),
            2 => self.replace(input, at, |_, draws| {
                INTERESTING
                    .get(draws.below(INTERESTING.len()))
                    .copied()
                    .unwrap_or_default()
            }),
            3 => input.truncate(at),
            4 => drop(input.drain(at..end)),
            5 => {
                let copy: Vec<_> = input.drain(at..end).collect();
                let twice = copy.iter().chain(&copy).copied();
                drop(input.splice(at..at, twice));
            }
            _ => {
                let other = self.pick();
                let from = self.draws.below(other.len());
                let piece = other.into_iter().skip(from).take(self.draws.below(32));
                drop(input.splice(at..at, piece));
            }
        }
    }

    fn replace(&mut self, input: &mut [u8], at: usize, new: impl FnOnce(u8, &mut Draws) -> u8) {
        if let Some(byte) = input.get_mut(at) {
            *byte = new(*byte, &mut self.draws);
        }
    }
}
