use alloc::sync::Arc;

/// Most bytes of a text that lies in place.
const SHORT: usize = 22;

/// A text that never changes: a short one in place, without an allocation and near to what it names,
/// a longer one shared by its copies. Most names of aggregates are short.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// UTF-8 of at most 22 bytes; those behind it are spaces.
    Short { len: u8, bytes: [u8; SHORT] },
    /// Longer than that.
    Long(Arc<str>),
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self::short(text.as_bytes()).unwrap_or_else(|| Self::Long(text.into()))
    }

    /// The text in place, if there is room for it and all of it is printable ASCII.
    #[inline]
    pub(super) fn short_plain(text: &[u8]) -> Option<Self> {
        match Self::short(text)? {
            Self::Short { bytes, .. } if !is_plain(&bytes) => None,
            text => Some(text),
        }
    }

    #[inline]
    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [b' '; SHORT];
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

/// Whether all of it is printable ASCII, which is looked at eight bytes at a time.
#[inline]
fn is_plain(bytes: &[u8; SHORT]) -> bool {
    let mut padded = [b' '; 24];
    if let Some(first) = padded.first_chunk_mut() {
        *first = *bytes;
    }
    let (words, _) = padded.as_chunks::<8>();
    let is_plain = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        // The high bit of a byte: of one that is not ASCII, or is DEL.
        let (ones, highs) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080);
        let above = (word | (word & !highs).wrapping_add(ones)) & highs;
        // The high bit of a byte: of one that is ASCII and not before the space.
        let printable = (word & (ones * 0x60)).wrapping_add(ones * 0x60) & highs;
        above == 0 && printable == highs
    };
    words.iter().all(is_plain)
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

    #[test]
    fn plain_is_what_is_printable_ascii_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for at in 0..SHORT {
                let mut bytes = [b'~'; SHORT];
                bytes[at] = byte;
                let is_one = Text::short_plain(&bytes).is_some();
                assert_eq!(is_one, matches!(byte, b' '..=b'~'), "{byte} at {at}");
            }
        }
        assert!(Text::short_plain(&[b'a'; SHORT + 1]).is_none());
        assert!(Text::short_plain(b"") == Some(Text::new("")));
    }
}
