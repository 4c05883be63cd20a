use alloc::collections::BTreeSet;

/// What a batch has told of so far. Most batches are of one writer and one event type, which needs no
/// list.
#[derive(Debug)]
pub(super) struct Met<T> {
    first: Option<T>,
    last: Option<T>,
    others: Option<BTreeSet<T>>,
}

impl<T: Copy + Ord> Met<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            last: None,
            others: None,
        }
    }

    /// Adds one. Whether it is the first time.
    pub(super) fn is_new(&mut self, one: T) -> bool {
        let before = self.last.replace(one);
        let first = *self.first.get_or_insert(one);
        match before {
            None => true,
            Some(before) if before == one || first == one => false,
            Some(_) => self.others.get_or_insert_default().insert(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_is_new_once() {
        // Every sequence of six of four things.
        for number in 0..4_u32.pow(6) {
            let sequence = (0..6).map(|digit| number / 4_u32.pow(digit) % 4);
            let (mut met, mut model) = (Met::new(), Vec::new());
            for one in sequence {
                assert_eq!(met.is_new(one), !model.contains(&one));
                model.push(one);
            }
        }
    }
}
