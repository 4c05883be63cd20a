use alloc::string::String;
use alloc::vec::Vec;

use super::EventError;
use super::name::has_control;
use crate::limits::{METADATA_BYTES_MAX, METADATA_ENTRIES_MAX};

/// Text that travels with an event and that no resolver reads: a user's name, a trace id.
///
/// At most 64 entries and 8 KiB of keys and values together; keys are not empty and hold no control
/// characters. Iterated in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// In the order of keys. Most events have one or none.
    entries: Vec<(String, String)>,
    bytes: usize,
}

impl Metadata {
    /// No entries.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
        }
    }

    /// Sets an entry, replacing an earlier one of that key.
    ///
    /// # Errors
    /// [`EventError`] when a bound would be passed; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), EventError> {
        if key.is_empty() || has_control(key) {
            return Err(EventError::BadMetadataKey);
        }
        let place = self.place(key);
        let old = place.ok().and_then(|at| self.entries.get(at));
        let replaced = old.map(|(key, old)| key.len() + old.len());
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
        match place {
            Ok(at) => {
                if let Some((_, old)) = self.entries.get_mut(at) {
                    *old = value.into();
                }
            }
            Err(at) => self.entries.insert(at, (key.into(), value.into())),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Where a key stands, or would. Those of an event that is read come in order.
    fn place(&self, key: &str) -> Result<usize, usize> {
        match self.entries.last() {
            Some((last, _)) if last.as_str() < key => Err(self.entries.len()),
            _ => self
                .entries
                .binary_search_by(|(other, _)| other.as_str().cmp(key)),
        }
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.get(self.place(key).ok()?)?;
        Some(value)
    }

    /// Keys and values in the order of keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Bytes of memory that they take apart from themselves.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.bytes + self.entries.len() * size_of::<(String, String)>()
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
