//! The rule at work: a shop with two tills and no network between them. Each sells what it sees on the
//! shelf; both sell the last lamp. When they meet, one cart is refused, the same one on both.

use std::collections::BTreeMap;
use std::error::Error;

use anabranch::event::{EventId, cbor};
use anabranch::merge::{Outcome, Party, RaceQuery, Wording};
use anabranch::{Draft, Registry, Replica};

use crate::rule::{Move, Shelf, Stock, items};

/// How an explanation words what only this program knows.
struct Words;

impl Wording for Words {
    fn writer(&self, party: &Party) -> String {
        match party.event.payload().decode() {
            Ok(Move::Sold { to, .. }) => to,
            _ => "the depot".into(),
        }
    }

    fn time(&self, written_ms: u64) -> String {
        let minutes = written_ms / 60_000 % (24 * 60);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    fn value(&self, cbor: &[u8]) -> String {
        cbor::from_slice::<u32>(cbor).map_or("something".into(), |pieces| pieces.to_string())
    }
}

const SHELF: &str = "shelf/1";

fn sold<const N: usize>(to: &str, cart: [(&str, u32); N]) -> Result<Draft, Box<dyn Error>> {
    let items = items(cart);
    let to = to.into();
    Ok(Draft::new(SHELF, "sold", &Move::Sold { to, items })?)
}

/// Two tills, one lamp, and no network.
pub(crate) async fn open(rule: Stock) -> Result<(), Box<dyn Error>> {
    let rules = Registry::new().with("shelf", rule)?;
    let door = Replica::in_memory(rules.clone()).await?;
    let yard = Replica::in_memory(rules).await?;

    let items = items([("lamp", 1), ("tea", 5)]);
    let delivery = Draft::new(SHELF, "delivered", &Move::Delivered { items })?;
    door.record(delivery).await?;
    door.sync(&yard).await?;
    println!("a delivery, known at both tills");
    tell(&[("door", &door), ("yard", &yard)]).await?;

    // From here on neither till hears of the other, and each is right by what it knows.
    door.record(sold("Ann", [("lamp", 1), ("tea", 2)])?).await?;
    yard.record(sold("Bob", [("lamp", 1)])?).await?;
    yard.record(sold("Cid", [("tea", 3)])?).await?;
    println!("\napart: Ann buys at the door, Bob and Cid in the yard");
    tell(&[("door", &door), ("yard", &yard)]).await?;

    // What a till's own rule refuses as things stand is not written at all.
    match door.record(sold("Dan", [("lamp", 1)])?).await {
        Ok(_) => return Err("a second lamp was sold at the door".into()),
        Err(refused) => println!("\nthe door refuses Dan at once: {refused}"),
    }

    // Both sold the lamp. The order that all replicas share says which cart came first.
    let report = door.sync(&yard).await?;
    println!("\nthey meet: {report}");
    tell(&[("door", &door), ("yard", &yard)]).await?;
    assert_eq!(door.digest(SHELF).await?, yard.digest(SHELF).await?);

    println!("\nwhat became of each cart");
    let (at_door, in_yard) = (fates(&door).await?, fates(&yard).await?);
    assert_eq!(at_door, in_yard, "both tills refuse the same");
    for (_, buyer, refused) in &at_door {
        match refused {
            None => println!("  {buyer}: sold"),
            Some(why) => println!("  {buyer}: refused at both tills, {why}"),
        }
    }
    let refused: Vec<&str> = at_door
        .iter()
        .filter(|(_, _, refused)| refused.is_some())
        .map(|(_, buyer, _)| buyer.as_str())
        .collect();
    assert!(
        refused == ["Ann"] || refused == ["Bob"],
        "one lamp, one buyer"
    );

    // Cid's tea was never in question. A cart is sold whole, so if Ann's was refused, her tea is left.
    let shelf: Shelf = door.state(SHELF).await?.unwrap_or_default();
    let tea = if refused == ["Ann"] { 2 } else { 0 };
    assert_eq!(
        shelf.0,
        BTreeMap::from([("lamp".into(), 0), ("tea".into(), tea)])
    );
    explain(&yard).await?;
    println!(
        "\n{} is told so; the event stays in the log of both",
        refused.join(", ")
    );
    Ok(())
}

/// What was contested, item by item, in words: from `footprint`, `judge` and `value_at` above.
async fn explain(yard: &Replica) -> Result<(), Box<dyn Error>> {
    println!("\nwhy, as the yard explains it");
    let told = yard.explain(SHELF, RaceQuery::default()).await?;
    let told = told.ok_or("there is no shelf")?;
    for race in &told.races {
        for sentence in race.sentences(&Words) {
            println!("  {sentence}");
        }
    }
    assert_eq!(told.races.len(), 2, "the lamp, and the tea");
    Ok(())
}

/// Every sale in the order that all replicas share: its id, the buyer, and why it was refused.
async fn fates(till: &Replica) -> Result<Vec<(EventId, String, Option<String>)>, Box<dyn Error>> {
    let mut fates = Vec::new();
    for told in till.history(SHELF).await? {
        let Move::Sold { to, .. } = told.event.payload().decode()? else {
            continue;
        };
        let refused = match told.outcome {
            Some(Outcome::Rejected(why)) => Some(why.to_string()),
            _ => None,
        };
        fates.push((told.event.id(), to, refused));
    }
    Ok(fates)
}

async fn tell(tills: &[(&str, &Replica)]) -> Result<(), Box<dyn Error>> {
    for (name, till) in tills {
        let shelf: Shelf = till.state(SHELF).await?.unwrap_or_default();
        let left = shelf.0.iter().map(|(item, left)| format!("{left} {item}"));
        println!("  {name}: {}", left.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}
