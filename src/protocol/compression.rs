use alloc::vec::Vec;
use core::fmt;

use super::Codecs;

/// A way to make frames smaller, handed in from outside: the protocol itself compresses nothing.
///
/// What it makes is for anybody who undoes the same codec. It may be asked by several threads.
pub trait Compression: Send + Sync {
    /// The one codec that it is.
    fn codec(&self) -> Codecs;

    /// Compresses pieces, one after the other, as one. Each is of another kind, so it may pay to begin
    /// anew with each. Nothing when it cannot be done.
    fn compress(&self, pieces: &[&[u8]]) -> Option<Vec<u8>>;

    /// Undoes it. Nothing if that does not give exactly `len` bytes; no more than these are ever
    /// allocated, whatever the input says.
    fn decompress(&self, bytes: &[u8], len: usize) -> Option<Vec<u8>>;
}

impl fmt::Debug for dyn Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec().fmt(f)
    }
}
