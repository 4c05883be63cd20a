use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;
use crate::limits::{AGGREGATE_ID_BYTES_MAX, EVENT_TYPE_BYTES_MAX};

/// Name of one unit of consistency and of conflict: `type/name`, in whole `/` segments.
///
/// At least two segments, none of them empty, no control characters, at most 1 KiB of UTF-8. The
/// first segment is the aggregate's type, which decides its resolver. Spaces and accents are fine.
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AggregateId(Arc<str>);

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
        let bytes = text.as_bytes();
        if !bytes.contains(&b'/') {
            return Err(NameError::NoName);
        }
        if bytes.split(|byte| *byte == b'/').any(<[u8]>::is_empty) {
            return Err(NameError::EmptySegment);
        }
        Ok(Self(text.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment, to which a resolver is bound.
    pub fn aggregate_type(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(first, _)| first)
    }

    /// Whether this name lies under `prefix`, compared in whole segments: `order/7/line` lies under
    /// `order/7` and under the empty prefix, `order/77` does not lie under `order/7`.
    pub fn is_under(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        prefix.is_empty()
            || self
                .0
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What kind of fact an event states, for example `priced`. At most 128 bytes of UTF-8, not empty,
/// no control characters. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(Arc<str>);

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
        Ok(Self(text.into()))
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
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
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
                Self::from(&*name.0)
            }
        }
    )+};
}

text_newtype!(AggregateId, EventType);

#[cfg(test)]
mod tests {
    use super::*;

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
