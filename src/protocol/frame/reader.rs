use bytes::Bytes;

use crate::event::{Chain, ChainMark, CodecError, EventId, ReplicaId, Seq};
use crate::log::Epoch;

/// Takes the pieces of a message from the front of some bytes. Allocates nothing.
pub(super) struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a Bytes) -> Self {
        Self {
            whole: body,
            rest: body,
        }
    }

    /// Ends the reading: no byte may be left.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(CodecError::Trailing { bytes }),
        }
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CodecError::Truncated { what })?;
        self.rest = rest;
        Ok(taken)
    }

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

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, CodecError> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::OutOfRange { what }),
        }
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
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

    pub(super) fn small<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, CodecError> {
        T::try_from(self.number(what)?).map_err(|_| CodecError::OutOfRange { what })
    }

    pub(super) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, CodecError> {
        let count: usize = self.small(what)?;
        if count > max {
            Err(CodecError::OutOfRange { what })
        } else {
            Ok(count)
        }
    }

    /// Bytes that go on living with the frame; they are not copied.
    pub(super) fn shared(&mut self, what: &'static str, max: usize) -> Result<Bytes, CodecError> {
        let taken = self.bytes(what, max)?;
        Ok(self.whole.slice_ref(taken))
    }

    pub(super) fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
        let len = self.count(what, max)?;
        self.take(len, what)
    }

    /// Everything up to the end, shared.
    pub(super) fn remaining(&mut self) -> Bytes {
        self.whole.slice_ref(core::mem::take(&mut self.rest))
    }

    pub(super) fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, CodecError> {
        core::str::from_utf8(self.bytes(what, max)?).map_err(|_| CodecError::NotUtf8 { what })
    }

    pub(super) fn replica(&mut self) -> Result<ReplicaId, CodecError> {
        Ok(ReplicaId::from_bytes(self.array("replica id")?))
    }

    pub(super) fn seq(&mut self) -> Result<Seq, CodecError> {
        Seq::new(self.number("seq")?).ok_or(CodecError::OutOfRange { what: "seq" })
    }

    pub(super) fn id(&mut self) -> Result<EventId, CodecError> {
        Ok(EventId::new(self.replica()?, self.seq()?))
    }

    /// What is there if a flag before it says so.
    pub(super) fn given<T>(
        &mut self,
        is_there: bool,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        if is_there {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        let is_there = self.flag(what)?;
        self.given(is_there, read)
    }

    pub(super) fn chain_value(&mut self) -> Result<Chain, CodecError> {
        Ok(Chain::from_bytes(self.array("chain value")?))
    }

    pub(super) fn chain(&mut self) -> Result<Option<Chain>, CodecError> {
        self.option("chain flag", Self::chain_value)
    }

    pub(super) fn own(&mut self) -> Result<(Seq, Chain), CodecError> {
        Ok((self.seq()?, self.chain_value()?))
    }

    pub(super) fn mark(&mut self) -> Result<ChainMark, CodecError> {
        Ok(ChainMark::from_bytes(self.array("mark of a chain")?))
    }

    pub(super) fn epoch(&mut self) -> Result<Epoch, CodecError> {
        Ok(Epoch::from_bits(u64::from_le_bytes(self.array("epoch")?)))
    }
}
