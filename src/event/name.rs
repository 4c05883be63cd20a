use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scratch::Output;
use super::text::Text;
use super::{CodecError, EventError, NameError};
use crate::limits::{AGGREGATE_ID_BYTES_MAX, EVENT_TYPE_BYTES_MAX};

/// Name of one unit of consistency and of conflict: `type/name`, in whole `/` segments.
///
/// At least two segments, none of them empty, no control characters, at most 1 KiB of UTF-8. The
/// first segment is the aggregate's type, which decides its resolver. Spaces and accents are fine.
/// Cloning shares the text, or copies it if it is at most 22 bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AggregateId(Text);

impl AggregateId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`NameError`] names the first rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.len() > AGGREGATE_ID_BYTES_MAX {
            return Err(NameError::AggregateIdTooLong {
                bytes: text.len(),
                max: AGGREGATE_ID_BYTES_MAX,
            });
        }
        if has_control(text) {
            return Err(NameError::ControlCharacter {
                what: "aggregate id",
            });
        }
        if !text.as_bytes().contains(&b'/') {
            return Err(NameError::NoName);
        }
        if !has_segments(text.as_bytes()) {
            return Err(NameError::EmptySegment);
        }
        Ok(Self(Text::new(text)))
    }

    /// [`new`](Self::new) of a name that was read. A short one of ASCII is looked at once.
    pub(super) fn from_utf8(bytes: &[u8]) -> Result<Self, CodecError> {
        if let Some(text) = Text::short_path(bytes) {
            return Ok(Self(text));
        }
        let what = "aggregate id";
        let text = core::str::from_utf8(bytes).map_err(|_| CodecError::NotUtf8 { what })?;
        Ok(Self::new(text).map_err(EventError::from)?)
    }

    /// The name that shares its first `kept` bytes with this one, of which one is a slash, and goes on
    /// with the first `len` of `rest`: quicker than [`from_utf8`](Self::from_utf8), as what is shared was
    /// judged. Nothing where it is not usual; that one tells what it is.
    #[inline]
    pub(super) fn continued(&self, kept: usize, rest: &[u8], len: usize) -> Option<Self> {
        self.0.continued(kept, rest, len).map(Self)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The whole name as bytes, which costs less than the [text](Self::as_str).
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The first segment, to which a resolver is bound.
    pub fn aggregate_type(&self) -> &str {
        let text = self.as_str();
        text.split_once('/').map_or(text, |(first, _)| first)
    }

    /// Whether this name lies under `prefix`, compared in whole segments: `order/7/line` lies under
    /// `order/7` and under the empty prefix, `order/77` does not lie under `order/7`.
    pub fn is_under(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix).as_bytes();
        prefix.is_empty()
            || self
                .as_bytes()
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    #[inline]
    pub(super) fn put_to(&self, out: &mut impl Output) {
        self.0.put_to(out);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// The order of texts is that of their bytes.
impl Ord for AggregateId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for AggregateId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As the text, for which it may be looked up.
impl Hash for AggregateId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Whether there are two segments or more, none of them empty.
fn has_segments(name: &[u8]) -> bool {
    let (mut before, mut any, mut empty) = (true, false, false);
    for byte in name {
        let is_slash = *byte == b'/';
        any |= is_slash;
        empty |= is_slash & before;
        before = is_slash;
    }
    any && !empty && !before
}

/// What kind of fact an event states, for example `priced`. At most 128 bytes of UTF-8, not empty,
/// no control characters. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(Arc<Box<str>>);

impl EventType {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`NameError`] names the first rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::EmptyEventType);
        }
        if text.len() > EVENT_TYPE_BYTES_MAX {
            return Err(NameError::EventTypeTooLong {
                bytes: text.len(),
                max: EVENT_TYPE_BYTES_MAX,
            });
        }
        if has_control(text) {
            return Err(NameError::ControlCharacter { what: "event type" });
        }
        Ok(Self(Arc::new(text.into())))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text holds a control character. Most are ASCII, which is looked at byte by byte.
pub(super) fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

