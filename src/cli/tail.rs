use anabranch::engine::Tailed;
use anabranch::hub::signals::Signals;
use anabranch::log::{Cursor, Epoch};
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::arguments::Tail;
use super::failure::Failure;
use super::json::from_cbor;
use super::output::Output;
use super::place::filter;
use super::text::{escaped, escaped_json, utc};
use super::watch::{Told, next_status};

/// Shows events in the order in which they arrived.
pub(super) async fn run(arguments: &Tail, output: Output) -> Result<(), Failure> {
    let filter = filter(&arguments.prefixes)?;
    let mut signals = Signals::install()?;
    let opened = arguments.place.open(false).await?;
    let mut live = None;
    let mut told = Told::default();
    let mut tail = if arguments.follow {
        live = opened.connect()?;
        opened.replica.tail(filter, arguments.from)?
    } else {
        if !opened.on_hub {
            opened.exchange(output).await?;
        }
        opened.replica.tail_so_far(filter, arguments.from)?
    };
    loop {
        tokio::select! {
            () = signals.next() => break,
            event = tail.next() => match event {
                Some(event) => show(&event?, output)?,
                None => break,
            },
            status = next_status(&mut live) => told.tell(&opened, &status, output)?,
        }
    }
    if let Some(live) = live {
        live.close().await;
    }
    Ok(opened.replica.close().await?)
}

/// Reads a cursor as it is printed.
pub(super) fn cursor(text: &str) -> Result<Cursor, String> {
    let parsed = text.split_once('@').and_then(|(epoch, position)| {
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        let position = position.parse().ok()?;
        Some(Cursor {
            epoch: Epoch::from_bits(epoch),
            position,
        })
    });
    parsed.ok_or_else(|| {
        "expected a cursor as tail prints it, for example 0123456789abcdef@42".into()
    })
}

fn show(tailed: &Tailed, output: Output) -> Result<(), Failure> {
    let event = &tailed.event;
    let payload = event.payload().decode::<ciborium::Value>().map(from_cbor);
    let payload = payload.unwrap_or_else(|error| json!({ "unreadable": error.to_string() }));
    let meta: Map<String, Value> = event
        .metadata()
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let cursor = tailed.cursor.to_string();
    let json = json!({
        "kind": "event",
        "id": event.id().to_string(),
        "aggregate": event.aggregate(),
        "type": event.event_type().as_str(),
        "payload": payload,
        "meta": meta,
        "timestamp": event.timestamp().to_string(),
        "written_ms": event.written_ms(),
        "replaces": event.replaces().map(|id| id.to_string()),
        "cursor": cursor,
    });
    let text = format!(
        "{}  {}  {}  {}  {}  {cursor}",
        utc(event.written_ms()),
        escaped(event.aggregate().as_str()),
        escaped(event.event_type().as_str()),
        escaped_json(&payload),
        event.id(),
    );
    output.tell(&json, &text)
}
