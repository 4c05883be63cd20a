//! A rule of one's own, from the first draft to the replicas: it has a subtle mistake, the harness shows
//! in which history, the mistake is mended, and the rule goes to work in a shop with two tills.
//!
//! `cargo run --features testing --example custom_resolver`

#[path = "custom_resolver/rule.rs"]
mod rule;
#[path = "custom_resolver/shop.rs"]
mod shop;

use std::error::Error;

use anabranch::resolver::Resolver;
use anabranch::testing::laws::{Alphabet, Budget, Law, Suite};

use rule::{Move, Stock, items};

/// How the rule is tried: with a few moves that get in each other's way. In a crate of its own,
/// `resolver_laws!(stock_laws, Stock::MENDED, moves())` makes a test of each law.
fn on_trial(rule: Stock) -> Suite<impl Resolver> {
    let sold = |to: &str, cart| Move::Sold {
        to: to.into(),
        items: cart,
    };
    let moves = [
        Move::Delivered {
            items: items([("lamp", 1), ("tea", 2)]),
        },
        sold("Ann", items([("lamp", 1), ("tea", 1)])),
        sold("Bob", items([("lamp", 1)])),
    ];
    Suite::new(rule, Alphabet::of(&moves))
        .with_budget(Budget::new(if cfg!(debug_assertions) {
            20_000
        } else {
            400_000
        }))
        .made_by("on_trial(Stock::FIRST_DRAFT)")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mended = on_trial(Stock::MENDED);
    // Where this is the second process of the comparison, it answers here and ends.
    let elsewhere = mended.failure_elsewhere("mended");

    println!("1. The first draft on trial. It claims that sales commute.\n");
    let report = on_trial(Stock::FIRST_DRAFT).check();
    let failure = report
        .failures()
        .next()
        .ok_or("the mistake slipped through")?;
    assert_eq!(failure.law, Law::Commutation);
    println!("{failure}");

    println!(
        "2. How to read it. Each lane is a till, time runs down, and as there is no arrow neither"
    );
    println!(
        "   had heard of the other. In the order that all replicas share the sale is first, and"
    );
    println!(
        "   is refused: there was no lamp yet. A replica that takes the claim at its word may"
    );
    println!(
        "   fold the delivery first, and sell. Sales that are admitted commute; who is admitted"
    );
    println!("   depends on the order. The mend is to claim nothing.\n");

    println!("3. The mended rule on trial, in this process and in another one.\n");
    let report = mended.check();
    println!("{report}");
    if let Some(failure) = elsewhere {
        return Err(failure.to_string().into());
    }
    if !report.is_kept() {
        return Err("the mended rule breaks a law".into());
    }

    println!("4. The mended rule at work.\n");
    shop::open(Stock::MENDED).await
}
