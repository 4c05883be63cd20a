//! Reads the history: one JSON line per commit, parents before children.
//!
//! Every author lane is a replica, every line that writes something a commit, the record (file and
//! first segment of the path) the aggregate, the rest of the path a field. What a commit has seen
//! are its ancestors; lines that write nothing only join histories.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anabranch::clock::HybridClock;
use anabranch::event::{
    AggregateId, Chain, Commit, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::resolver::FieldEdit;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

/// The record's own value has no field path; it is kept under this one, which no record uses.
const WHOLE: &str = "";

/// Everything that was read.
pub(crate) struct History {
    /// In the order of the file: parents before children.
    pub(crate) lines: Vec<Line>,
    /// In the same order.
    pub(crate) commits: Vec<Commit>,
}

/// One line of the file.
pub(crate) struct Line {
    /// Number of its commit in [`History::commits`], if it writes anything.
    pub(crate) commit: Option<usize>,
    /// Numbers of the lines it descends from, itself included.
    pub(crate) past: Numbers,
    /// When it was committed, in seconds.
    pub(crate) time: i64,
    /// SHA-256 of the state of exactly this line's past.
    pub(crate) digest: Option<String>,
    /// Conflicts that a person settled here.
    pub(crate) settled: Vec<Settled>,
}

/// One path that a person decided about.
pub(crate) struct Settled {
    /// Each rival's line and value.
    pub(crate) rivals: Vec<(usize, Value)>,
    /// What the person chose.
    pub(crate) result: Value,
}

/// A set of line numbers.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Vec<u64>);

impl Numbers {
    pub(crate) fn insert(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (number % 64);
        }
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        self.0
            .get(number / 64)
            .is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn join(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }
}

type Written = (String, Vec<String>, Value, Value);
type Resolved = (String, Vec<String>, Vec<(usize, Value)>, Value, String);

#[derive(Deserialize)]
struct Raw {
    i: usize,
    replica: String,
    time: i64,
    atime: u64,
    parents: Vec<usize>,
    #[serde(default)]
    changes: Vec<Written>,
    #[serde(default)]
    edits: Vec<Written>,
    #[serde(default)]
    resolve: Vec<Resolved>,
    digest: Option<String>,
}

/// Reads the history in a folder.
pub(crate) fn history(folder: &Path) -> Result<History, Box<dyn Error>> {
    let mut writers = Writers::default();
    let mut history = History {
        lines: Vec::new(),
        commits: Vec::new(),
    };
    for text in BufReader::new(open(&folder.join("legislators.jsonl.gz"))?).lines() {
        let raw: Raw = serde_json::from_str(&text?)?;
        let out_of_place = || format!("line {} is out of place", raw.i);
        if raw.i != history.lines.len() {
            return Err(out_of_place().into());
        }
        let mut past = Numbers::default();
        for parent in &raw.parents {
            past.join(&history.lines.get(*parent).ok_or_else(out_of_place)?.past);
        }
        let commit = writers.commit(&raw, &past)?;
        let number = commit.is_some().then_some(history.commits.len());
        history.commits.extend(commit);
        past.insert(raw.i);
        let settled = |(_, _, rivals, result, _)| Settled { rivals, result };
        history.lines.push(Line {
            commit: number,
            past,
            time: raw.time,
            digest: raw.digest,
            settled: raw.resolve.into_iter().map(settled).collect(),
        });
    }
    Ok(history)
}

/// The expected final state: its lines, sorted.
pub(crate) fn expected(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    open(&folder.join("legislators.final.tsv.gz"))?.read_to_string(&mut text)?;
    Ok(text)
}

fn open(path: &Path) -> Result<GzDecoder<File>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| {
        format!(
            "cannot read {}: {error}; give the folder that holds the history, as described in its \
             README.md, as the first argument or in ANABRANCH_DATA",
            path.display()
        )
    })?;
    Ok(GzDecoder::new(file))
}

/// What the authors' replicas know while they write.
#[derive(Default)]
struct Writers {
    lanes: BTreeMap<ReplicaId, Lane>,
    /// Of each record, who wrote it, in the order of lines.
    records: BTreeMap<AggregateId, Vec<(usize, Head, Timestamp)>>,
    pasts: Vec<Numbers>,
}

struct Lane {
    clock: HybridClock,
    next: Seq,
    chain: Chain,
}