macro_rules! text_newtype {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = NameError;

            fn try_from(text: &String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&$name> for $name {
            type Error = NameError;

            fn try_from(name: &$name) -> Result<Self, NameError> {
                Ok(name.clone())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                Self::from(name.as_str())
            }
        }
    )+};
}

text_newtype!(AggregateId, EventType);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&[u8]] = &[
        b"/",
        b"a",
        b"order",
        b"7",
        b" ",
        b"~",
        b"\x7f",
        b"\n",
        b"\xc3\xa9",
        b"\xc3",
        b"0123456789",
    ];

    proptest! {
        #[test]
        fn a_name_that_is_read_is_judged_as_one_that_is_written(
            pieces in prop::collection::vec(
                prop::sample::select(PIECES),
                0..7,
            ),
        ) {
            let bytes = pieces.concat();
            let judged = match core::str::from_utf8(&bytes) {
                Ok(text) => AggregateId::new(text).map_err(|why| EventError::from(why).into()),
                Err(_) => Err(CodecError::NotUtf8 { what: "aggregate id" }),
            };
            let read = AggregateId::from_utf8(&bytes);
            prop_assert_eq!(&read, &judged);
            let is_whole = bytes.split(|byte| *byte == b'/').all(|part| !part.is_empty());
            prop_assert_eq!(has_segments(&bytes), is_whole && bytes.contains(&b'/'));
            if let Ok(name) = &read {
                prop_assert_eq!(name.as_str().as_bytes(), &bytes[..]);
                let kind = name.as_str().split('/').next();
                prop_assert_eq!(Some(name.aggregate_type()), kind);
            }
        }
    }

    #[test]
    fn a_name_that_continues_another_is_the_one_that_is_read() {
        let names = [
            "a/b",
            "item/1234",
            "\u{e9}/\u{e9}\u{20ac}x",
            "item/0123456789012345",
            "a/b/",
        ];
        let rests = [
            "",
            "7",
            "/",
            "/7",
            "7/",
            "x~ y",
            "12345678",
            "123456789",
            "\u{e9}",
            "\u{7f}",
            "\n",
        ];
        let mut continued = 0;
        for name in names
            .into_iter()
            .filter_map(|name| AggregateId::new(name).ok())
        {
            let slash = name.as_bytes().iter().position(|byte| *byte == b'/');
            for (kept, rest) in (slash.unwrap() + 1..=name.as_bytes().len())
                .flat_map(|kept| rests.map(|rest| (kept, rest.as_bytes())))
            {
                let ahead = [rest, b"/\xff3456789"].concat();
                let whole = [&name.as_bytes()[..kept], rest].concat();
                let read = AggregateId::from_utf8(&whole);
                if let Some(quick) = name.continued(kept, &ahead, rest.len()) {
                    assert_eq!(Ok(&quick), read.as_ref());
                    continued += 1;
                } else if let (b"7", Ok(read)) = (rest, read) {
                    let is_long = read.as_bytes().len() > 22;
                    assert!(is_long || name.as_bytes().len() > kept + 8, "{read}");
                }
            }
        }
        assert!(continued > 20, "{continued}");
    }

    #[test]
    fn control_characters_are_found_in_every_script() {
        for code in 0..0x3000 {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            for text in [String::from(character), alloc::format!("é{character}")] {
                assert_eq!(has_control(&text), character.is_control(), "{text:?}");
            }
        }
    }

    #[test]
    fn a_type_takes_a_pointer_in_an_event() {
        assert_eq!(size_of::<EventType>(), size_of::<usize>());
    }

    #[test]
    fn a_name_has_two_segments_and_none_is_empty() {
        let why = |text: &str| AggregateId::new(text).err();
        assert_eq!(why("order/7"), None);
        assert_eq!(why("order"), Some(NameError::NoName));
        assert_eq!(why(""), Some(NameError::NoName));
        for text in ["/", "/7", "order/", "order//7"] {
            assert_eq!(why(text), Some(NameError::EmptySegment), "{text}");
        }
    }
}
