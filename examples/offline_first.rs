//! Seats are booked on two devices without a network. One is switched off in between. When they
//! meet, a rule that somebody wrote refuses the same booking on both.
//!
//! `cargo run --example offline_first`

use std::error::Error;

use anabranch::merge::Outcome;
use anabranch::{Draft, FoldFn, Registry, Rejection, Replica, Resolver};

/// A rule of one's own: a room with two seats.
///
/// It is a plain fold. Replicas give it the same events in the same order, whatever the order in
/// which they came, so it needs no algebra, only determinism: no clock, no randomness, no hash order.
fn seats() -> impl Resolver {
    let nobody = |_: &_| Vec::<String>::new();
    FoldFn::new("two-seats", 1, nobody, |guests, guest: &String, _| {
        guests.push(guest.clone());
    })
    // A refused booking stays in the log, changes nothing, and is refused on every replica.
    .with_admit(|guests, _, _| match guests.len() {
        0 | 1 => Ok(()),
        _ => Err(Rejection::new("both seats are taken")),
    })
}

fn booking(guest: &str) -> Result<Draft, Box<dyn Error>> {
    Ok(Draft::new("room/7", "booked", guest)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let rules = Registry::new().with("room", seats())?;
    let laptop = Replica::open_fjall(folder.path().join("laptop"), rules.clone()).await?;
    let phone = Replica::open_fjall(folder.path().join("phone"), rules.clone()).await?;

    // `record` returns when the event is fsynced. From then on this device keeps it.
    laptop.record(booking("ann")?).await?;
    phone.record(booking("bob")?).await?;
    println!("laptop booked ann, phone booked bob; neither knows of the other");

    // The phone is switched off and on again. Who it is, what it wrote and how far it has read
    // others are in its folder.
    let id = phone.id();
    phone.close().await?;
    let phone = Replica::open_fjall(folder.path().join("phone"), rules).await?;
    assert_eq!(phone.id(), id);
    assert_eq!(guests(&phone).await?, ["bob"]);
    phone.record(booking("cid")?).await?;
    println!(
        "phone was off and on again, and booked cid: {:?}",
        guests(&phone).await?
    );

    // What a replica's own rule refuses as things stand is not written at all.
    match phone.record(booking("dan")?).await {
        Ok(_) => return Err("a third guest got one of two seats".into()),
        Err(refused) => println!("phone refuses dan at once: {refused}"),
    }

    // Three bookings, two seats. Each was right where it was made; the order that all replicas share
    // decides which one is refused after all.
    let report = phone.sync(&laptop).await?;
    println!("\nthey meet: {report}");
    for (name, replica) in [("laptop", &laptop), ("phone", &phone)] {
        println!("  {name}: {:?}", guests(replica).await?);
    }
    assert_eq!(
        laptop.digest("room/7").await?,
        phone.digest("room/7").await?
    );
    assert_eq!(guests(&laptop).await?.len(), 2);

    // Nothing is lost silently: the log tells what became of every booking, the same on both.
    println!("\nwhat became of each booking");
    let (told, elsewhere) = (
        laptop.history("room/7").await?,
        phone.history("room/7").await?,
    );
    for (one, other) in told.iter().zip(&elsewhere) {
        let guest: String = one.event.payload().decode()?;
        match &one.outcome {
            Some(Outcome::Applied) => println!("  {guest}: has a seat"),
            Some(Outcome::Rejected(why)) => println!("  {guest}: rejected, {why}"),
            other => return Err(format!("{guest}: {other:?}").into()),
        }
        assert_eq!(
            (one.event.id(), &one.outcome),
            (other.event.id(), &other.outcome)
        );
    }
    assert_eq!((told.len(), elsewhere.len()), (3, 3));
    laptop.close().await?;
    phone.close().await?;
    Ok(())
}

async fn guests(replica: &Replica) -> Result<Vec<String>, Box<dyn Error>> {
    Ok(replica.state("room/7").await?.unwrap_or_default())
}
