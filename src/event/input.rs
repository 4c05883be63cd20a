//! The one reader of the numbers, names and pieces that all encodings of this crate are made of.
//!
//! The invariant kept here: a number has one form, its shortest, and nothing is taken that is not
//! there. It allocates nothing and knows nothing of what the pieces mean.

use super::{CodecError, EventId, ReplicaId, Seq};

/// Takes numbers and pieces from the front of some bytes. Allocates nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// How many bytes are left.
    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that are left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(truncated(what)),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], CodecError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(truncated(what)),
        }
    }

    /// A number as LEB128 in its shortest form. Most take one byte.
    #[inline]
    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(what),
        }
    }

    /// One of up to eight bytes is read from one word, where there is one: its groups of seven bits
    /// moved together. Most take two.
    fn long_number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        if let [low, high, rest @ ..] = self.rest
            && (1..0x80).contains(high)
        {
            self.rest = rest;
            return Ok(u64::from(*high) << 7 | u64::from(low & 0x7f));
        }
        let Some(word) = self
            .rest
            .first_chunk()
            .map(|word| u64::from_le_bytes(*word))
        else {
            return self.number_by_bytes(what);
        };
        let ends = !word & 0x8080_8080_8080_8080;
        if ends == 0 {
            return self.number_by_bytes(what);
        }
        // All bits up to the first byte that says it is the last.
        let bits = word & (ends ^ (ends - 1));
        let before = ends.trailing_zeros() / 8;
        let groups = bits & 0x7f7f_7f7f_7f7f_7f7f;
        let pairs = (groups & 0x007f_007f_007f_007f) | ((groups & 0x7f00_7f00_7f00_7f00) >> 1);
        let quads = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
        let number = (quads & 0x0fff_ffff) | ((quads & 0x0fff_ffff_0000_0000) >> 4);
        if groups >> (before * 8) == 0 && before > 0 {
            return Err(out_of_range(what));
        }
        self.take(usize::try_from(before).unwrap_or_default() + 1, what)?;
        Ok(number)
    }

    #[inline(never)]
    fn number_by_bytes(&mut self, what: &'static str) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array(what)?;
            if (byte == 0 && shift > 0) || (shift == 63 && byte > 1) {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(out_of_range(what))
    }

    /// A number that fits a smaller type.
    #[inline]
    pub(crate) fn small<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, CodecError> {
        T::try_from(self.number(what)?).map_err(|_| out_of_range(what))
    }

    /// A number that is at most `max`.
    #[inline]
    pub(crate) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, CodecError> {
        match usize::try_from(self.number(what)?) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(out_of_range(what)),
        }
    }

    /// A length of at most `max`, and so many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
        let len = self.count(what, max)?;
        self.take(len, what)
    }

    pub(crate) fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, CodecError> {
        core::str::from_utf8(self.bytes(what, max)?).map_err(|_| CodecError::NotUtf8 { what })
    }

    pub(crate) fn replica(&mut self) -> Result<ReplicaId, CodecError> {
        self.array("replica id").map(ReplicaId::from_bytes)
    }

    pub(crate) fn seq(&mut self) -> Result<Seq, CodecError> {
        Seq::new(self.number("seq")?).ok_or_else(|| out_of_range("seq"))
    }

    pub(crate) fn id(&mut self) -> Result<EventId, CodecError> {
        Ok(EventId::new(self.replica()?, self.seq()?))
    }

    /// The next so many numbers, to be read later. They are counted by their last bytes, eight bytes
    /// at a time as long as there are more of them than in those.
    pub(crate) fn numbers(&mut self, count: usize, what: &'static str) -> Result<Self, CodecError> {
        let mut left = count;
        let mut ahead = self.rest;
        while let Some((word, rest)) = ahead.split_first_chunk::<8>() {
            let ends = (!u64::from_le_bytes(*word) >> 7) & 0x0101_0101_0101_0101;
            let ends = usize::from(ends.wrapping_mul(0x0101_0101_0101_0101).to_be_bytes()[0]);
            if ends >= left {
                break;
            }
            left -= ends;
            ahead = rest;
        }
        while left > 0 {
            let Some((byte, rest)) = ahead.split_first() else {
                return Err(truncated(what));
            };
            left -= usize::from(*byte < 0x80);
            ahead = rest;
        }
        self.take(self.rest.len() - ahead.len(), what)
            .map(Self::new)
    }

    /// No byte may be left.
    pub(crate) fn finish(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(CodecError::Trailing { bytes }),
        }
    }
}

/// Apart, so that what is read where all is well stays in registers.
#[cold]
fn truncated(what: &'static str) -> CodecError {
    CodecError::Truncated { what }
}

#[cold]
fn out_of_range(what: &'static str) -> CodecError {
    CodecError::OutOfRange { what }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// What the bytes say by the book: groups of seven bits, least first, at most 64 bits, and no form
    /// but the shortest.
    fn by_the_book(bytes: &[u8]) -> Option<(u64, usize)> {
        let len = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let mut groups = bytes.iter().take(len).rev();
        let number = groups.try_fold(0u128, |number, byte| {
            number.checked_mul(128)?.checked_add((byte & 0x7f).into())
        })?;
        let is_shortest = len == 1 || bytes.get(len - 1) != Some(&0);
        let number = u64::try_from(number).ok().filter(|_| is_shortest)?;
        Some((number, len))
    }

    /// So that most numbers take several bytes.
    fn mostly_high(byte: u8) -> u8 {
        if byte < 0x60 { byte } else { byte | 0x80 }
    }

    proptest! {
        #[test]
        fn a_number_is_what_the_book_says(bytes in prop::collection::vec(any::<u8>(), 0..14)) {
            let bytes: Vec<u8> = bytes.into_iter().map(mostly_high).collect();
            let mut input = Input::new(&bytes);
            let read = input.number("number").ok();
            let expected = by_the_book(&bytes);
            prop_assert_eq!(read, expected.map(|(number, _)| number));
            if let Some((_, len)) = expected {
                prop_assert_eq!(input.rest(), &bytes[len..]);
                prop_assert_eq!(Input::new(&bytes).numbers(1, "numbers").unwrap().len(), len);
            }
        }
    }

    #[test]
    fn nothing_is_taken_that_is_not_there() {
        let mut input = Input::new(&[3, 1, 2]);
        assert_eq!(
            input.bytes("piece", 9),
            Err(CodecError::Truncated { what: "piece" })
        );
        let mut input = Input::new(&[3, 1, 2, 4, 5]);
        assert_eq!(
            input.bytes("piece", 2),
            Err(CodecError::OutOfRange { what: "piece" })
        );
        let mut input = Input::new(&[3, 1, 2, 4, 5]);
        assert_eq!(input.bytes("piece", 3).unwrap(), [1, 2, 4]);
        assert_eq!(input.finish(), Err(CodecError::Trailing { bytes: 1 }));
        assert_eq!(
            Input::new(&[7; 3]).id(),
            Err(CodecError::Truncated { what: "replica id" })
        );
    }
}
