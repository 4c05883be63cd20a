//! The evidence is a test that compiles, and fails until the rule is mended.

use anabranch::resolver::Resolver;
use anabranch::testing::laws::{Alphabet, Suite};

use crate::rules::{hash_set, small_footprint};
use crate::{digest, only, record, replica};

fn your_suite() -> Suite<impl Resolver> {
    Suite::new(small_footprint(), Alphabet::of(&[()]))
}

#[test]
#[should_panic(expected = "places@1 breaks the law of footprint")]
// The text below, from here ...
fn places_keeps_footprint() {
    use anabranch::testing::laws::{History, Law};

    let history = History::new()
        .event("A", [], "6163") // "c"
        .event("B", [], "6165"); // "e"
    // Of places@1.
    your_suite().assert_keeps(Law::Footprint, &history);
}
// ... to here is what was printed.

#[tokio::test]
async fn what_is_printed_is_what_stands_here() {
    let laptop = replica(small_footprint(), 0).await;
    let phone = replica(small_footprint(), 10).await;
    for name in ["x", "y", "a", "z"] {
        record(&laptop, "places/1", &name).await;
    }
    laptop.sync(&phone).await.unwrap();
    for name in ["x", "b", "a", "c"] {
        record(&laptop, "places/1", &name).await;
    }
    for name in ["y", "d", "e"] {
        record(&phone, "places/1", &name).await;
    }
    digest(&phone, "places/1").await;
    laptop.sync(&phone).await.unwrap();
    let health = phone.health().await;
    let evidence = only(&health).evidence.clone().unwrap();
    assert!(evidence.is_shown);
    let here = include_str!("shown.rs");
    let from = here.find("fn places_keeps_footprint").unwrap();
    let until = here.find("// ... to here").unwrap();
    let written = evidence.test.strip_prefix("#[test]\n").unwrap();
    // How lines are broken is a matter of taste.
    let without = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(without(written), without(&here[from..until]));
}

#[tokio::test]
async fn a_hash_set_shows_in_a_few_events() {
    let (laptop, phone) = (replica(hash_set(), 0).await, replica(hash_set(), 0).await);
    for number in 0..40 {
        record(&laptop, "seen/1", &format!("name {number}")).await;
    }
    laptop.sync(&phone).await.unwrap();
    let health = laptop.health().await;
    let evidence = only(&health).evidence.clone().unwrap();
    assert!(
        evidence.is_shown && evidence.events <= 4,
        "{}",
        evidence.test
    );
}

#[tokio::test]
async fn a_long_history_is_made_small() {
    let laptop = replica(small_footprint(), 0).await;
    let phone = replica(small_footprint(), 600).await;
    for number in 0..300 {
        record(&laptop, "places/1", &format!("a{number}")).await;
        record(&phone, "places/1", &format!("b{number}")).await;
    }
    digest(&phone, "places/1").await;
    laptop.sync(&phone).await.unwrap();
    let health = phone.health().await;
    let evidence = only(&health).evidence.clone().unwrap();
    assert_eq!((evidence.events, evidence.is_shown), (2, true));
}
