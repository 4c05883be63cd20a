//! The RFC's own vectors, laws over arbitrary values, and bytes that nobody should believe.

mod appendix_a;
mod hostile;
mod laws;
mod shapes;

use alloc::vec::Vec;

/// The bytes of a hexadecimal text.
fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
