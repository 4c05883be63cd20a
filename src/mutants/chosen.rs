use core::sync::atomic::{AtomicUsize, Ordering};

use super::table::MUTANTS;

/// The number of the bug that is there, counted from 1; 0 is none.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Plants the bug of this name in place of any other, or none. Returns whether there is such a bug.
#[must_use]
pub fn choose(name: Option<&str>) -> bool {
    let at = name.map(|name| MUTANTS.iter().position(|mutant| mutant.name == name));
    let number = match at {
        None => 0,
        Some(Some(at)) => at + 1,
        Some(None) => return false,
    };
    CHOSEN.store(number, Ordering::Relaxed);
    true
}

pub(crate) fn is_chosen(number: usize) -> bool {
    CHOSEN.load(Ordering::Relaxed) == number
}

/// The number of a bug; does not compile for a name that is not in the table.
pub(crate) const fn number(name: &str) -> usize {
    let mut at = 0;
    while !is_same(MUTANTS[at].name.as_bytes(), name.as_bytes()) {
        at += 1;
    }
    at + 1
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
