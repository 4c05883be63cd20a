use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch::replica::{Replica, Verifying};
use anabranch::store::{Fault, VerifyReport};
use serde_json::{Value, json};

use super::arguments::Verify;
use super::failure::{Failure, Kind};
use super::output::Output;
use super::progress::{Progress, percent};
use super::table::Table;
use super::text::{count, escaped};

/// What to do about a damaged store.
const REMEDY: &str = "nothing was repaired: restore a copy, or found a new directory and sync it from \
                      a peer; what only this one holds can be saved with `anabranch export`";

/// Reads everything that a directory holds, and says what of it is damaged.
pub(super) async fn run(arguments: &Verify, output: Output) -> Result<(), Failure> {
    let replica = match arguments.directory.open_existing().await {
        // What keeps a store from being opened is a fault, too.
        Err(failure) if failure.is_damage => {
            return Err(Failure {
                kind: Kind::Faulty,
                ..failure
            });
        }
        opened => opened?,
    };
    let report = verified(&replica).await?;
    output.tell(&json(&report), &text(&report))?;
    replica.close().await?;
    match count(report.faults.len()).saturating_add(report.more_faults) {
        0 => Ok(()),
        faults => {
            let what = format!("{faults} faults were found");
            Err(Failure::new(Kind::Faulty, what).with_remedy(REMEDY))
        }
    }
}

async fn verified(replica: &Replica) -> Result<VerifyReport, Failure> {
    let read = Arc::new(AtomicU64::new(0));
    let told = read.clone();
    let end = replica.status().end;
    let verifying = replica.verify(move |Verifying { entries, .. }| {
        told.store(entries, Ordering::Relaxed);
    });
    let text = || {
        let read = read.load(Ordering::Relaxed);
        format!("{read} entries verified{}", percent(read, Some(end)))
    };
    Ok(Progress::new().during(verifying, text).await?)
}

fn json(report: &VerifyReport) -> Value {
    let faults = report.faults.iter().map(
        |Fault {
             position,
             what,
             reason,
         }| json!({ "position": position, "what": what, "reason": reason }),
    );
    json!({
        "kind": "verified",
        "whole": report.is_whole(),
        "entries": report.entries,
        "events": report.events,
        "bytes": report.bytes,
        "faults": faults.collect::<Value>(),
        "more_faults": report.more_faults,
    })
}

fn text(report: &VerifyReport) -> String {
    let mut table = Table::plain();
    table.row(["entries", &report.entries.to_string()]);
    table.row(["events", &report.events.to_string()]);
    table.row(["bytes", &report.bytes.to_string()]);
    let mut lines = vec![table.to_string()];
    let faults = report.faults.iter();
    lines.extend(faults.map(|fault| format!("fault  {}", escaped(&fault.to_string()))));
    if report.more_faults > 0 {
        lines.push(format!("... and {} more faults", report.more_faults));
    }
    if report.is_whole() {
        lines.push("everything is as it was written".into());
    }
    lines.join("\n")
}
