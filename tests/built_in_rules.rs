//! The built-in rules as an application meets them: through the handle, and whatever bytes somebody
//! calls a payload.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use anabranch::engine::Failure;
use anabranch::event::{Draft, Payload, cbor};
use anabranch::replica::{RecordError, Replica};
use anabranch::resolver::{
    AddWinsSet, Counter, FieldMerge, FirstWriteWins, Key, LastWriteWins, Manual, MultiValue,
    Registry, Route, SetEdit,
};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

fn registry() -> Registry {
    let registry = Registry::new().with("seat", FirstWriteWins).unwrap();
    let registry = registry.with("votes", Counter).unwrap();
    let registry = registry.with("tags", AddWinsSet).unwrap();
    let registry = registry.with("note", MultiValue).unwrap();
    registry.with("price", Manual).unwrap()
}

async fn two() -> (Replica, Replica) {
    let open = || Replica::in_memory(registry());
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    one.sync(&other).await.unwrap();
    (one, other)
}

async fn write<P: Serialize + ?Sized>(replica: &Replica, aggregate: &str, payload: &P) {
    let draft = Draft::new(aggregate, "changed", payload).unwrap();
    replica.record(draft).await.unwrap();
}

async fn shown(replica: &Replica, aggregate: &str) -> Value {
    replica.state(aggregate).await.unwrap().unwrap()
}

/// Both show the same, to the byte.
async fn meet(one: &Replica, other: &Replica, aggregate: &str) -> Value {
    one.sync(other).await.unwrap();
    let digests = (
        one.digest(aggregate).await.unwrap(),
        other.digest(aggregate).await.unwrap(),
    );
    assert_eq!(digests.0, digests.1);
    shown(one, aggregate).await
}

#[tokio::test]
async fn a_seat_is_claimed_once_and_free_again_when_it_is_given_up() {
    let (one, other) = two().await;
    write(&one, "seat/1", "Ada").await;
    assert_eq!(meet(&one, &other, "seat/1").await, json!("Ada"));
    write(&other, "seat/1", "Bob").await;
    assert_eq!(meet(&one, &other, "seat/1").await, json!("Ada"));
    write(&one, "seat/1", &()).await;
    assert_eq!(shown(&one, "seat/1").await, json!(null));
    write(&one, "seat/1", "Eve").await;
    assert_eq!(meet(&one, &other, "seat/1").await, json!("Eve"));
}

#[tokio::test]
async fn what_two_do_apart_is_counted_kept_and_added() {
    let (one, other) = two().await;
    for (replica, step) in [(&one, 3), (&other, -1), (&other, 5)] {
        write(replica, "votes/1", &step).await;
    }
    assert_eq!(meet(&one, &other, "votes/1").await, json!(7));
    for (replica, note) in [(&one, "six"), (&other, "at seven")] {
        write(replica, "note/1", note).await;
    }
    assert_eq!(
        meet(&one, &other, "note/1").await,
        json!(["six", "at seven"])
    );
    write(&other, "note/1", "at eight").await;
    assert_eq!(meet(&one, &other, "note/1").await, json!(["at eight"]));
    let edit = SetEdit::new().add("red").unwrap().add("blue").unwrap();
    write(&one, "tags/1", &edit).await;
    meet(&one, &other, "tags/1").await;
    write(&one, "tags/1", &SetEdit::new().remove("red").unwrap()).await;
    write(&one, "tags/1", &SetEdit::new().remove("blue").unwrap()).await;
    write(&other, "tags/1", &SetEdit::new().add("red").unwrap()).await;
    assert_eq!(meet(&one, &other, "tags/1").await, json!(["red"]));
}

#[tokio::test]
async fn an_open_conflict_is_written_over_by_a_decision_only() {
    let (one, other) = two().await;
    write(&one, "price/1", &Manual::write(&12).unwrap()).await;
    write(&other, "price/1", &Manual::write(&15).unwrap()).await;
    let open = json!({"open": [12, 15]});
    assert_eq!(meet(&one, &other, "price/1").await, open);
    let draft = Draft::new("price/1", "changed", &Manual::write(&13).unwrap()).unwrap();
    let error = one.record(draft).await.unwrap_err();
    assert!(matches!(
        error,
        RecordError::Failed(Failure::Rejected { index: 0, .. })
    ));
    assert_eq!(shown(&one, "price/1").await, open);
    write(&one, "price/1", &Manual::resolution(&13).unwrap()).await;
    assert_eq!(meet(&one, &other, "price/1").await, json!({"value": 13}));
    write(&other, "price/1", &Manual::write(&14).unwrap()).await;
    assert_eq!(meet(&one, &other, "price/1").await, json!({"value": 14}));
}

fn routes() -> [Route; 7] {
    [
        Route::new(LastWriteWins),
        Route::new(FirstWriteWins),
        Route::new(MultiValue),
        Route::new(Manual),
        Route::new(Counter),
        Route::new(AddWinsSet),
        Route::new(FieldMerge),
    ]
}

/// Bytes that some rule can read, before something happens to them.
fn readable() -> impl Strategy<Value = Vec<u8>> {
    let texts = prop::sample::select(vec![
        "null",
        "7",
        "-1",
        r#""a""#,
        r#"{"value": [1, {"a": null}]}"#,
        r#"{"resolve": 7}"#,
        r#"{"add": ["a", 7, [1]], "remove": ["b", "a"]}"#,
        r#"{"set": {"a": {"b": 1, "c": {}}, "d": [1]}, "remove": [["a"], [], ["d", "e"]]}"#,
    ]);
    texts.prop_map(|text| {
        let value: Value = serde_json::from_str(text).unwrap();
        cbor::to_vec(&value).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_payload_makes_a_rule_panic_or_say_what_is_not_cbor(
        bytes in readable(),
        other in readable(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes;
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let [payload, other] =
            [bytes, other].map(|bytes| Payload::from_bytes(bytes.into()).unwrap());
        for route in routes() {
            let rule = route.resolver();
            let footprint = rule.footprint(&payload);
            let keys = footprint.keys().iter().cloned().chain([Key::everything()]);
            for key in keys {
                let said = rule.value_at(&key, &payload);
                prop_assert!(said.is_none_or(|said| cbor::is_canonical(&said)));
                let verdict = rule.judge_at(&key, &payload, &other);
                let whole = rule.judge(&payload, &other);
                prop_assert_eq!(verdict.is_some(), whole.is_some());
            }
            if rule.judge(&payload, &payload).is_none() {
                prop_assert!(footprint.keys().is_empty());
            }
        }
    }
}
