//! All ways in which a few events can have seen each other, and all orders in which they can come.
//!
//! Pure counting; knows neither payloads nor rules.

use std::collections::BTreeSet;

/// The closed past of each event; events are numbered in canonical order.
pub type Pasts = Vec<BTreeSet<usize>>;

/// Every way in which so many events can have seen each other: 1, 2, 7, 40 and 357 for 1 to 5 events.
/// The next number is 4,824: ask for no more than 6.
pub fn all_pasts(events: usize) -> Vec<Pasts> {
    let mut all = vec![Pasts::new()];
    for number in 0..events {
        let mut longer = Vec::new();
        for pasts in &all {
            for chosen in 0..1usize << number {
                let seen: BTreeSet<usize> =
                    (0..number).filter(|at| chosen >> at & 1 == 1).collect();
                if seen.iter().all(|at| pasts[*at].is_subset(&seen)) {
                    longer.push([pasts.as_slice(), &[seen]].concat());
                }
            }
        }
        all = longer;
    }
    all
}

/// Every order in which these events can come, each after its past: 6,105 in all for the histories
/// of 5 events.
pub fn all_arrivals(pasts: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in pasts {
        let mut longer: Vec<Vec<usize>> = Vec::new();
        for order in &all {
            let is_next = |at: &usize| {
                !order.contains(at) && pasts[*at].iter().all(|seen| order.contains(seen))
            };
            let next = (0..pasts.len()).filter(is_next);
            longer.extend(next.map(|at| [order.as_slice(), &[at]].concat()));
        }
        all = longer;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_of_up_to_five_events_are_as_many_as_are_known() {
        let counts: Vec<usize> = (1..=5).map(|events| all_pasts(events).len()).collect();
        assert_eq!(counts, [1, 2, 7, 40, 357]);
    }

    #[test]
    fn five_events_can_come_in_6_105_orders() {
        let orders = |events| -> usize {
            let pasts = all_pasts(events);
            pasts.iter().map(|pasts| all_arrivals(pasts).len()).sum()
        };
        assert_eq!(orders(5), 6_105);
        assert_eq!(orders(2), 3);
    }
}
