//! A replica in memory that is watched and read, connected to a hub.

use anabranch::resolver::LastWriteWins;
use anabranch::{Filter, MemoryStore, Replica};
use futures::StreamExt;

use super::{Fresh, registry, runtime, say, until_told_to_end};
use crate::Done;

/// Reads until so many events are here, then says how long each that was read had taken, in
/// microseconds.
pub(super) fn run(address: &str, events: u64) -> Done<()> {
    runtime(0)?.block_on(async {
        let builder = Replica::builder(MemoryStore::new()).registry(registry());
        let transport = anabranch::transport::websocket::WebSocketTransport::new();
        let replica = builder.transport(transport).open().await?;
        let mut watch = replica.watch(Filter::all());
        let mut connection = replica.connect(address)?;
        connection.caught_up().await;
        say("ready");
        let mut ages = Vec::new();
        while let Some(change) = watch.next().await {
            let age = replica.read::<LastWriteWins, _>(change.aggregate.as_str(), |state| {
                let fresh = state.decode::<Fresh>().ok().flatten();
                fresh.map(|fresh| fresh.age())
            });
            ages.extend(age.await?.flatten());
            if replica.status().events >= events {
                break;
            }
        }
        // What has come is folded; what was coalesced has been told.
        let ages: Vec<String> = ages
            .iter()
            .map(|age| format!("{:.1}", *age as f64 / 1e3))
            .collect();
        say(&ages.join(","));
        tokio::task::spawn_blocking(until_told_to_end).await?;
        connection.close().await;
        replica.close().await?;
        Ok(())
    })
}
