//! Another process, with another hash seed, time zone and locale: asked out of the box by
//! `resolver_laws!`, and here for mistakes that nothing else shows.

use std::thread;

use anabranch::resolver::Counter;
use anabranch::resolver_laws;
use anabranch::testing::laws::{Alphabet, Budget};

use crate::rules::elsewhere::mistakes;

resolver_laws!(a_counter, Counter, Alphabet::of(&[1, -2]); |suite| {
    suite.with_budget(Budget::new(2_000))
});

#[test]
fn what_differs_from_process_to_process_is_found() {
    let test = concat!(
        module_path!(),
        "::what_differs_from_process_to_process_is_found"
    );
    // The second process comes by here for one of them, and ends there.
    thread::scope(|scope| {
        for mistake in mistakes() {
            let place = format!("{test}#{}", mistake.name);
            scope.spawn(move || {
                let found = mistake.suite.elsewhere(&place);
                assert!(found.is_some(), "{} slips through", mistake.name);
            });
        }
    });
}
