//! Every store against every law of `EventStore`.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "fjall")]
mod durable_image;

use anabranch::store::MemoryStore;
use anabranch::store_conformance;
use anabranch::testing::conformance::store::StoreHome;

struct MemoryHome(MemoryStore);

impl StoreHome for MemoryHome {
    type Store = MemoryStore;

    fn new() -> Self {
        Self(MemoryStore::new())
    }

    fn open(&self) -> MemoryStore {
        self.0.clone()
    }

    fn lose_power(&self, store: MemoryStore) {
        store.power_loss();
    }
}

store_conformance!(memory, MemoryHome);

#[cfg(feature = "fjall")]
store_conformance!(fjall, durable_image::FjallHome);