impl Writers {
    fn commit(&mut self, raw: &Raw, past: &Numbers) -> Result<Option<Commit>, Box<dyn Error>> {
        self.pasts.push(past.clone());
        let edits = edits(raw)?;
        if edits.is_empty() {
            return Ok(None);
        }
        let seen: Vec<Vec<(Head, Timestamp)>> = edits
            .keys()
            .map(|record| self.heads(record, past))
            .collect();
        let floor = seen.iter().flatten().map(|(_, timestamp)| *timestamp).max();
        let replica = lane(&raw.replica)?;
        let lane = self.lanes.entry(replica).or_insert_with(|| Lane {
            clock: HybridClock::new(),
            next: Seq::FIRST,
            chain: Chain::START,
        });
        let now_ms = raw.atime * 1000;
        let timestamp = lane.clock.tick(now_ms, floor)?;
        let span = CommitSpan::new(lane.next, edits.len())?;
        let mut events = Vec::new();
        for ((record, edit), heads) in edits.iter().zip(seen) {
            let id = EventId::new(replica, lane.next);
            let event = Event::assemble(EventParts {
                id,
                commit: span,
                timestamp,
                written_ms: now_ms,
                aggregate: record.clone(),
                event_type: EventType::new("edited")?,
                heads: Heads::new(heads.into_iter().map(|(head, _)| head).collect())?,
                replaces: None,
                metadata: Metadata::new(),
                payload: Payload::encode(edit)?,
            })?;
            lane.chain = lane.chain.extend(event.digest());
            lane.next = lane.next.next().ok_or("a lane is out of seqs")?;
            let head = Head {
                id,
                tag: lane.chain.tag(),
            };
            self.records
                .entry(record.clone())
                .or_default()
                .push((raw.i, head, timestamp));
            events.push(event);
        }
        Ok(Some(Commit::new(events)?))
    }

    fn past(&self, line: usize) -> Option<&Numbers> {
        self.pasts.get(line)
    }

    /// The maximal ones of the record's events in a past.
    fn heads(&self, record: &AggregateId, past: &Numbers) -> Vec<(Head, Timestamp)> {
        let writers = self.records.get(record).map_or(&[][..], Vec::as_slice);
        let mut heads: Vec<(usize, Head, Timestamp)> = Vec::new();
        for (line, head, timestamp) in writers
            .iter()
            .rev()
            .filter(|(line, ..)| past.contains(*line))
        {
            if !heads
                .iter()
                .any(|(later, ..)| self.past(*later).is_some_and(|past| past.contains(*line)))
            {
                heads.push((*line, *head, *timestamp));
            }
        }
        heads
            .into_iter()
            .map(|(_, head, timestamp)| (head, timestamp))
            .collect()
    }
}

/// What a line writes, record by record.
fn edits(raw: &Raw) -> Result<BTreeMap<AggregateId, FieldEdit>, Box<dyn Error>> {
    let mut edits = BTreeMap::new();
    let plain = raw
        .changes
        .iter()
        .chain(&raw.edits)
        .map(|(file, path, _, new)| (file, path, new));
    let settled = raw
        .resolve
        .iter()
        .map(|(file, path, _, result, _)| (file, path, result));
    for (file, path, value) in plain.chain(settled) {
        let (record, field) = path.split_first().ok_or("a path is empty")?;
        let record = AggregateId::new(&format!("{file}/{record}"))?;
        let whole = [WHOLE.to_owned()];
        let field = if field.is_empty() { &whole } else { field };
        let edit: &mut FieldEdit = edits.entry(record).or_default();
        let before = std::mem::take(edit);
        *edit = match value {
            Value::Null => before.remove(field),
            Value::Object(null) if null.contains_key("@") => before.set(field, &())?,
            value => before.set(field, value)?,
        };
    }
    Ok(edits)
}

/// `r17/2` is the third lane of author 17.
fn lane(text: &str) -> Result<ReplicaId, Box<dyn Error>> {
    let (author, lane) = text
        .strip_prefix('r')
        .and_then(|rest| rest.split_once('/'))
        .ok_or("not a lane")?;
    Ok(ReplicaId::new(author.parse()?, lane.parse()?))
}

/// One line of the final state.
pub(crate) fn state_line(record: &AggregateId, field: &[&str], value: &Value) -> String {
    let (file, record) = record.as_str().split_once('/').unwrap_or_default();
    let field = if field == [WHOLE] { &[] } else { field };
    let path: Vec<&str> = [record].iter().chain(field).copied().collect();
    let null = serde_json::json!({"@": "null"});
    let value = if value.is_null() { &null } else { value };
    format!("{file}\t{}\t{value}\n", Value::from(path))
}

/// The commits of a line's past, in the order of the file.
pub(crate) fn commits_of<'a>(
    history: &'a History,
    line: &'a Line,
) -> impl Iterator<Item = &'a Commit> {
    let lines = history.lines.iter().enumerate();
    lines
        .filter(|(number, _)| line.past.contains(*number))
        .filter_map(|(_, line)| history.commits.get(line.commit?))
}

/// How many aggregates the commits touch.
pub(crate) fn records(history: &History) -> usize {
    let events = history.commits.iter().flat_map(Commit::events);
    events.map(Event::aggregate).collect::<BTreeSet<_>>().len()
}
