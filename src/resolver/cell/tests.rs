//! Every cell against what its definition says of a set of events and their pasts: all histories of
//! four events, in all orders.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::*;
use crate::event::EventId;
use crate::resolver::histories::{Pasts, all_orders, all_pasts, all_words, id_of};

const A: &[u8] = &[0x61, b'a'];
const B: &[u8] = &[0x61, b'b'];

fn survives<C: Cell + PartialEq + core::fmt::Debug>(cell: &C) {
    let bytes = encode(cell);
    assert!(crate::event::cbor::is_canonical(&bytes));
    let again: C = decode(&bytes).unwrap();
    assert_eq!(&again, cell);
    assert_eq!(encode(&again), bytes);
    assert!((0..bytes.len()).all(|end| decode::<C>(&bytes[..end]).is_err()));
}

fn sees(pasts: &Pasts, at: usize) -> impl Fn(EventId) -> bool {
    let past: Vec<EventId> = pasts[at].iter().map(|seen| id_of(*seen)).collect();
    move |id| past.contains(&id)
}

/// Folds in an order, the cell written out and read back before each event.
fn fold<C: Cell + Default>(order: &[usize], step: impl Fn(&mut C, usize)) -> C {
    order.iter().fold(C::default(), |cell, at| {
        let mut cell = decode(&encode(&cell)).unwrap();
        step(&mut cell, *at);
        cell
    })
}

#[test]
fn siblings_are_the_writes_that_nobody_else_saw_in_any_order() {
    for (pasts, word) in histories(&[Some(A), Some(B), None]) {
        let alive = |at: &usize| word[*at].is_some() && !pasts.iter().any(|past| past.contains(at));
        let expected: BTreeMap<EventId, &[u8]> = (0..word.len())
            .filter(alive)
            .map(|at| (id_of(at), word[at].unwrap()))
            .collect();
        for order in all_orders(&pasts) {
            let cell: Siblings = fold(&order, |cell: &mut Siblings, at| match word[at] {
                Some(value) => cell.write(value, id_of(at), &sees(&pasts, at)),
                None => cell.clear(&sees(&pasts, at)),
            });
            assert_eq!(cell.iter().collect::<BTreeMap<_, _>>(), expected);
            assert_eq!(cell.is_empty(), expected.is_empty());
            survives(&cell);
        }
    }
}

/// An element is there if some add of it was seen by no event that adds or removes it.
#[test]
fn a_set_holds_what_has_an_add_that_nobody_else_saw_in_any_order() {
    let letters = [(true, A), (false, A), (true, B), (false, B)];
    for (pasts, word) in histories(&letters) {
        let mut expected: BTreeMap<&[u8], BTreeSet<EventId>> = BTreeMap::new();
        for (at, (adds, element)) in word.iter().enumerate() {
            let overwritten = |by: usize| word[by].1 == *element && pasts[by].contains(&at);
            if *adds && !(0..word.len()).any(overwritten) {
                expected.entry(element).or_default().insert(id_of(at));
            }
        }
        for order in all_orders(&pasts) {
            let cell: DotSet = fold(&order, |cell: &mut DotSet, at| match word[at] {
                (true, element) => cell.add(element, id_of(at), &sees(&pasts, at)),
                (false, element) => cell.remove(element, &sees(&pasts, at)),
            });
            let found = cell
                .iter()
                .map(|(element, dots)| (element, dots.iter().copied().collect()));
            assert_eq!(found.collect::<BTreeMap<_, BTreeSet<_>>>(), expected);
            survives(&cell);
        }
    }
}

/// By the definition: the first, unless a null whose writer saw it comes; then the first after that.
#[test]
fn the_first_write_stands_until_somebody_who_saw_it_clears_it() {
    for (pasts, word) in histories(&[A, B, NULL]) {
        let mut expected = None;
        let mut from = 0;
        while let Some(first) = (from..word.len()).find(|at| word[*at] != NULL) {
            let clears = |at: &usize| word[*at] == NULL && pasts[*at].contains(&first);
            let Some(cleared) = (first..word.len()).find(clears) else {
                expected = Some((id_of(first), word[first]));
                break;
            };
            from = cleared;
        }
        let order: Vec<usize> = (0..word.len()).collect();
        let cell: First = fold(&order, |cell: &mut First, at| {
            cell.write(word[at], id_of(at), &sees(&pasts, at));
        });
        let found = cell.standing().map(|slot| (slot.writer, &*slot.value));
        assert_eq!(found, expected);
        survives(&cell);
    }
}

#[test]
fn a_register_holds_the_last_write() {
    let mut cell = Register::default();
    survives(&cell);
    for (at, value) in [A, NULL, B].into_iter().enumerate() {
        cell.write(value, id_of(at));
        survives(&cell);
        let slot = cell.slot().unwrap();
        assert_eq!((slot.writer, &*slot.value), (id_of(at), value));
    }
}

#[test]
fn a_sum_goes_beyond_64_bits() {
    let mut cell = Sum::default();
    for step in [
        i64::MAX,
        i64::MAX,
        i64::MAX,
        1,
        i64::MIN,
        i64::MIN,
        i64::MIN,
        i64::MIN,
    ] {
        cell.add(step);
        survives(&cell);
    }
    assert_eq!(
        cell.total(),
        3 * i128::from(i64::MAX) + 1 + 4 * i128::from(i64::MIN)
    );
}

