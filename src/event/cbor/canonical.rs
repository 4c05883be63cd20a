use super::item_head::{ARRAY, BIG_NEGATIVE, BIG_POSITIVE, BYTES, MAP, TAG, TEXT};
use super::reader::Reader;

/// Whether these bytes are one item in the form that [`to_vec`](super::to_vec) gives: core
/// deterministic encoding, at most 32 levels deep, nothing after it. Costs one pass.
pub fn is_canonical(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    item(&mut reader, 0).is_some() && reader.is_at_end()
}

fn item(reader: &mut Reader<'_>, depth: usize) -> Option<()> {
    let head = reader.head().ok()?;
    if head.is_indefinite() || !head.is_shortest() {
        return None;
    }
    match head.major {
        BYTES => reader.take_bytes(head).ok().map(|_| ()),
        TEXT => reader.take_text(head).ok().map(|_| ()),
        ARRAY => {
            let depth = Reader::deeper(depth).ok()?;
            (0..head.argument).try_for_each(|_| item(reader, depth))
        }
        MAP => pairs(reader, head.argument, Reader::deeper(depth).ok()?),
        TAG => tagged(reader, head.argument, Reader::deeper(depth).ok()?),
        _ => Some(()),
    }
}

fn pairs(reader: &mut Reader<'_>, len: u64, depth: usize) -> Option<()> {
    let mut previous: Option<&[u8]> = None;
    for _ in 0..len {
        let key = spanned(reader, depth)?;
        if previous.is_some_and(|previous| previous >= key) {
            return None;
        }
        previous = Some(key);
        item(reader, depth)?;
    }
    Some(())
}

/// A big integer must neither fit a plain one nor start with zeros.
fn tagged(reader: &mut Reader<'_>, tag: u64, depth: usize) -> Option<()> {
    let mut content = Reader::new(spanned(reader, depth)?);
    if !matches!(tag, BIG_POSITIVE | BIG_NEGATIVE) {
        return Some(());
    }
    match content.bytes() {
        Ok(digits) if digits.len() <= 8 || digits.first() == Some(&0) => None,
        _ => Some(()),
    }
}

/// The bytes of one canonical item.
fn spanned<'a>(reader: &mut Reader<'a>, depth: usize) -> Option<&'a [u8]> {
    let mut start = reader.clone();
    item(reader, depth)?;
    start.take(reader.offset().checked_sub(start.offset())?)
}
