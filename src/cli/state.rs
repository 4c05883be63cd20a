use anabranch::engine::AggregateStatus;
use anabranch::event::AggregateId;
use anabranch::limits::PAGE_ENTRIES_MAX;
use anabranch::replica::{ReadError, Replica};
use serde_json::{Value, json};

use super::arguments::State;
use super::failure::{Failure, Kind};
use super::json::from_cbor;
use super::output::Output;
use super::progress::Progress;
use super::table::Table;
use super::text::{counted, escaped_json};

/// Shows the states that were asked for.
pub(super) async fn run(arguments: &State, output: Output) -> Result<(), Failure> {
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    let replica = &opened.replica;
    let all = [String::new()];
    let prefixes = if arguments.prefixes.is_empty() {
        &all[..]
    } else {
        &arguments.prefixes
    };
    for prefix in prefixes {
        let single = match AggregateId::new(prefix) {
            Ok(aggregate) => replica.describe(&aggregate).await?,
            Err(_) => None,
        };
        match single {
            Some(status) => show_one(replica, &status, output).await?,
            None => show_all(replica, prefix, output).await?,
        }
    }
    Ok(replica.close().await?)
}

/// What an aggregate shows: its state, or why there is none.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) state: Value,
    pub(super) digest: Option<String>,
    pub(super) unresolved: Option<String>,
}

impl Shown {
    pub(super) async fn read(replica: &Replica, aggregate: &AggregateId) -> Result<Self, Failure> {
        match replica.state::<ciborium::Value>(aggregate).await {
            Ok(state) => Ok(Self {
                state: state.map_or(Value::Null, from_cbor),
                digest: replica
                    .digest(aggregate)
                    .await?
                    .map(|digest| digest.to_string()),
                unresolved: None,
            }),
            Err(ReadError::Unresolved { why, .. }) => Ok(Self {
                state: Value::Null,
                digest: None,
                unresolved: Some(why.to_string()),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The state in one line.
    pub(super) fn text(&self) -> String {
        match &self.unresolved {
            Some(why) => format!("unresolved: {why}"),
            None => escaped_json(&self.state),
        }
    }

    pub(super) fn json(&self, aggregate: &AggregateId) -> Value {
        json!({
            "kind": "state",
            "aggregate": aggregate,
            "state": self.state,
            "digest": self.digest,
            "unresolved": self.unresolved,
        })
    }
}

async fn show_one(
    replica: &Replica,
    status: &AggregateStatus,
    output: Output,
) -> Result<(), Failure> {
    let shown = Shown::read(replica, &status.aggregate).await?;
    let rule = status.resolver.as_ref().map(ToString::to_string);
    let heads: Vec<String> = status
        .heads
        .iter()
        .map(|head| head.id.to_string())
        .collect();
    let mut json = shown.json(&status.aggregate);
    if let Value::Object(fields) = &mut json {
        let rejected = status
            .rejected
            .iter()
            .map(|(id, reason)| json!({ "event": id.to_string(), "reason": reason.to_string() }));
        fields.insert("rule".into(), json!(rule));
        fields.insert("events".into(), json!(status.events));
        fields.insert("heads".into(), json!(heads));
        fields.insert("rejected".into(), rejected.collect());
    }
    let mut table = Table::plain();
    table.row(["aggregate", status.aggregate.as_str()]);
    table.row(["rule", rule.as_deref().unwrap_or("none")]);
    table.row(["events", &status.events.to_string()]);
    table.row(["digest", shown.digest.as_deref().unwrap_or("none")]);
    for (id, reason) in &status.rejected {
        table.row(["rejected", &format!("{id}\n{reason}")]);
    }
    let state = match &shown.unresolved {
        Some(why) => format!("unresolved: {}", super::text::escaped(why)),
        None => pretty(&shown.state),
    };
    output.tell(&json, &format!("{table}\n{state}"))
}

/// JSON over several lines, each of them safe.
fn pretty(state: &Value) -> String {
    let text = format!("{state:#}");
    let lines: Vec<String> = text.lines().map(super::text::escaped).collect();
    lines.join("\n")
}

async fn show_all(replica: &Replica, prefix: &str, output: Output) -> Result<(), Failure> {
    let mut table = Table::new(["aggregate", "state", "digest"]);
    let mut found = false;
    let mut after = None;
    let mut progress = Progress::new();
    let mut count = 0u64;
    loop {
        let page = replica.aggregates(prefix, after, PAGE_ENTRIES_MAX).await?;
        for aggregate in &page {
            found = true;
            let shown = Shown::read(replica, aggregate).await?;
            count += 1;
            progress.show(|| format!("{} read", counted(count, "state")));
            if output.is_json() {
                progress.clear();
                output.tell(&shown.json(aggregate), "")?;
            } else {
                let digest = shown.digest.clone().unwrap_or_default();
                table.row([
                    aggregate.as_str(),
                    &shown.text(),
                    digest.get(..8).unwrap_or_default(),
                ]);
            }
        }
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
    }
    progress.clear();
    if !found && !prefix.is_empty() {
        let what = format!("there is no event of {prefix}, nor of anything under it");
        return Err(Failure::new(Kind::Failed, what).with_remedy("`anabranch state` lists all"));
    }
    if found && !output.is_json() {
        output.tell(&Value::Null, &table.to_string())?;
    }
    if !found {
        output.note("no events yet");
    }
    Ok(())
}
