use crate::event::CodecError;

/// Takes numbers and pieces from the front of some bytes. Allocates nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CodecError::Truncated { what })?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(CodecError::Truncated { what })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number in its shortest form. Most take one byte.
    #[inline]
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(what),
        }
    }

    fn long_number(&mut self, what: &'static str) -> Result<u64, CodecError> {
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
        Err(CodecError::OutOfRange { what })
    }

    /// A number that is at most `max`.
    #[inline]
    pub(super) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, CodecError> {
        usize::try_from(self.number(what)?)
            .ok()
            .filter(|count| *count <= max)
            .ok_or(CodecError::OutOfRange { what })
    }

    pub(super) fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, CodecError> {
        let len = self.count(what, max)?;
        core::str::from_utf8(self.take(len, what)?).map_err(|_| CodecError::NotUtf8 { what })
    }

    /// The next so many numbers, to be read later. They are counted by their last bytes.
    pub(super) fn numbers(&mut self, count: usize, what: &'static str) -> Result<Self, CodecError> {
        let mut left = count;
        let mut len = 0;
        for byte in self.rest {
            if left == 0 {
                break;
            }
            len += 1;
            left -= usize::from(*byte < 0x80);
        }
        if left > 0 {
            return Err(CodecError::Truncated { what });
        }
        self.take(len, what).map(Self::new)
    }

    /// No byte may be left.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(CodecError::Trailing { bytes }),
        }
    }
}
