use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde::ser::{self, Serialize};

use super::super::PayloadError;
use super::compound::{Elements, Entries, Variant};
use super::reader::Reader;
use super::writer::Writer;

/// How ciborium's `Value` and its tag types tell a serializer that they mean a tag.
const TAG_TYPE: &str = "@@TAG@@";
const TAG_ABSENT: &str = "@@UNTAGGED@@";
const TAG_PRESENT: &str = "@@TAGGED@@";

/// Writes any serializable value as canonical CBOR.
///
/// Structs are maps with text keys; an enum variant is its name, or a map from its name to its
/// content; `None` and unit are null; newtypes are what they hold. Sets are lists to serde: see
/// [`sorted_set`](super::sorted_set). What comes out is read back by
/// [`from_slice`](super::from_slice). Costs one pass, and a sort for a map whose entries come in
/// another order than that of their encoded keys.
///
/// # Errors
/// [`PayloadError::TooDeep`] beyond 32 levels, [`PayloadError::KeyTwice`] where a map holds a key
/// twice, [`PayloadError::Unwritable`] where the value itself refuses.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, PayloadError> {
    let mut serializer = CanonicalSerializer::new(0);
    value.serialize(&mut serializer)?;
    Ok(serializer.writer.into_bytes())
}

/// Bytes that most values take, so that they are written without moving what is written already.
const USUAL: usize = 64;

/// Appends canonical items to a [`Writer`] and counts how deep it is.
pub(super) struct CanonicalSerializer {
    pub(super) writer: Writer,
    depth: usize,
}

impl CanonicalSerializer {
    pub(super) fn new(depth: usize) -> Self {
        Self {
            writer: Writer::with_capacity(USUAL),
            depth,
        }
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn descend(&mut self) -> Result<(), PayloadError> {
        self.depth = Reader::deeper(self.depth)?;
        Ok(())
    }

    pub(super) fn ascend(&mut self, levels: usize) {
        self.depth = self.depth.saturating_sub(levels);
    }

    /// The map of one entry that a variant with content is, up to its content.
    fn open_variant(&mut self, variant: &str) -> Result<(), PayloadError> {
        self.descend()?;
        self.writer.map(1).text(variant);
        Ok(())
    }
}

impl<'a> ser::Serializer for &'a mut CanonicalSerializer {
    type Ok = ();
    type Error = PayloadError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Variant<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Entries<'a>;
    type SerializeStructVariant = Entries<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), PayloadError> {
        self.writer.bool(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), PayloadError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), PayloadError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), PayloadError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), PayloadError> {
        self.writer.int(value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), PayloadError> {
        let big = if value < 0 {
            (!value).cast_unsigned()
        } else {
            value.cast_unsigned()
        };
        let plain = u64::try_from(big).is_ok();
        // A big integer is a tag and bytes, so it is a level.
        if !plain {
            self.descend()?;
        }
        if value < 0 {
            self.writer.big_negative(big);
        } else {
            self.writer.big_uint(big);
        }
        self.ascend(usize::from(!plain));
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), PayloadError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), PayloadError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), PayloadError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), PayloadError> {
        self.writer.uint(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), PayloadError> {
        if let Ok(value) = u64::try_from(value) {
            return self.serialize_u64(value);
        }
        self.descend()?;
        self.writer.big_uint(value);
        self.ascend(1);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), PayloadError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), PayloadError> {
        self.writer.float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), PayloadError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), PayloadError> {
        self.writer.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), PayloadError> {
        self.writer.bytes(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), PayloadError> {
        self.writer.null();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), PayloadError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), PayloadError> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), PayloadError> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), PayloadError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), PayloadError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), PayloadError> {
        if (name, variant) == (TAG_TYPE, TAG_ABSENT) {
            return value.serialize(self);
        }
        self.open_variant(variant)?;
        value.serialize(&mut *self)?;
        self.ascend(1);
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>, PayloadError> {
        Elements::open(self, len, 1)
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements<'a>, PayloadError> {
        Elements::open(self, Some(len), 1)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Elements<'a>, PayloadError> {
        Elements::open(self, Some(len), 1)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Variant<'a>, PayloadError> {
        if (name, variant) == (TAG_TYPE, TAG_PRESENT) {
            return Ok(Variant::tagged(self));
        }
        self.open_variant(variant)?;
        Elements::open(self, Some(len), 2).map(Variant::Named)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'a>, PayloadError> {
        Entries::open(self, len, 1)
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Entries<'a>, PayloadError> {
        Entries::open(self, Some(len), 1)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries<'a>, PayloadError> {
        self.open_variant(variant)?;
        Entries::open(self, Some(len), 2)
    }
}

impl ser::Error for PayloadError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Unwritable {
            reason: reason.to_string(),
        }
    }
}
