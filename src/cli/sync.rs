use anabranch::replica::SyncOptions;
use serde_json::{Value, json};

use super::arguments::Sync;
use super::failure::{Failure, Kind};
use super::output::Output;
use super::progress::accompanied;
use super::table::Table;

/// Exchanges events with a hub once, and reports.
pub(super) async fn run(arguments: &Sync, output: Output) -> Result<(), Failure> {
    let options = match (arguments.push_only, arguments.pull_only) {
        (true, _) => SyncOptions::push_only(),
        (_, true) => SyncOptions::pull_only(),
        _ => SyncOptions::default(),
    };
    let replica = arguments.directory.open().await?;
    let sync = replica.sync_with(arguments.address.as_str(), options);
    let report = accompanied(&replica, sync).await;
    let closed = replica.close().await;
    let report = report?;
    let mut json = json!(report);
    if let Value::Object(fields) = &mut json {
        fields.insert("kind".into(), "sync".into());
        fields.insert("address".into(), json!(arguments.address));
    }
    let mut table = Table::plain();
    for (name, value) in [
        ("pushed", report.pushed),
        ("pulled", report.pulled),
        ("duplicates", report.duplicates),
        ("waiting", report.waiting),
        ("rejected", report.rejected),
        ("bytes sent", report.bytes_sent),
        ("bytes received", report.bytes_received),
        ("milliseconds", report.elapsed_ms),
    ] {
        table.row([name, &value.to_string()]);
    }
    for refused in &report.refused {
        table.row([
            "refused",
            &format!("{}\n{}\n{}", refused.commit, refused.why, refused.remedy),
        ]);
    }
    output.tell(&json, &table.to_string())?;
    closed?;
    match report.refused.first() {
        // What was refused and could be written again has reached the hub in its new form.
        Some(refused) if !report.caught_up => {
            let count = report.refused.len();
            let what = format!(
                "the hub refused {count} commits, the first because {}",
                refused.why
            );
            Err(Failure::new(Kind::Refused, what).with_remedy(refused.remedy.clone()))
        }
        _ => Ok(()),
    }
}
