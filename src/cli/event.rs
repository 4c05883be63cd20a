use anabranch::event::{Event, Payload};
use serde_json::{Map, Value, json};

use super::json::from_cbor;

/// An event as all commands show it to programs.
pub(super) fn json(event: &Event) -> Map<String, Value> {
    let meta: Map<String, Value> = event
        .metadata()
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let fields = [
        ("kind", json!("event")),
        ("id", json!(event.id().to_string())),
        ("aggregate", json!(event.aggregate())),
        ("type", json!(event.event_type().as_str())),
        ("payload", content(event.payload())),
        ("meta", Value::Object(meta)),
        ("timestamp", json!(event.timestamp().to_string())),
        ("written_ms", json!(event.written_ms())),
        ("replaces", json!(event.replaces().map(|id| id.to_string()))),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// What an event says, as JSON shows it.
pub(super) fn content(payload: &Payload) -> Value {
    let value = payload.decode::<ciborium::Value>().map(from_cbor);
    value.unwrap_or_else(|error| json!({ "unreadable": error.to_string() }))
}
