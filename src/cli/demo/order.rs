use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the story asks of one process: one line of its stdin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// Be a hub.
    Listen,
    /// Stay connected to a hub; answered when both ends have everything.
    Connect { address: String },
    /// Go offline.
    Part,
    /// Write an event; answered when it is fsynced.
    Record {
        aggregate: String,
        event_type: String,
        payload: Value,
    },
    /// Answered when so many events are here and ready.
    Await { events: usize },
    /// Tell everything.
    Report,
    /// Tell why an aggregate is what it is.
    Explain { aggregate: String },
    /// Stop gracefully.
    Close,
}

/// One line of its stdout: the answers come in the order of the orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Answer {
    /// The process runs and its store is open. Comes by itself.
    Ready {
        replica: String,
    },
    Listening {
        address: String,
    },
    Recorded {
        id: String,
        wall_ms: u64,
    },
    /// The rule refuses the event; nothing was written.
    Refused {
        reason: String,
    },
    Report(Report),
    Explained(Explained),
    Done,
    /// What should not happen.
    Failed {
        reason: String,
    },
}

/// All that one replica holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) events: u64,
    pub(super) waiting: usize,
    /// One digest over the names and state digests of all aggregates.
    pub(super) digest: String,
    pub(super) aggregates: Vec<AggregateReport>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AggregateReport {
    pub(super) aggregate: String,
    pub(super) rule: String,
    pub(super) state: Value,
    pub(super) digest: String,
    /// In the order that all replicas share.
    pub(super) history: Vec<Written>,
}

/// Why an aggregate is what it is, for programs and for people.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Explained {
    pub(super) told: Value,
    pub(super) text: String,
}

/// One event and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) id: String,
    pub(super) payload: Value,
    /// Why the rule refused it, on every replica.
    pub(super) rejected: Option<String>,
    /// What of it does not count, because of somebody who did not know of it.
    pub(super) overruled: Vec<String>,
}

impl Report {
    pub(super) fn aggregate(&self, name: &str) -> Option<&AggregateReport> {
        self.aggregates
            .iter()
            .find(|report| report.aggregate == name)
    }
}

impl AggregateReport {
    /// How often an event is in the history.
    pub(super) fn count(&self, id: &str) -> usize {
        self.history
            .iter()
            .filter(|written| written.id == id)
            .count()
    }

    pub(super) fn written(&self, id: &str) -> Option<&Written> {
        self.history.iter().find(|written| written.id == id)
    }
}
