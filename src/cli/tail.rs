use anabranch::engine::Tailed;
use anabranch::hub::signals::Signals;
use anabranch::log::{Cursor, Epoch};
use futures::StreamExt;
use serde_json::Value;

use super::arguments::Tail;
use super::event::content;
use super::failure::Failure;
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
    let cursor = tailed.cursor.to_string();
    let mut json = super::event::json(event);
    json.insert("cursor".into(), cursor.as_str().into());
    let text = format!(
        "{}  {}  {}  {}  {}  {cursor}",
        utc(event.written_ms()),
        escaped(event.aggregate().as_str()),
        escaped(event.event_type().as_str()),
        escaped_json(&content(event.payload())),
        event.id(),
    );
    output.tell(&Value::Object(json), &text)
}
