use alloc::collections::BTreeSet;

use super::lawful::Bench;
use super::{BrokenLaw, Sketch};

/// Leaves out events for as long as what is left shows the mistake, and the allowed work is not done.
pub(super) fn shrink(law: BrokenLaw, sketch: Sketch, bench: &mut Bench<'_>) -> Sketch {
    let mut smallest = sketch;
    let mut size = smallest.len() / 2;
    while size > 0 && !bench.is_spent() {
        match fewer(law, &smallest, size, bench) {
            Some(smaller) => smallest = smaller,
            None => size /= 2,
        }
        size = size.min(smallest.len() / 2);
    }
    let relabelled = smallest.by_few();
    if relabelled.writers() <= smallest.writers() && bench.shows(law, &relabelled) {
        return relabelled;
    }
    smallest
}

/// The same without one stretch of so many events, if that shows the mistake.
fn fewer(law: BrokenLaw, sketch: &Sketch, size: usize, bench: &mut Bench<'_>) -> Option<Sketch> {
    for start in (0..sketch.len()).step_by(size) {
        if bench.is_spent() {
            return None;
        }
        let gone: BTreeSet<usize> = (start..(start + size).min(sketch.len())).collect();
        let smaller = sketch.without(&gone);
        if smaller.len() > 0 && bench.shows(law, &smaller) {
            return Some(smaller);
        }
    }
    None
}
