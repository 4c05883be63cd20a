use core::ops::{Deref, DerefMut};

use bytes::Bytes;

use crate::event::input::Input;
use crate::event::{Chain, ChainMark, CodecError, Seq};
use crate::log::Epoch;

/// Takes the pieces of a message from the front of some bytes, of which it may share what is long.
pub(super) struct Reader<'a> {
    whole: &'a Bytes,
    input: Input<'a>,
}

impl<'a> Deref for Reader<'a> {
    type Target = Input<'a>;

    fn deref(&self) -> &Input<'a> {
        &self.input
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.input
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a Bytes) -> Self {
        Self::of_part(body, body)
    }

    /// Reads a part of some bytes, of which pieces may go on living with the whole.
    pub(super) const fn of_part(whole: &'a Bytes, part: &'a [u8]) -> Self {
        Self {
            whole,
            input: Input::new(part),
        }
    }

    /// Ends the reading: no byte may be left.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        self.input.finish()
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

    /// Bytes that go on living with the frame; they are not copied.
    pub(super) fn shared(&mut self, what: &'static str, max: usize) -> Result<Bytes, CodecError> {
        let taken = self.bytes(what, max)?;
        Ok(self.whole.slice_ref(taken))
    }

    /// Everything up to the end, and the bytes that it is a part of.
    pub(super) const fn remaining(&mut self) -> (&'a Bytes, Input<'a>) {
        (
            self.whole,
            core::mem::replace(&mut self.input, Input::new(&[])),
        )
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
