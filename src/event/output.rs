use alloc::vec::Vec;

/// Appends a number as LEB128 in its shortest form, as [`Input`](super::input::Input) reads it.
#[inline]
pub(super) fn put_number(number: u64, out: &mut Vec<u8>) {
    if number < 0x80 {
        out.push(number.to_le_bytes()[0]);
    } else {
        put_long_number(number, out);
    }
}

#[inline(never)]
fn put_long_number(mut number: u64, out: &mut Vec<u8>) {
    if let Some((word, len)) = word_of_number(number) {
        let end = out.len() + len;
        out.extend_from_slice(&word);
        out.truncate(end);
        return;
    }
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// A number of up to eight bytes in one word, its bits moved apart into groups of seven, and how many
/// bytes it takes.
#[inline]
pub(super) fn word_of_number(number: u64) -> Option<([u8; 8], usize)> {
    if number >> 56 != 0 {
        return None;
    }
    let pairs = (number & 0x0fff_ffff) | ((number & 0x00ff_ffff_f000_0000) << 4);
    let quads = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x0fff_c000_0fff_c000) << 2);
    let groups = (quads & 0x007f_007f_007f_007f) | ((quads & 0x3f80_3f80_3f80_3f80) << 1);
    let unused = groups.leading_zeros() / 8;
    // Every byte but the last says that another follows.
    let follow = 0x0080_8080_8080_8080_u64 >> (unused * 8);
    let len = 8 - usize::try_from(unused).unwrap_or_default();
    Some(((groups | follow).to_le_bytes(), len))
}

#[inline]
pub(super) fn put_len(len: usize, out: &mut Vec<u8>) {
    put_number(u64::try_from(len).unwrap_or(u64::MAX), out);
}

/// Appends a length and so many bytes.
#[inline]
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// How many bytes a number takes, 1 to 10.
#[inline]
pub(super) fn number_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::input::Input;
    use super::*;

    /// Seven bits after seven bits.
    fn by_the_book(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let group = u8::try_from(number & 0x7f).unwrap();
            number >>= 7;
            if number == 0 {
                bytes.push(group);
                return bytes;
            }
            bytes.push(group | 0x80);
        }
    }

    fn is_written_and_read(number: u64) -> bool {
        let mut out = alloc::vec![1, 2];
        put_number(number, &mut out);
        let written = out.split_off(2);
        let mut short = Input::new(&written);
        let read = short.number("number");
        // Where more follows, a word is read at once.
        let longer = [&written[..], &[0xff; 9]].concat();
        let mut long = Input::new(&longer);
        written == by_the_book(number)
            && number_len(number) == written.len()
            && out == [1, 2]
            && read == Ok(number)
            && short.len() == 0
            && long.number("number") == Ok(number)
            && long.len() == 9
    }

    #[test]
    fn a_number_of_any_length_is_written_by_the_book_and_read() {
        for bit in 0..64 {
            for near in [1u64 << bit, (1 << bit) - 1, (1 << bit) | 1, u64::MAX >> bit] {
                assert!(is_written_and_read(near), "{near}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_is_written_by_the_book_and_read(number: u64, shift in 0u32..64) {
            prop_assert!(is_written_and_read(number >> shift));
        }
    }
}
