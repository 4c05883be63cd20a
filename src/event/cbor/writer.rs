use alloc::vec::Vec;

use super::float::{self, Shortest};
use super::item_head::{
    ARRAY, BIG_NEGATIVE, BIG_POSITIVE, BYTES, FALSE, MAP, NEGATIVE, NULL, OTHER, TAG, TEXT, TRUE,
    UINT,
};

/// Writes CBOR items one after the other, each in its shortest form.
///
/// It does not look at what surrounds an item. To be canonical, a caller writes as many items after
/// [`array`](Self::array) and pairs after [`map`](Self::map) as were announced, the keys of a map
/// in the order of their encodings, each once; [`to_vec`](super::to_vec) sees to that by itself.
///
/// ```
/// use anabranch::event::cbor::{Writer, is_canonical};
///
/// let mut writer = Writer::new();
/// writer.map(2);
/// writer.text("id").uint(7);
/// writer.text("name").text("Ada");
/// assert!(is_canonical(writer.as_bytes()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Nothing written yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// The same, with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let bytes = Vec::with_capacity(bytes);
        Self { bytes }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.head(NEGATIVE, (!value).cast_unsigned())
        } else {
            self.head(UINT, value.cast_unsigned())
        }
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.length(TEXT, value.len()).raw(value.as_bytes())
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.length(BYTES, value.len()).raw(value)
    }

    /// Announces an array of so many items, which follow.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.length(ARRAY, len)
    }

    /// Announces a map of so many pairs, which follow: key, value, key, value.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.length(MAP, len)
    }

    /// Marks the next item with a tag.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(TAG, tag)
    }

    /// Null.
    pub fn null(&mut self) -> &mut Self {
        self.head(OTHER, NULL)
    }

    /// True or false.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.head(OTHER, if value { TRUE } else { FALSE })
    }

    /// A float, in the shortest of the three forms that keeps it; every NaN is written alike.
    pub fn float(&mut self, value: f64) -> &mut Self {
        match float::shortest(value) {
            Shortest::Half(bits) => self.first(OTHER, 25).raw(&bits.to_be_bytes()),
            Shortest::Single(bits) => self.first(OTHER, 26).raw(&bits.to_be_bytes()),
            Shortest::Double(bits) => self.first(OTHER, 27).raw(&bits.to_be_bytes()),
        }
    }

    /// Items that are encoded already, as they are.
    pub fn raw(&mut self, items: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(items);
        self
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been written, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A non-negative integer of any of 128 bits.
    pub(super) fn big_uint(&mut self, value: u128) -> &mut Self {
        self.big(BIG_POSITIVE, &value.to_be_bytes())
    }

    /// The integer `-1 - complement`.
    pub(super) fn big_negative(&mut self, complement: u128) -> &mut Self {
        self.big(BIG_NEGATIVE, &complement.to_be_bytes())
    }

    /// A big integer of tag 2 or 3 from its big-endian digits: as a plain integer where it fits,
    /// without leading zeros where not (RFC 8949 section 3.4.3).
    pub(super) fn big(&mut self, tag: u64, digits: &[u8]) -> &mut Self {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = digits.get(zeros..).unwrap_or_default();
        if digits.len() > 8 {
            return self.tag(tag).bytes(digits);
        }
        let value = digits
            .iter()
            .fold(0, |value, digit| (value << 8) | u64::from(*digit));
        self.head(if tag == BIG_POSITIVE { UINT } else { NEGATIVE }, value)
    }

    /// Takes back everything from a position on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Takes out everything from a position on; nothing where the position lies past the end.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<u8> {
        self.bytes.split_off(at.min(self.bytes.len()))
    }

    fn length(&mut self, major: u8, len: usize) -> &mut Self {
        self.head(major, u64::try_from(len).unwrap_or(u64::MAX))
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let [argument_byte, ..] = argument.to_le_bytes();
        if argument < 24 {
            self.first(major, argument_byte)
        } else if let Ok(argument) = u8::try_from(argument) {
            self.first(major, 24).raw(&[argument])
        } else if let Ok(argument) = u16::try_from(argument) {
            self.first(major, 25).raw(&argument.to_be_bytes())
        } else if let Ok(argument) = u32::try_from(argument) {
            self.first(major, 26).raw(&argument.to_be_bytes())
        } else {
            self.first(major, 27).raw(&argument.to_be_bytes())
        }
    }

    fn first(&mut self, major: u8, info: u8) -> &mut Self {
        self.bytes.push((major << 5) | info);
        self
    }
}
