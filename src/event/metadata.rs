use alloc::collections::BTreeMap;
use alloc::string::String;

use super::EventError;
use crate::limits::{METADATA_BYTES_MAX, METADATA_ENTRIES_MAX};

/// Text that travels with an event and that no resolver reads: a user's name, a trace id.
///
/// At most 64 entries and 8 KiB of keys and values together; keys are not empty and hold no control
/// characters. Iterated in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: BTreeMap<String, String>,
    bytes: usize,
}

impl Metadata {
    /// No entries.
    pub const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Sets an entry, replacing an earlier one of that key.
    ///
    /// # Errors
    /// [`EventError`] when a bound would be passed; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), EventError> {
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(EventError::BadMetadataKey);
        }
        let replaced = self.entries.get(key).map(|old| key.len() + old.len());
        let entries = self.entries.len() + usize::from(replaced.is_none());
        if entries > METADATA_ENTRIES_MAX {
            return Err(EventError::TooMuchMetadata {
                entries,
                max: METADATA_ENTRIES_MAX,
            });
        }
        let bytes = self.bytes + key.len() + value.len() - replaced.unwrap_or(0);
        if bytes > METADATA_BYTES_MAX {
            return Err(EventError::MetadataTooLarge {
                bytes,
                max: METADATA_BYTES_MAX,
            });
        }
        self.entries.insert(key.into(), value.into());
        self.bytes = bytes;
        Ok(())
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Keys and values in the order of keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
