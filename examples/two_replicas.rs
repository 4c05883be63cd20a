//! Two replicas write to the same aggregates while apart, meet once, and hold the same state.
//!
//! `cargo run --example two_replicas`

use std::error::Error;

use anabranch::{Draft, FieldEdit, FieldMerge, LastWriteWins, Registry, Replica};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The first segment of an aggregate's name is its type, and each type has a rule. Replicas that
    // are to agree bind the same types to the same rules.
    let rules = Registry::new()
        .with("task", FieldMerge)?
        .with("setting", LastWriteWins)?;
    let laptop = Replica::in_memory(rules.clone()).await?;
    let phone = Replica::in_memory(rules).await?;

    // A write is an event: what it is about, what kind of fact it states, what it says. Both write
    // without knowing of each other.
    let title = FieldEdit::new().set(["title"], "buy milk")?;
    laptop
        .record(Draft::new("task/1", "edited", &title)?)
        .await?;
    laptop
        .record(Draft::new("setting/theme", "chosen", "dark")?)
        .await?;
    let done = FieldEdit::new().set(["done"], &true)?;
    phone.record(Draft::new("task/1", "edited", &done)?).await?;
    phone
        .record(Draft::new("setting/theme", "chosen", "light")?)
        .await?;
    println!("apart");
    tell("laptop", &laptop).await?;
    tell("phone", &phone).await?;

    // One exchange, in both directions; the end that asked for it is told what crossed.
    let report = laptop.sync(&phone).await?;
    println!("\nthey meet: {report}");
    tell("laptop", &laptop).await?;
    tell("phone", &phone).await?;

    // The two edits of the task touched different fields, so both are there. The theme is a single
    // register: it has the later of two values, and both replicas agree which one is later.
    let task: Value = laptop.state("task/1").await?.unwrap_or_default();
    assert_eq!(task, serde_json::json!({"title": "buy milk", "done": true}));
    for aggregate in ["task/1", "setting/theme"] {
        let here = laptop.digest(aggregate).await?;
        let there = phone.digest(aggregate).await?;
        assert!(
            here.is_some() && here == there,
            "{aggregate} is not the same on both"
        );
    }

    // What the other end has is not sent again.
    let again = laptop.sync(&phone).await?;
    println!("\nthey meet again: {again}");
    assert_eq!((again.pushed, again.pulled, again.duplicates), (0, 0, 0));
    Ok(())
}

async fn tell(name: &str, replica: &Replica) -> Result<(), Box<dyn Error>> {
    for aggregate in replica.aggregates("", None, 10).await? {
        let state: Value = replica.state(&aggregate).await?.unwrap_or_default();
        println!("  {name:6}  {:13}  {state}", aggregate.as_str());
    }
    Ok(())
}
