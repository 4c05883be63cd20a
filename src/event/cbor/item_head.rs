use super::float::{self, Shortest};

pub(super) const UINT: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
pub(super) const OTHER: u8 = 7;

pub(super) const FALSE: u64 = 20;
pub(super) const TRUE: u64 = 21;
pub(super) const NULL: u64 = 22;

pub(super) const BIG_POSITIVE: u64 = 2;
pub(super) const BIG_NEGATIVE: u64 = 3;

/// The head of a data item (RFC 8949 section 3): what it is, and a number that says how long or
/// which.
#[derive(Clone, Copy)]
pub(super) struct ItemHead {
    /// Major type, 0 to 7.
    pub(super) major: u8,
    /// The low five bits of the first byte: how the number was written.
    pub(super) info: u8,
    /// The number; of no meaning where the head is [`indefinite`](Self::is_indefinite).
    pub(super) argument: u64,
}

impl ItemHead {
    /// Whether the length is left open, or (major type 7) the break that ends such an item.
    pub(super) fn is_indefinite(self) -> bool {
        self.info == 31
    }

    /// Whether this is a float rather than a simple value.
    pub(super) fn is_float(self) -> bool {
        self.major == OTHER && matches!(self.info, 25..=27)
    }

    /// The float, if it is one.
    pub(super) fn float(self) -> Option<f64> {
        if self.major != OTHER {
            return None;
        }
        match self.info {
            25 => u16::try_from(self.argument).ok().map(float::widen_half),
            26 => u32::try_from(self.argument)
                .ok()
                .map(|bits| f32::from_bits(bits).into()),
            27 => Some(f64::from_bits(self.argument)),
            _ => None,
        }
    }

    /// Whether the core deterministic encoding would have written the same head.
    pub(super) fn is_shortest(self) -> bool {
        if let Some(value) = self.float() {
            let (info, bits) = match float::shortest(value) {
                Shortest::Half(bits) => (25, bits.into()),
                Shortest::Single(bits) => (26, bits.into()),
                Shortest::Double(bits) => (27, bits),
            };
            return (self.info, self.argument) == (info, bits);
        }
        match self.info {
            0..=23 => true,
            24 => self.argument > 23,
            25 => self.argument > u8::MAX.into(),
            26 => self.argument > u16::MAX.into(),
            27 => self.argument > u32::MAX.into(),
            _ => false,
        }
    }
}
