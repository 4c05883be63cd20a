//! Where the canonical bytes of one event are put together before they are hashed.
//!
//! The invariant kept here: the bytes are those that a list would hold, whatever came. Most events
//! fit a place of fixed size, into which a short name or payload is copied with all of the room that
//! it lies in, since that is a few moves of known length; what does not fit is told, and the caller
//! writes it to a list instead.

use alloc::vec::Vec;

use super::output::{put_number, word_of_number};
use crate::limits::DIGEST_SCRATCH_BYTES;

/// What takes the pieces of an encoding, one after the other.
pub(super) trait Output {
    /// Appends all of these bytes.
    fn put<const N: usize>(&mut self, bytes: [u8; N]);

    /// Appends the first `len` of these bytes; the others may be written over.
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize);

    /// Appends all of these bytes.
    fn put_all(&mut self, bytes: &[u8]);

    /// Appends a number as LEB128 in its shortest form.
    fn put_number(&mut self, number: u64);

    /// Appends a length in the same form.
    #[inline]
    fn put_len(&mut self, len: usize) {
        self.put_number(u64::try_from(len).unwrap_or(u64::MAX));
    }

    /// Appends a length and so many bytes.
    #[inline]
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_len(bytes.len());
        self.put_all(bytes);
    }
}

impl Output for Vec<u8> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.extend_from_slice(&bytes);
    }

    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        self.extend_from_slice(bytes.get(..len).unwrap_or_default());
    }

    fn put_all(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_number(&mut self, number: u64) {
        put_number(number, self);
    }
}

/// Bytes behind the place, for what does not fit any more; no piece of known size has more.
const BEHIND: usize = 64;

type Place = [u8; DIGEST_SCRATCH_BYTES + BEHIND];

/// A place of fixed size. What is written where it ends goes behind it, so that no piece needs to be
/// asked whether it fits; how far writing came tells it at last.
pub(super) struct Scratch(Place);

/// Writes to such a place.
pub(super) struct Pen<'a> {
    bytes: &'a mut Place,
    at: usize,
}

impl Scratch {
    pub(super) const fn new() -> Self {
        Self([0; DIGEST_SCRATCH_BYTES + BEHIND])
    }

    /// Writes behind the first bytes, which stay what they are.
    pub(super) const fn pen_behind(&mut self, kept: usize) -> Pen<'_> {
        Pen {
            bytes: &mut self.0,
            at: kept,
        }
    }
}

impl<'a> Pen<'a> {
    /// How many bytes were written, if all fit.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.at
    }

    /// What was written, unless something did not fit.
    #[inline]
    pub(super) fn written(self) -> Option<&'a [u8]> {
        let place = self.bytes.first_chunk::<DIGEST_SCRATCH_BYTES>();
        place.and_then(|place| place.get(..self.at))
    }
}

impl Output for Pen<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.put_first(&bytes, N);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        self.at = write(self.bytes, self.at, bytes, len);
    }

    #[inline]
    fn put_all(&mut self, bytes: &[u8]) {
        let rest = self.bytes.get_mut(self.at..);
        if let Some(to) = rest.and_then(|rest| rest.get_mut(..bytes.len())) {
            to.copy_from_slice(bytes);
        }
        self.at = self.at.wrapping_add(bytes.len());
    }

    #[inline]
    fn put_number(&mut self, number: u64) {
        if number < 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.put([low]);
        } else if number < 1 << 14 {
            let apart = (number & 0x7f) | 0x80 | (number & 0x3f80) << 1;
            let [low, high, ..] = apart.to_le_bytes();
            self.put([low, high]);
        } else {
            self.at = write_long_number(self.bytes, self.at, number);
        }
    }
}

/// Writes the first `len` of these bytes; where the next ones go.
#[inline]
fn write<const N: usize>(to: &mut Place, at: usize, bytes: &[u8; N], len: usize) -> usize {
    let rest = to.get_mut(at.min(DIGEST_SCRATCH_BYTES)..);
    if let Some(to) = rest.and_then(<[u8]>::first_chunk_mut) {
        *to = *bytes;
    }
    // The sum of lengths of what is in memory.
    at.wrapping_add(len)
}

/// Apart, and without the pen, which then stays in registers.
#[inline(never)]
fn write_long_number(to: &mut Place, at: usize, mut number: u64) -> usize {
    if let Some((word, len)) = word_of_number(number) {
        return write(to, at, &word, len);
    }
    let mut at = at;
    while number >= 0x80 {
        at = write(to, at, &[number.to_le_bytes()[0] | 0x80], 1);
        number >>= 7;
    }
    write(to, at, &[number.to_le_bytes()[0]], 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Piece {
        Array([u8; 16]),
        First([u8; 38], usize),
        All(Vec<u8>),
        Number(u64),
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            any::<[u8; 16]>().prop_map(Piece::Array),
            (any::<u8>(), 0..=38usize).prop_map(|(byte, len)| Piece::First([byte; 38], len)),
            prop::collection::vec(any::<u8>(), 0..120).prop_map(Piece::All),
            (any::<u64>(), 0..64u32).prop_map(|(number, shift)| Piece::Number(number >> shift)),
        ]
    }

    fn put(piece: &Piece, out: &mut impl Output) {
        match piece {
            Piece::Array(bytes) => out.put(*bytes),
            Piece::First(bytes, len) => out.put_first(bytes, *len),
            Piece::All(bytes) => out.put_all(bytes),
            Piece::Number(number) => out.put_number(*number),
        }
    }

    proptest! {
        #[test]
        fn a_place_of_fixed_size_holds_what_a_list_holds_or_tells_that_it_does_not_fit(
            pieces in prop::collection::vec(piece(), 0..24),
        ) {
            let (mut list, mut scratch) = (Vec::new(), Scratch::new());
            for _ in 0..2 {
                list.clear();
                let mut pen = scratch.pen_behind(0);
                for piece in &pieces {
                    put(piece, &mut list);
                    put(piece, &mut pen);
                }
                let written = pen.written();
                match written {
                    Some(written) => prop_assert_eq!(written, &list[..]),
                    None => prop_assert!(list.len() > DIGEST_SCRATCH_BYTES),
                }
                prop_assert!(list.len() <= DIGEST_SCRATCH_BYTES || written.is_none());
            }
        }
    }
}