#[test]
fn no_cell_grows_with_what_was_overwritten() {
    let (mut register, mut first) = (Register::default(), First::default());
    let (mut siblings, mut set) = (Siblings::default(), DotSet::default());
    let seen = |_| true;
    for at in 0..300 {
        register.write(A, id_of(at));
        first.write(if at % 2 == 0 { A } else { NULL }, id_of(at), &seen);
        siblings.write(A, id_of(at), &seen);
        set.add(A, id_of(at), &seen);
        set.add(B, id_of(at), &seen);
        set.remove(B, &seen);
    }
    let sizes = [
        encode(&register),
        encode(&first),
        encode(&siblings),
        encode(&set),
    ];
    assert!(sizes.iter().all(|bytes| bytes.len() < 40), "{sizes:?}");
}

/// States are kept in this form: a change needs another version of every rule that holds the cell.
#[test]
fn the_stored_forms_are_these_bytes() {
    let id = |replica, seq| {
        let seq = crate::event::Seq::new(seq).unwrap();
        EventId::new(crate::event::ReplicaId::new(0, replica), seq)
    };
    let table = |replicas: &[u8]| {
        let mut bytes = [&[0x82][..], &[0x80 | u8::try_from(replicas.len()).unwrap()]].concat();
        for replica in replicas {
            bytes.extend([&[0x50][..], &[0; 15], &[*replica]].concat());
        }
        bytes
    };
    let mut register = Register::default();
    assert_eq!(encode(&register), [&table(&[])[..], NULL].concat());
    register.write(A, id(2, 7));
    assert_eq!(
        encode(&register),
        [&table(&[2])[..], b"\x83\x00\x07\x61a"].concat()
    );
    let mut first = First::default();
    first.write(A, id(2, 7), &|_| false);
    assert_eq!(encode(&first), encode(&register));
    let mut sum = Sum::default();
    sum.add(-3);
    assert_eq!(encode(&sum), [&table(&[])[..], b"\x22"].concat());
    let (mut siblings, mut set) = (Siblings::default(), DotSet::default());
    for (replica, value) in [(9, B), (2, A)] {
        siblings.write(value, id(replica, 1), &|_| false);
        set.add(value, id(replica, 1), &|_| false);
        set.add(A, id(replica, 1), &|_| false);
    }
    let both = table(&[2, 9]);
    let expected = b"\x86\x00\x01\x61a\x01\x01\x61b";
    assert_eq!(encode(&siblings), [&both[..], expected].concat());
    let expected = b"\xa2\x61a\x84\x00\x01\x01\x01\x61b\x82\x01\x01";
    assert_eq!(encode(&set), [&both[..], expected].concat());
}

#[test]
fn an_image_that_is_not_one_is_refused() {
    let mut cell = DotSet::default();
    cell.add(A, id_of(0), &|_| false);
    cell.add(A, id_of(1), &|_| false);
    let bytes = encode(&cell);
    for at in 0..bytes.len() {
        for byte in [0x00, 0x01, 0x80, 0xa0, 0xf6, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            // Either an error or another cell, never a panic.
            if let Ok(cell) = decode::<DotSet>(&changed) {
                survives(&cell);
            }
            assert!(decode::<Siblings>(&changed).is_err());
        }
    }
}

#[test]
fn an_image_whose_parts_are_missing_or_out_of_order_is_refused() {
    let image = |replicas: &[u8], cell: &[u8]| {
        let mut writer = crate::event::cbor::Writer::new();
        writer.array(2).array(replicas.len());
        for replica in replicas {
            writer.bytes(&[*replica; 16]);
        }
        writer.raw(cell).as_bytes().to_vec()
    };
    // {"a": [replica 0, seq 1]}, then one dot less, half a dot more, a dot twice, an unknown replica,
    // a seq of zero.
    assert!(decode::<DotSet>(&image(&[1], b"\xa1\x61a\x82\x00\x01")).is_ok());
    for bad in [
        &b"\xa1\x61a\x80"[..],
        b"\xa1\x61a\x83\x00\x01\x00",
        b"\xa1\x61a\x84\x00\x01\x00\x01",
        b"\xa1\x61a\x82\x01\x01",
        b"\xa1\x61a\x82\x00\x00",
        b"\xa2\x61b\x82\x00\x01\x61a\x82\x00\x01",
    ] {
        assert!(decode::<DotSet>(&image(&[1], bad)).is_err(), "{bad:?}");
    }
    assert!(decode::<DotSet>(&image(&[2, 1], b"\xa0")).is_err());
    assert!(decode::<Siblings>(&image(&[1], b"\x83\x00\x01\x07")).is_ok());
    for bad in [
        &b"\x82\x00\x01"[..],
        b"\x81\x00",
        b"\x86\x00\x02\x07\x00\x01\x07",
    ] {
        assert!(decode::<Siblings>(&image(&[1], bad)).is_err(), "{bad:?}");
    }
    assert!(decode::<Register>(&image(&[1], b"\x82\x00\x01")).is_err());
}

#[test]
fn a_sum_that_leaves_128_bits_still_commutes() {
    let greatest = crate::event::cbor::to_vec(&i128::MAX).unwrap();
    let image = [&[0x82, 0x80][..], &greatest].concat();
    let mut cell: Sum = decode(&image).unwrap();
    cell.add(1);
    cell.add(-1);
    assert_eq!(cell.total(), i128::MAX);
}

fn histories<T: Clone + 'static>(letters: &[T]) -> impl Iterator<Item = (Pasts, Vec<T>)> {
    let words = all_words(letters, 4);
    all_pasts(4).into_iter().flat_map(move |pasts| {
        let with = move |word: &Vec<T>| (pasts.clone(), word.clone());
        words.iter().map(with).collect::<Vec<_>>()
    })
}
