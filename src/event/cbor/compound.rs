use alloc::vec::Vec;
use core::ops::Range;

use serde::ser::{self, Serialize};

use super::super::PayloadError;
use super::item_head::{BIG_NEGATIVE, BIG_POSITIVE};
use super::reader::Reader;
use super::serializer::CanonicalSerializer;

/// Where an array or map starts, and how many items its head announced.
struct Opened {
    start: usize,
    body: usize,
    announced: Option<usize>,
    /// Levels that its end leaves: two for a variant, whose name is the key of a map of its own.
    levels: usize,
}

impl Opened {
    fn end(&self, serializer: &mut CanonicalSerializer) {
        serializer.ascend(self.levels);
    }
}

/// An array that is being written.
pub(super) struct Elements<'a> {
    serializer: &'a mut CanonicalSerializer,
    opened: Opened,
    written: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn open(
        serializer: &'a mut CanonicalSerializer,
        announced: Option<usize>,
        levels: usize,
    ) -> Result<Self, PayloadError> {
        serializer.descend()?;
        let start = serializer.writer.len();
        serializer.writer.array(announced.unwrap_or(0));
        let opened = Opened {
            start,
            body: serializer.writer.len(),
            announced,
            levels,
        };
        Ok(Self {
            serializer,
            opened,
            written: 0,
        })
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PayloadError> {
        self.written += 1;
        value.serialize(&mut *self.serializer)
    }

    fn close(self) {
        // No indefinite lengths: a number not known before is put in front afterwards.
        if self.opened.announced != Some(self.written) {
            let body = self.serializer.writer.split_off(self.opened.body);
            self.serializer.writer.truncate(self.opened.start);
            self.serializer.writer.array(self.written).raw(&body);
        }
        self.opened.end(self.serializer);
    }
}

/// One entry of a map, as positions in what was written.
struct Entry {
    key: Range<usize>,
    end: usize,
}

/// A map that is being written, its entries in the order in which they come until it ends.
pub(super) struct Entries<'a> {
    serializer: &'a mut CanonicalSerializer,
    opened: Opened,
    written: Vec<Entry>,
    /// A key whose value has not come yet.
    key: Option<Range<usize>>,
}

