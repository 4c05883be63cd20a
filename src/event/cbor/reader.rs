use alloc::format;
use core::fmt;

use super::super::PayloadError;
use super::item_head::{
    ARRAY, BYTES, FALSE, ItemHead, MAP, NEGATIVE, NULL, OTHER, TAG, TEXT, TRUE, UINT,
};
use crate::limits::CBOR_DEPTH_MAX;

/// What the next item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An integer from 0 on.
    Uint,
    /// An integer below 0.
    Negative,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array; its items follow.
    Array,
    /// A map; its keys and values follow in turn.
    Map,
    /// A tag; the item it marks follows.
    Tag,
    /// True or false.
    Bool,
    /// Null.
    Null,
    /// A float of any width.
    Float,
    /// Any other simple value, `undefined` among them.
    Simple,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uint => "an unsigned integer",
            Self::Negative => "a negative integer",
            Self::Bytes => "bytes",
            Self::Text => "text",
            Self::Array => "an array",
            Self::Map => "a map",
            Self::Tag => "a tag",
            Self::Bool => "a boolean",
            Self::Null => "null",
            Self::Float => "a float",
            Self::Simple => "a simple value",
        })
    }
}

/// Reads CBOR items one after the other, borrowing texts and bytes from the input.
///
/// For readers on hot paths, which cannot afford serde. It takes any well-formed encoding of
/// definite length, shortest or not; only [`raw_item`](Self::raw_item) and [`skip`](Self::skip)
/// also pass over items of indefinite length. Where a method fails, the reader stays where it was.
///
/// A caller that follows nested items itself must bound how deep it goes; once
/// [`check`](super::check) has accepted the bytes, they bound it.
///
/// ```
/// use anabranch::event::cbor::{Reader, to_vec};
///
/// let bytes = to_vec(&("Ada", 36)).unwrap();
/// let mut reader = Reader::new(&bytes);
/// assert_eq!(reader.array().unwrap(), 2);
/// assert_eq!(reader.text().unwrap(), "Ada");
/// assert_eq!(reader.uint().unwrap(), 36);
/// assert!(reader.is_at_end());
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes read so far.
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
        }
    }

    /// Whether every byte has been read.
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes have been read.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What the next item is. Reads only its head, so the item itself may still turn out cut off.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] at the end, and where no item can start.
    pub fn peek(&self) -> Result<Kind, PayloadError> {
        let head = self.clone().head()?;
        self.kind(head)
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands.
    pub fn uint(&mut self) -> Result<u64, PayloadError> {
        self.expect(Kind::Uint, |head| {
            (head.major == UINT).then_some(head.argument)
        })
    }

    /// An integer that fits 64 bits with a sign.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, and for greater or lesser ones.
    pub fn int(&mut self) -> Result<i64, PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let value = match head.major {
            UINT => i64::try_from(head.argument),
            NEGATIVE => i64::try_from(head.argument).map(|complement| !complement),
            _ => return Err(self.mismatch("an integer", head)),
        };
        let value = value.map_err(|_| self.unreadable("an integer beyond 64 bits with a sign"))?;
        *self = ahead;
        Ok(value)
    }

    /// A text string.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, where the text is cut off or not
    /// UTF-8, and for text of indefinite length.
    pub fn text(&mut self) -> Result<&'a str, PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let text = self
            .definite(TEXT, "text", head)
            .and_then(|_| ahead.take_text(head))?;
        *self = ahead;
        Ok(text)
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, where the bytes are cut off, and
    /// for bytes of indefinite length.
    pub fn bytes(&mut self) -> Result<&'a [u8], PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let bytes = self
            .definite(BYTES, "bytes", head)
            .and_then(|_| ahead.take_bytes(head))?;
        *self = ahead;
        Ok(bytes)
    }

    /// The head of an array: how many items follow. Never more than there are bytes left.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, where fewer bytes follow than
    /// items are announced, and for arrays of indefinite length.
    pub fn array(&mut self) -> Result<usize, PayloadError> {
        self.container(ARRAY, "an array", 1)
    }

    /// The head of a map: how many pairs of key and value follow. Never more than half the bytes
    /// left.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, where fewer bytes follow than
    /// keys and values are announced, and for maps of indefinite length.
    pub fn map(&mut self) -> Result<usize, PayloadError> {
        self.container(MAP, "a map", 2)
    }

    /// A tag; the item it marks is next.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands.
    pub fn tag(&mut self) -> Result<u64, PayloadError> {
        self.expect(Kind::Tag, |head| {
            (head.major == TAG).then_some(head.argument)
        })
    }

    /// Null.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands.
    pub fn null(&mut self) -> Result<(), PayloadError> {
        self.expect(Kind::Null, |head| {
            (simple(head) == Some(NULL)).then_some(())
        })
    }

    /// True or false.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands.
    pub fn bool(&mut self) -> Result<bool, PayloadError> {
        self.expect(Kind::Bool, |head| match simple(head) {
            Some(FALSE) => Some(false),
            Some(TRUE) => Some(true),
            _ => None,
        })
    }

    /// A float of any width.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where something else stands, an integer included.
    pub fn float(&mut self) -> Result<f64, PayloadError> {
        self.expect(Kind::Float, ItemHead::float)
    }

    /// The bytes of the whole next item, all that is nested in it included. Costs one pass over
    /// them; all texts in them are UTF-8.
    ///
    /// # Errors
    /// [`PayloadError::TooDeep`] where it is nested deeper than 32 levels,
    /// [`PayloadError::Unreadable`] where it is not well formed or cut off.
    pub fn raw_item(&mut self) -> Result<&'a [u8], PayloadError> {
        let mut ahead = self.clone();
        ahead.skip_item(0)?;
        self.take(ahead.offset.saturating_sub(self.offset))
            .ok_or_else(|| self.cut_off())
    }

    /// Passes over the whole next item.
    ///
    /// # Errors
    /// As [`raw_item`](Self::raw_item).
    pub fn skip(&mut self) -> Result<(), PayloadError> {
        self.raw_item().map(|_| ())
    }

    /// Says that nothing may follow.
    ///
    /// # Errors
    /// [`PayloadError::Unreadable`] where bytes are left over.
    pub fn finish(&self) -> Result<(), PayloadError> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.unreadable("bytes after the end"))
        }
    }

    /// An error that names the place.
    pub(super) fn unreadable(&self, what: impl fmt::Display) -> PayloadError {
        PayloadError::Unreadable {
            reason: format!("{what} at byte {}", self.offset),
        }
    }

    /// The next head, well formed.
    pub(super) fn head(&mut self) -> Result<ItemHead, PayloadError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| self.cut_off())?;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 if !matches!(major, UINT | NEGATIVE | TAG) => 0,
            _ => return Err(self.unreadable("a reserved form")),
        };
        let (argument, rest) = rest.split_at_checked(width).ok_or_else(|| self.cut_off())?;
        let argument = match argument {
            [] => info.into(),
            bytes => bytes
                .iter()
                .fold(0, |value, byte| (value << 8) | u64::from(*byte)),
        };
        if major == OTHER && info == 24 && argument < 32 {
            return Err(self.unreadable("a reserved simple value"));
        }
        self.rest = rest;
        self.offset += 1 + width;
        Ok(ItemHead {
            major,
            info,
            argument,
        })
    }

    /// So many bytes as they are.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        self.offset += len;
        Some(bytes)
    }

    /// The contents of a byte string of definite length whose head has been read.
    pub(super) fn take_bytes(&mut self, head: ItemHead) -> Result<&'a [u8], PayloadError> {
        let len = usize::try_from(head.argument).ok();
        len.and_then(|len| self.take(len))
            .ok_or_else(|| self.cut_off())
    }

    /// The contents of a text string of definite length whose head has been read.
    pub(super) fn take_text(&mut self, head: ItemHead) -> Result<&'a str, PayloadError> {
        let start = self.clone();
        core::str::from_utf8(self.take_bytes(head)?)
            .map_err(|_| start.unreadable("text that is not UTF-8"))
    }

    /// One level deeper, if that is still allowed. The recursion of every reader here is bounded
    /// by it.
    pub(super) fn deeper(depth: usize) -> Result<usize, PayloadError> {
        if depth < CBOR_DEPTH_MAX {
            Ok(depth + 1)
        } else {
            Err(PayloadError::TooDeep {
                max: CBOR_DEPTH_MAX,
            })
        }
    }

    /// Passes over one item that lies `depth` levels deep.
    pub(super) fn skip_item(&mut self, depth: usize) -> Result<(), PayloadError> {
        // Most items are small numbers, of one byte each.
        if let Some((0..24, rest)) = self.rest.split_first() {
            self.rest = rest;
            self.offset += 1;
            return Ok(());
        }
        let start = self.clone();
        let head = self.head()?;
        match head.major {
            BYTES | TEXT if head.is_indefinite() => self.skip_chunks(head.major),
            BYTES => self.take_bytes(head).map(|_| ()),
            TEXT => self.take_text(head).map(|_| ()),
            ARRAY => self.skip_items(head, 1, Self::deeper(depth)?),
            MAP => self.skip_items(head, 2, Self::deeper(depth)?),
            TAG => self.skip_item(Self::deeper(depth)?),
            OTHER if head.is_indefinite() => Err(start.unreadable("a break out of place")),
            _ => Ok(()),
        }
    }

    /// Passes over `each` items for every one that the head announces.
    fn skip_items(&mut self, head: ItemHead, each: u8, depth: usize) -> Result<(), PayloadError> {
        if head.is_indefinite() {
            while !self.skip_break()? {
                (0..each).try_for_each(|_| self.skip_item(depth))?;
            }
            return Ok(());
        }
        // An announced number that the bytes do not hold ends with the bytes.
        for _ in 0..head.argument {
            (0..each).try_for_each(|_| self.skip_item(depth))?;
        }
        Ok(())
    }

    /// The pieces of a string of indefinite length: strings of the same major type.
    fn skip_chunks(&mut self, major: u8) -> Result<(), PayloadError> {
        while !self.skip_break()? {
            let start = self.clone();
            let head = self.head()?;
            if head.major != major || head.is_indefinite() {
                return Err(start.unreadable("a piece of another kind in a string"));
            }
            if major == TEXT {
                self.take_text(head)?;
            } else {
                self.take_bytes(head)?;
            }
        }
        Ok(())
    }

    fn skip_break(&mut self) -> Result<bool, PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let found = head.major == OTHER && head.is_indefinite();
        if found {
            *self = ahead;
        }
        Ok(found)
    }

    fn expect<T>(
        &mut self,
        kind: Kind,
        take: impl FnOnce(ItemHead) -> Option<T>,
    ) -> Result<T, PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let value = take(head).ok_or_else(|| self.mismatch(kind, head))?;
        *self = ahead;
        Ok(value)
    }

    fn container(
        &mut self,
        major: u8,
        what: &'static str,
        each: usize,
    ) -> Result<usize, PayloadError> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        let len = self
            .definite(major, what, head)?
            .filter(|len| {
                len.checked_mul(each)
                    .is_some_and(|items| items <= ahead.rest.len())
            })
            .ok_or_else(|| ahead.cut_off())?;
        *self = ahead;
        Ok(len)
    }

    /// The argument of a head that must be of this major type and of definite length.
    fn definite(
        &self,
        major: u8,
        what: &'static str,
        head: ItemHead,
    ) -> Result<Option<usize>, PayloadError> {
        if head.major != major {
            return Err(self.mismatch(what, head));
        }
        if head.is_indefinite() {
            return Err(self.unreadable(format_args!("{what} of indefinite length")));
        }
        Ok(usize::try_from(head.argument).ok())
    }

    fn kind(&self, head: ItemHead) -> Result<Kind, PayloadError> {
        Ok(match head.major {
            UINT => Kind::Uint,
            NEGATIVE => Kind::Negative,
            BYTES => Kind::Bytes,
            TEXT => Kind::Text,
            ARRAY => Kind::Array,
            MAP => Kind::Map,
            TAG => Kind::Tag,
            _ if head.is_indefinite() => return Err(self.unreadable("a break out of place")),
            _ if head.is_float() => Kind::Float,
            _ => match head.argument {
                FALSE | TRUE => Kind::Bool,
                NULL => Kind::Null,
                _ => Kind::Simple,
            },
        })
    }

    fn mismatch(&self, expected: impl fmt::Display, head: ItemHead) -> PayloadError {
        match self.kind(head) {
            Ok(found) => self.unreadable(format_args!("expected {expected}, found {found}")),
            Err(error) => error,
        }
    }

    fn cut_off(&self) -> PayloadError {
        self.unreadable("the bytes end early")
    }
}

/// The number of a simple value, if it is one.
fn simple(head: ItemHead) -> Option<u64> {
    (head.major == OTHER && !head.is_float() && !head.is_indefinite()).then_some(head.argument)
}
