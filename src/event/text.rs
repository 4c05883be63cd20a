use alloc::sync::Arc;

use super::scratch::Output;

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

    /// The text in place, if there is room for it, all of it is printable ASCII, and it is segments
    /// with single slashes between, two or more.
    #[inline]
    pub(super) fn short_path(text: &[u8]) -> Option<Self> {
        match Self::short(text)? {
            Self::Short { len, bytes } if !is_path(&bytes, len) => None,
            text => Some(text),
        }
    }

    /// The text in place that begins with the first `kept` bytes of this one and goes on with the first
    /// `len` of `rest`, if these are printable ASCII without a slash and do not follow half a character.
    /// Only where all of it is told by one word; nothing otherwise.
    #[inline]
    pub(super) fn continued(&self, kept: usize, rest: &[u8], len: usize) -> Option<Self> {
        let Self::Short { len: before, bytes } = self else {
            return None;
        };
        let is_one_word = (1..=WORD).contains(&len) && usize::from(*before) <= kept + WORD;
        if !is_one_word || bytes.get(kept)? & 0xc0 == 0x80 {
            return None;
        }
        let unused = (WORD - len) * 8;
        let word = u64::from_le_bytes(*rest.first_chunk()?) << unused >> unused;
        let spaces = ONES * u64::from(b' ');
        let word = word
            | spaces
                .checked_shl(u32::try_from(len * 8).ok()?)
                .unwrap_or(0);
        let (others, slashes) = unusual(word);
        if (others | slashes) & HIGHS != 0 {
            return None;
        }
        let mut padded = [b' '; SHORT + WORD];
        *padded.first_chunk_mut()? = *bytes;
        *padded.get_mut(kept..)?.first_chunk_mut()? = word.to_le_bytes();
        let len = u8::try_from(kept + len).ok()?;
        let bytes = *padded.first_chunk()?;
        (usize::from(len) <= SHORT).then_some(Self::Short { len, bytes })
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

    /// Appends its length and its bytes.
    #[inline]
    pub(super) fn put_to(&self, out: &mut impl Output) {
        match self {
            Self::Short { len, bytes } => {
                out.put([*len]);
                out.put_first(bytes, usize::from(*len));
            }
            Self::Long(text) => out.put_bytes(text.as_bytes()),
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

/// Bytes of a word, the lowest bits of each byte, and the highest.
const WORD: usize = 8;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of a byte is set: of the first, in none that is printable ASCII; of the second, in those
/// that are slashes, if all are printable.
#[inline]
const fn unusual(word: u64) -> (u64, u64) {
    let below_del = (word & !HIGHS).wrapping_add(ONES);
    let from_space = (word & !HIGHS).wrapping_add(ONES * 0x60);
    let slashes = !(word ^ (ONES * 0x2f)).wrapping_add(ONES * 0x7f) & HIGHS;
    (word | below_del | !from_space, slashes)
}

/// Whether it is segments of printable ASCII, two or more, with single slashes between: looked at
/// eight bytes at a time.
#[inline]
fn is_path(bytes: &[u8; SHORT], len: u8) -> bool {
    let mut padded = [b' '; 24];
    if let Some(first) = padded.first_chunk_mut() {
        *first = *bytes;
    }
    let (words, _) = padded.as_chunks::<8>();
    let (mut others, mut slashes) = (0, 0_u32);
    for word in words.iter().rev() {
        let (unusual, slash) = unusual(u64::from_le_bytes(*word));
        others |= unusual;
        let gathered = (slash >> 7).wrapping_mul(0x0102_0408_1020_4080);
        slashes = slashes << 8 | u32::from(gathered.to_be_bytes()[0]);
    }
    let ends = 1 | (1_u32 << len) >> 1;
    others & HIGHS == 0 && slashes != 0 && slashes & (slashes << 1 | ends) == 0
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

    /// The same by the book.
    fn is_path_of(text: &[u8]) -> bool {
        let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
        let mut segments = text.split(|byte| *byte == b'/');
        text.iter().all(is_printable)
            && text.contains(&b'/')
            && segments.all(|segment| !segment.is_empty())
    }

    #[test]
    fn a_path_is_what_it_is_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for at in 0..SHORT {
                let mut bytes = *b"key/~~~~~~~~~~~~~~~~/7";
                bytes[at] = byte;
                let is_one = Text::short_path(&bytes).is_some();
                assert_eq!(is_one, is_path_of(&bytes), "{byte} at {at}");
            }
        }
        assert!(Text::short_path(&[b'/'; SHORT + 1]).is_none());
    }

    #[test]
    fn a_path_has_single_slashes_inside_wherever_they_are() {
        for len in 0..=SHORT {
            // Every way to place three slashes, some of them at the same place or behind the end.
            for places in 0..(SHORT + 1).pow(3) {
                let mut bytes = [b'x'; SHORT + 1];
                for place in [1, SHORT + 1, (SHORT + 1).pow(2)] {
                    bytes[places / place % (SHORT + 1)] = b'/';
                }
                let text = &bytes[..len];
                assert_eq!(
                    Text::short_path(text).is_some(),
                    is_path_of(text),
                    "{text:?}"
                );
            }
        }
    }
}
