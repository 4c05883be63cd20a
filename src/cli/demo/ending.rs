use std::fmt::Write;

use serde_json::{Value, json};

use super::super::failure::{Failure, Kind};
use super::super::table::Table;
use super::order::{AggregateReport, Explained, Report};

/// What somebody wrote while they were apart.
#[derive(Clone, Debug)]
pub(super) struct Wrote {
    pub(super) who: &'static str,
    pub(super) aggregate: &'static str,
    /// For people.
    pub(super) what: String,
    /// Nothing for many events in one line.
    id: Option<String>,
}

impl Wrote {
    pub(super) fn one(
        who: &'static str,
        aggregate: &'static str,
        payload: &Value,
        id: String,
    ) -> Self {
        let what = match fields(payload) {
            Some(fields) => listed(fields),
            None => payload.to_string(),
        };
        Self {
            who,
            aggregate,
            what,
            id: Some(id),
        }
    }

    pub(super) fn many(who: &'static str, aggregate: &'static str, what: String) -> Self {
        Self {
            who,
            aggregate,
            what,
            id: None,
        }
    }

    /// Why the rule refused it, if it did.
    fn rejected(&self, report: &AggregateReport) -> Option<String> {
        let written = report.written(self.id.as_deref()?)?;
        let reason = written.rejected.as_ref()?;
        Some(format!("rejected: {} {} ({reason})", self.who, self.what))
    }

    /// The part of it that does not count, because somebody who did not know of it wrote, too.
    fn overruled(&self, report: &AggregateReport) -> Option<String> {
        let written = report.written(self.id.as_deref()?)?;
        let what = written.overruled.join(" ");
        (!what.is_empty()).then(|| format!("overruled: {} {what}", self.who))
    }
}

/// The fields that a payload sets or has.
fn fields(payload: &Value) -> Option<&serde_json::Map<String, Value>> {
    payload.get("set").unwrap_or(payload).as_object()
}

fn listed(fields: &serde_json::Map<String, Value>) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

/// What came of it, as each of the four sees it.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) reports: Vec<(&'static str, Report)>,
    pub(super) wrote: Vec<Wrote>,
    /// Every event that must be there, with its aggregate.
    pub(super) expected: Vec<(&'static str, String)>,
    /// How many writes had been acknowledged when their writer was killed.
    pub(super) killed_after: usize,
    /// Why the most interesting aggregate is what it is.
    pub(super) explained: Explained,
}

impl Ending {
    /// Whether all that was promised holds; else what does not.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let mut broken = Vec::new();
        if !self.is_equal() {
            broken.push(String::from("the four do not have the same states"));
        }
        for (name, report) in &self.reports {
            let lost = self.expected.iter().filter(|(aggregate, id)| {
                report
                    .aggregate(aggregate)
                    .is_none_or(|report| report.count(id) != 1)
            });
            match lost.count() {
                0 => {}
                lost => broken.push(format!("{name} does not hold {lost} events once")),
            }
            if report.waiting > 0 {
                broken.push(format!("{} commits wait at {name}", report.waiting));
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, broken.join("; ")))
    }

    fn is_equal(&self) -> bool {
        let mut digests = self.reports.iter().map(|(_, report)| &report.digest);
        let first = digests.next();
        first.is_some_and(|first| digests.all(|digest| digest == first))
    }

    fn aggregates(&self) -> &[AggregateReport] {
        self.reports
            .first()
            .map(|(_, report)| report.aggregates.as_slice())
            .unwrap_or_default()
    }

    fn wrote(&self, report: &AggregateReport) -> impl Iterator<Item = &Wrote> {
        self.wrote
            .iter()
            .filter(|wrote| wrote.aggregate == report.aggregate)
    }

    fn settled(&self, report: &AggregateReport) -> Vec<String> {
        let settled = |wrote: &Wrote| wrote.rejected(report).or_else(|| wrote.overruled(report));
        self.wrote(report).filter_map(settled).collect()
    }

    /// What came of each aggregate.
    pub(super) fn outcomes(&self) -> String {
        let mut table = Table::new([
            "aggregate",
            "written apart",
            "outcome",
            "rule",
            "rejected or overruled",
        ]);
        for report in self.aggregates() {
            let wrote = self
                .wrote(report)
                .map(|wrote| format!("{}: {}", wrote.who, wrote.what));
            let wrote = wrote.collect::<Vec<_>>().join("\n");
            let settled = self.settled(report).join("\n");
            table.row([
                &report.aggregate,
                &wrote,
                &outcome(&report.state),
                &report.rule,
                &settled,
            ]);
        }
        format!("\n{table}")
    }

    /// That all four are equal.
    pub(super) fn text(&self, elapsed_ms: u64) -> String {
        let mut replicas = Table::new(["replica", "events", "digest of all states"]);
        for (name, report) in &self.reports {
            replicas.row([name, &report.events.to_string(), &report.digest]);
        }
        let mut text = format!("\n{replicas}\n");
        let verdict = match self.verdict() {
            Ok(()) => format!(
                "All four have the same states. Each of the {} events is there, once;\n{} of them were \
                 acknowledged by a process that was killed.",
                self.expected.len(),
                self.killed_after
            ),
            Err(failure) => format!("This is a bug: {}", failure.what),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{verdict}\n{}.{:01} s",
            elapsed_ms / 1000,
            elapsed_ms % 1000 / 100
        );
        text
    }

    pub(super) fn json(&self, elapsed_ms: u64) -> Value {
        let aggregates = self.aggregates().iter().map(|report| {
            let wrote = self.wrote(report);
            let wrote = wrote.map(|wrote| json!({ "who": wrote.who, "what": wrote.what }));
            json!({
                "aggregate": report.aggregate,
                "wrote": wrote.collect::<Value>(),
                "outcome": report.state,
                "rule": report.rule,
                "settled": self.settled(report),
                "digest": report.digest,
            })
        });
        let replicas = self.reports.iter().map(|(name, report)| {
            json!({ "name": name, "events": report.events, "digest": report.digest })
        });
        json!({
            "kind": "ending",
            "aggregates": aggregates.collect::<Value>(),
            "replicas": replicas.collect::<Value>(),
            "equal": self.is_equal(),
            "events": self.expected.len(),
            "acknowledged_before_kill": self.killed_after,
            "elapsed_ms": elapsed_ms,
        })
    }
}

/// The state in a cell; many fields are counted.
fn outcome(state: &Value) -> String {
    const LISTED_FIELDS: usize = 8;
    match state.as_object() {
        Some(fields) if fields.len() > LISTED_FIELDS => format!("{} fields", fields.len()),
        Some(fields) => listed(fields),
        None => state.to_string(),
    }
}
