//! A hub and two replicas, each on disk, over WebSockets on this machine: what one writes, the other's
//! watch tells at once. The hub stops, both write on, the hub comes back, and all catch up.
//!
//! `cargo run --features hub --example live_hub`

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use anabranch::replica::{Connection, ConnectionStatus, Watch};
use anabranch::{Draft, FieldEdit, FieldMerge, Filter, Hub, Registry, Replica};
use futures::StreamExt;
use serde_json::{Value, json};

/// Longer than anything here takes; what hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tokio::time::timeout(PATIENCE, story()).await?
}

async fn story() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();

    // A hub is a replica that listens. It is given no rules: it stores and forwards, and those who
    // read have the rules. Port 0 asks for any free one.
    let hub = start_hub(folder, "127.0.0.1:0").await?;
    let address = format!("ws://{}", hub.local_addr());
    println!("hub listens at {address}");

    let rules = Registry::new().with("task", FieldMerge)?;
    let ann = Replica::open_fjall(folder.join("ann"), rules.clone()).await?;
    let bob = Replica::open_fjall(folder.join("bob"), rules).await?;

    // `connect` returns at once and keeps the connection live from now on: it comes back by itself,
    // with growing delays, until it is closed or dropped.
    let mut ann_online = ann.connect(&address)?;
    let mut bob_online = bob.connect(&address)?;
    ann_online.caught_up().await;
    bob_online.caught_up().await;

    // A watch is a stream that says which aggregate has changed, not what its state is: that is read
    // when it is wanted. So a reader may be slow:
    // it misses no change, only states that others have followed by then.
    let mut ann_sees = ann.watch(Filter::under(["task"])?);
    let mut bob_sees = bob.watch(Filter::under(["task"])?);
    println!("\nann writes a title");
    ann.record(edit("title", &"buy milk")?).await?;
    wait_for("bob", &bob, &mut bob_sees, &json!({"title": "buy milk"})).await?;

    println!("\nthe hub stops");
    hub.stop().await?;
    until(&mut ann_online, |status| {
        matches!(status, ConnectionStatus::Waiting { .. })
    })
    .await?;
    ann.record(edit("title", &"buy oat milk")?).await?;
    bob.record(edit("done", &true)?).await?;
    println!("ann wrote another title, bob that it is done; each has only its own");

    // The same store at the same address. Each replica resumes where its cursor stands, so only what
    // is new crosses.
    println!("\nthe hub starts again");
    let hub = start_hub(folder, &hub.local_addr().to_string()).await?;
    let both = json!({"title": "buy oat milk", "done": true});
    wait_for("ann", &ann, &mut ann_sees, &both).await?;
    wait_for("bob", &bob, &mut bob_sees, &both).await?;
    assert_eq!(ann.digest("task/1").await?, bob.digest("task/1").await?);
    assert_eq!(hub.replica().status().events, 3);

    ann_online.close().await;
    bob_online.close().await;
    ann.close().await?;
    bob.close().await?;
    hub.stop().await?;
    println!("\nboth have the same state, and the hub holds all three events");
    Ok(())
}

async fn start_hub(folder: &Path, address: &str) -> Result<Hub, Box<dyn Error>> {
    let replica = Replica::open_fjall(folder.join("hub"), Registry::new()).await?;
    Ok(Hub::builder(replica).bind(address).start().await?)
}

fn edit<T: serde::Serialize>(field: &str, value: &T) -> Result<Draft, Box<dyn Error>> {
    let edit = FieldEdit::new().set([field], value)?;
    Ok(Draft::new("task/1", "edited", &edit)?)
}

/// Reads the task after each change that the watch tells, until it is as expected.
async fn wait_for(
    name: &str,
    replica: &Replica,
    changes: &mut Watch,
    expected: &Value,
) -> Result<(), Box<dyn Error>> {
    let mut state = Value::Null;
    while state != *expected {
        let change = changes.next().await.ok_or("the watch ended")?;
        state = replica.state(&change.aggregate).await?.unwrap_or_default();
        println!(
            "  {name} is told of {} new events, and reads {state}",
            change.events
        );
    }
    Ok(())
}

async fn until(
    connection: &mut Connection,
    wanted: impl Fn(&ConnectionStatus) -> bool,
) -> Result<(), Box<dyn Error>> {
    let mut status = connection.status();
    while !wanted(&status) {
        if matches!(status, ConnectionStatus::Ended { .. }) {
            return Err(format!("the connection ended: {status:?}").into());
        }
        status = connection.changed().await;
    }
    println!("  connection: {status:?}");
    Ok(())
}
