use alloc::sync::Arc;

/// Most bytes of a text that lies in place.
const SHORT: usize = 22;

/// A text that never changes: a short one in place, without an allocation and near to what it names,
/// a longer one shared by its copies. Most names of aggregates are short.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// UTF-8 of at most 22 bytes; those behind it are zero.
    Short { len: u8, bytes: [u8; SHORT] },
    /// Longer than that.
    Long(Arc<str>),
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self::short(text.as_bytes()).unwrap_or_else(|| Self::Long(text.into()))
    }

    /// The text in place, if there is room for it. The caller has seen that the bytes are ASCII.
    pub(super) fn short_ascii(bytes: &[u8]) -> Option<Self> {
        debug_assert!(bytes.is_ascii(), "the caller has looked");
        Self::short(bytes)
    }

    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let len = u8::try_from(text.len()).ok()?;
        Some(Self::Short { len, bytes })
    }

    /// The text. A short one is looked through on the way, since nobody but the compiler could vouch
    /// for it: who compares or hashes takes the bytes.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { .. } => core::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    /// Bytes of memory that it takes apart from itself, shared or not.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long(text) => text.len() + 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn a_text_of_any_length_is_what_it_was_made_of() {
        for len in 0..40 {
            let text: String = "aéx€".chars().cycle().take(len).collect();
            let kept = Text::new(&text);
            assert_eq!(kept.as_str(), text);
            assert_eq!(kept.as_bytes(), text.as_bytes());
            assert_eq!(kept.heap_bytes() == 0, text.len() <= SHORT);
            assert!(kept == kept.clone() && kept != Text::new("other"));
        }
        assert_eq!(size_of::<Text>(), 24);
    }
}
