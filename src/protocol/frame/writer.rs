use alloc::vec::Vec;

use crate::event::{Chain, EventId, ReplicaId, Seq};
use crate::log::Epoch;

/// Appends the pieces that messages are made of. Numbers are LEB128 in their shortest form.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Nothing yet, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// For what has an encoding of its own; the caller has written its length.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.byte(number.to_le_bytes()[0]);
    }

    pub(super) fn len_of(&mut self, len: usize) {
        self.number(u64::try_from(len).unwrap_or(u64::MAX));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.len_of(bytes.len());
        self.raw(bytes);
    }

    pub(super) fn replica(&mut self, replica: ReplicaId) {
        self.raw(&replica.to_bytes());
    }

    pub(super) fn id(&mut self, id: EventId) {
        self.replica(id.replica);
        self.number(id.seq.get());
    }

    pub(super) fn epoch(&mut self, epoch: Epoch) {
        self.raw(&epoch.to_bits().to_le_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub(super) fn chain(&mut self, chain: Option<Chain>) {
        self.option(chain, |out, chain| out.raw(&chain.to_bytes()));
    }

    pub(super) fn own(&mut self, (seq, chain): (Seq, Chain)) {
        self.number(seq.get());
        self.raw(&chain.to_bytes());
    }
}
