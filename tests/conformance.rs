//! Every store against every law of `EventStore`.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance {
    mod planted;
    mod wrong_store;
}
#[cfg(feature = "fjall")]
mod durable_image;

use anabranch::store::MemoryStore;
use anabranch::store_conformance;
use anabranch::testing::conformance::store::Place;
use anabranch::testing::doubles::{FaultyStore, StoreFaults};

store_conformance!(memory, || Place::with_power(
    MemoryStore::new(),
    |memory| Ok(memory.clone()),
    |_, store| store.power_loss(),
));

store_conformance!(faulty_without_faults, || Place::with_power(
    MemoryStore::new(),
    |memory| Ok(FaultyStore::new(memory.clone(), StoreFaults::new())),
    |_, store| store.inner().power_loss(),
));

#[cfg(feature = "fjall")]
store_conformance!(fjall, durable_image::store_in_a_folder);

mod memory_alone {
    use anabranch::log::{Durability, Epoch, Group, Note, Opening};
    use anabranch::store::{EventStore, MemoryStore, StoreError};
    use futures::FutureExt;

    fn begin(store: &MemoryStore, epoch: u64) -> Opening {
        store
            .begin(Epoch::from_bits(epoch))
            .now_or_never()
            .unwrap()
            .unwrap()
    }

    fn put(store: &MemoryStore, key: &str, durability: Durability) -> Result<u64, StoreError> {
        let note = Note {
            key: key.into(),
            value: Some("1".into()),
        };
        let group = Group {
            notes: vec![note],
            durability,
            ..Group::default()
        };
        store.append(group).now_or_never().unwrap()
    }

    fn keys(opening: &Opening) -> Vec<&[u8]> {
        opening
            .notes
            .iter()
            .map(|(key, _)| key.as_slice())
            .collect()
    }

    #[test]
    fn a_begin_on_another_handle_ends_the_right_to_write() {
        let first = MemoryStore::new();
        let second = first.clone();
        begin(&first, 1);
        assert!(put(&first, "a", Durability::Durable).is_ok());
        assert!(matches!(
            put(&second, "b", Durability::Durable),
            Err(StoreError::Closed)
        ));
        begin(&second, 2);
        assert!(matches!(
            put(&first, "c", Durability::Durable),
            Err(StoreError::Closed)
        ));
        assert!(first.close().now_or_never().unwrap().is_ok());
        assert!(put(&second, "d", Durability::Durable).is_ok());
        assert_eq!(keys(&begin(&first, 3)), [b"a", b"d"]);
    }

    #[test]
    fn a_copy_is_a_store_of_its_own() {
        let store = MemoryStore::new();
        begin(&store, 1);
        put(&store, "a", Durability::Durable).unwrap();
        let backup = store.copy();
        put(&store, "b", Durability::Durable).unwrap();
        let opening = begin(&backup, 2);
        assert_eq!(keys(&opening), [b"a"]);
        assert!(!opening.clean);
        put(&backup, "c", Durability::Durable).unwrap();
        assert_eq!(keys(&begin(&store, 3)), [b"a", b"b"]);
    }

    #[test]
    fn what_nothing_durable_covers_is_lost_with_the_power() {
        let store = MemoryStore::new();
        begin(&store, 1);
        put(&store, "a", Durability::Durable).unwrap();
        put(&store, "b", Durability::Buffered).unwrap();
        store.power_loss();
        assert!(matches!(
            put(&store, "c", Durability::Durable),
            Err(StoreError::Closed)
        ));
        assert_eq!(keys(&begin(&store, 2)), [b"a"]);
    }
}