impl<'a> Entries<'a> {
    pub(super) fn open(
        serializer: &'a mut CanonicalSerializer,
        announced: Option<usize>,
        levels: usize,
    ) -> Result<Self, PayloadError> {
        serializer.descend()?;
        let start = serializer.writer.len();
        serializer.writer.map(announced.unwrap_or(0));
        let opened = Opened {
            start,
            body: serializer.writer.len(),
            announced,
            levels,
        };
        Ok(Self {
            serializer,
            opened,
            written: Vec::new(),
            key: None,
        })
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), PayloadError> {
        let start = self.serializer.writer.len();
        key.serialize(&mut *self.serializer)?;
        match self.key.replace(start..self.serializer.writer.len()) {
            None => Ok(()),
            Some(_) => Err(out_of_turn("key without a value")),
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PayloadError> {
        let key = self
            .key
            .take()
            .ok_or_else(|| out_of_turn("value without a key"))?;
        value.serialize(&mut *self.serializer)?;
        self.written.push(Entry {
            key,
            end: self.serializer.writer.len(),
        });
        Ok(())
    }

    fn close(mut self) -> Result<(), PayloadError> {
        if self.key.is_some() {
            return Err(out_of_turn("key without a value"));
        }
        let bytes = self.serializer.writer.as_bytes();
        let key = |entry: &Entry| bytes.get(entry.key.clone()).unwrap_or_default();
        let sorted = self
            .written
            .is_sorted_by(|one, other| key(one) < key(other));
        if !sorted {
            self.written.sort_by(|one, other| key(one).cmp(key(other)));
            if !self
                .written
                .is_sorted_by(|one, other| key(one) < key(other))
            {
                return Err(PayloadError::KeyTwice);
            }
        }
        if !sorted || self.opened.announced != Some(self.written.len()) {
            self.rewrite();
        }
        self.opened.end(self.serializer);
        Ok(())
    }

    /// Writes the map again, its entries in their present order.
    fn rewrite(&mut self) {
        let base = self.opened.body;
        let writer = &mut self.serializer.writer;
        let body = writer.split_off(base);
        writer.truncate(self.opened.start);
        writer.map(self.written.len());
        for entry in &self.written {
            let bytes = entry
                .key
                .start
                .checked_sub(base)
                .zip(entry.end.checked_sub(base));
            let bytes = bytes.and_then(|(start, end)| body.get(start..end));
            writer.raw(bytes.unwrap_or_default());
        }
    }
}

/// A tuple variant that is being written: content under its name, or an item behind a tag.
pub(super) enum Variant<'a> {
    Named(Elements<'a>),
    Tagged {
        serializer: &'a mut CanonicalSerializer,
        tag: Option<u64>,
        written: bool,
    },
}

impl<'a> Variant<'a> {
    pub(super) const fn tagged(serializer: &'a mut CanonicalSerializer) -> Self {
        Self::Tagged {
            serializer,
            tag: None,
            written: false,
        }
    }
}

/// Writes a tag and the item behind it. A big integer takes its shortest form.
fn write_tagged<T: Serialize + ?Sized>(
    serializer: &mut CanonicalSerializer,
    tag: u64,
    value: &T,
) -> Result<(), PayloadError> {
    let start = serializer.writer.len();
    serializer.descend()?;
    serializer.writer.tag(tag);
    let content = serializer.writer.len();
    value.serialize(&mut *serializer)?;
    if matches!(tag, BIG_POSITIVE | BIG_NEGATIVE) {
        let content = serializer.writer.split_off(content);
        serializer.writer.truncate(start);
        match Reader::new(&content).bytes() {
            Ok(digits) => serializer.writer.big(tag, digits),
            Err(_) => serializer.writer.tag(tag).raw(&content),
        };
    }
    serializer.ascend(1);
    Ok(())
}

/// The number of a tag, which arrives as a value of its own.
fn tag_number<T: Serialize + ?Sized>(value: &T, depth: usize) -> Result<u64, PayloadError> {
    let mut serializer = CanonicalSerializer::new(depth);
    value.serialize(&mut serializer)?;
    Reader::new(serializer.writer.as_bytes())
        .uint()
        .map_err(|_| out_of_turn("tag not a number"))
}

fn out_of_turn(what: &str) -> PayloadError {
    ser::Error::custom(what)
}

macro_rules! array_like {
    ($($interface:ident :: $method:ident),+) => {$(
        impl ser::$interface for Elements<'_> {
            type Ok = ();
            type Error = PayloadError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PayloadError> {
                self.element(value)
            }

            fn end(self) -> Result<(), PayloadError> {
                self.close();
                Ok(())
            }
        }
    )+};
}

array_like!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field
);

impl ser::SerializeTupleVariant for Variant<'_> {
    type Ok = ();
    type Error = PayloadError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PayloadError> {
        match self {
            Self::Named(elements) => elements.element(value),
            Self::Tagged {
                serializer,
                tag: tag @ None,
                ..
            } => {
                *tag = Some(tag_number(value, serializer.depth())?);
                Ok(())
            }
            Self::Tagged {
                serializer,
                tag: Some(tag),
                written,
            } if !*written => {
                *written = true;
                write_tagged(serializer, *tag, value)
            }
            Self::Tagged { .. } => Err(out_of_turn("tag with more than one item")),
        }
    }

    fn end(self) -> Result<(), PayloadError> {
        match self {
            Self::Named(elements) => elements.close(),
            Self::Tagged { written: true, .. } => {}
            Self::Tagged { .. } => return Err(out_of_turn("tag without an item")),
        }
        Ok(())
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = PayloadError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), PayloadError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PayloadError> {
        self.value(value)
    }

    fn end(self) -> Result<(), PayloadError> {
        self.close()
    }
}

macro_rules! struct_like {
    ($($interface:ident),+) => {$(
        impl ser::$interface for Entries<'_> {
            type Ok = ();
            type Error = PayloadError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), PayloadError> {
                self.key(key)?;
                self.value(value)
            }

            fn end(self) -> Result<(), PayloadError> {
                self.close()
            }
        }
    )+};
}

struct_like!(SerializeStruct, SerializeStructVariant);
