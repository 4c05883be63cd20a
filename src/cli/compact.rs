use serde_json::json;

use super::arguments::Compact;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;

/// Gives back what a directory's files hold in vain.
pub(super) async fn run(arguments: &Compact, output: Output) -> Result<(), Failure> {
    let replica = arguments.directory.open_existing().await?;
    let mut progress = Progress::new();
    let compacting = progress.during(replica.compact(), || "compacting".into());
    let compacted = compacting.await?;
    let (before, after) = (compacted.bytes_before, compacted.bytes_after);
    let json = json!({ "kind": "compacted", "bytes_before": before, "bytes_after": after });
    output.tell(&json, &format!("{before} bytes before, {after} now"))?;
    Ok(replica.close().await?)
}
