//! A hub: a replica without rules that listens.

use anabranch::{FjallStore, Hub, MemoryStore, Replica};

use super::{runtime, say, until_told_to_end};
use crate::Done;

/// Over a store in a folder, or in memory.
pub(super) fn run(threads: usize, folder: Option<&str>) -> Done<()> {
    runtime(threads)?.block_on(async {
        let replica = match folder {
            Some(folder) => Replica::builder(FjallStore::open(folder)?).open().await?,
            None => Replica::builder(MemoryStore::new()).open().await?,
        };
        let hub = Hub::builder(replica).bind("127.0.0.1:0").start().await?;
        say(&format!("ws://{}/sync", hub.local_addr()));
        tokio::task::spawn_blocking(until_told_to_end).await?;
        hub.stop().await?;
        Ok(())
    })
}
