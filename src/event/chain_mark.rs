use core::fmt;

use super::Chain;

/// Four bytes of a chain value: enough to tell by accident or by a restored store that two chains are
/// not the same, checked again with every batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainMark([u8; 4]);

impl ChainMark {
    /// The mark with these bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes: the last ones of the chain value.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }
}

impl Chain {
    /// The short form that batches carry.
    pub const fn mark(self) -> ChainMark {
        let [.., a, b, c, d] = self.to_bytes();
        ChainMark([a, b, c, d])
    }
}

impl fmt::Debug for ChainMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}
