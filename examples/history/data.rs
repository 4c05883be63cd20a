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

use anabranch::event::{AggregateId, Commit, Event, Payload, ReplicaId};
use anabranch::resolver::FieldEdit;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

use crate::authors::{Authors, Stamp};

/// The record's own value has no field path; it is kept under this one, which no record uses.
const WHOLE: &str = "";

/// Everything that was read.
pub(crate) struct History {
    /// In the order of the file: parents before children.
    pub(crate) lines: Vec<Line>,
    /// As it happened.
    pub(crate) told: Telling,
    /// The same without what people wrote to settle conflicts; what is left empty is no commit.
    pub(crate) unsettled: Telling,
}

/// The commits of one version of the history.
#[derive(Default)]
pub(crate) struct Telling {
    /// In the order of lines.
    pub(crate) commits: Vec<Commit>,
    /// For each line the number of its commit, if it writes anything.
    numbers: Vec<Option<usize>>,
}

impl Telling {
    /// Adds what the next line writes.
    pub(crate) fn push(&mut self, commit: Option<Commit>) {
        self.numbers
            .push(commit.as_ref().map(|_| self.commits.len()));
        self.commits.extend(commit);
    }

    /// What a line writes.
    pub(crate) fn commit(&self, line: usize) -> Option<&Commit> {
        let number = *self.numbers.get(line)?;
        self.commits.get(number?)
    }

    /// What some lines write, in the order of the file.
    pub(crate) fn of<'a>(&'a self, lines: &'a Numbers) -> impl Iterator<Item = &'a Commit> {
        let among = self.numbers.iter().enumerate();
        among
            .filter(|(line, _)| lines.contains(*line))
            .filter_map(|(_, number)| self.commits.get((*number)?))
    }

    /// All events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.commits.iter().flat_map(Commit::events)
    }

    /// How many aggregates the commits touch.
    pub(crate) fn records(&self) -> usize {
        self.events()
            .map(Event::aggregate)
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// One line of the file.
pub(crate) struct Line {
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
    pub(crate) record: AggregateId,
    pub(crate) field: Vec<String>,
    /// Each rival's line and value; null is absent.
    pub(crate) rivals: Vec<(usize, Value)>,
    /// What the person chose; null is absent.
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

    /// The same without one.
    pub(crate) fn without(&self, number: usize) -> Self {
        let mut others = self.clone();
        if let Some(word) = others.0.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
        others
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
    let (mut authors, mut without) = (Authors::default(), Authors::default());
    let mut history = History {
        lines: Vec::new(),
        told: Telling::default(),
        unsettled: Telling::default(),
    };
    for text in BufReader::new(open(&folder.join("legislators.jsonl.gz"))?).lines() {
        let raw: Raw = serde_json::from_str(&text?)?;
        let number = history.lines.len();
        let out_of_place = || format!("line {} is out of place", raw.i);
        if raw.i != number {
            return Err(out_of_place().into());
        }
        let mut past = Numbers::default();
        for parent in &raw.parents {
            past.join(&history.lines.get(*parent).ok_or_else(out_of_place)?.past);
        }
        past.insert(number);
        let settled: Result<Vec<Settled>, _> = raw.resolve.iter().map(settled).collect();
        let (time, digest) = (raw.time, raw.digest.clone());
        history.lines.push(Line {
            past,
            time,
            digest,
            settled: settled?,
        });
        let lane = lane(&raw.replica)?;
        let stamp = Stamp::Clock(raw.atime * 1000);
        let all = payloads(&raw, true)?;
        let others = if raw.resolve.is_empty() {
            all.clone()
        } else {
            payloads(&raw, false)?
        };
        let lines = &history.lines;
        history.told.push(authors.commit(lines, lane, stamp, &all)?);
        let commit = without.commit(lines, lane, stamp, &others)?;
        history.unsettled.push(commit);
    }
    Ok(history)
}

fn settled(resolved: &Resolved) -> Result<Settled, Box<dyn Error>> {
    let (file, path, rivals, result, _) = resolved;
    let (record, field) = place(file, path)?;
    Ok(Settled {
        record,
        field,
        rivals: rivals.clone(),
        result: result.clone(),
    })
}

/// The record and the field that a path names.
fn place(file: &str, path: &[String]) -> Result<(AggregateId, Vec<String>), Box<dyn Error>> {
    let (record, field) = path.split_first().ok_or("a path is empty")?;
    let record = AggregateId::new(&format!("{file}/{record}"))?;
    let field = if field.is_empty() {
        vec![WHOLE.to_owned()]
    } else {
        field.to_vec()
    };
    Ok((record, field))
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

/// What a line writes, record by record; with what settles conflicts or without it.
fn payloads(
    raw: &Raw,
    settling: bool,
) -> Result<BTreeMap<AggregateId, Vec<Payload>>, Box<dyn Error>> {
    let mut edits: BTreeMap<AggregateId, FieldEdit> = BTreeMap::new();
    let plain = raw
        .changes
        .iter()
        .chain(&raw.edits)
        .map(|(file, path, _, new)| (file, path, new));
    let resolved = raw.resolve.iter().filter(|_| settling);
    let resolved = resolved.map(|(file, path, _, result, _)| (file, path, result));
    for (file, path, value) in plain.chain(resolved) {
        let (record, field) = place(file, path)?;
        let edit = edits.entry(record).or_default();
        let before = std::mem::take(edit);
        *edit = match value {
            Value::Null => before.remove(field),
            Value::Object(null) if null.contains_key("@") => before.set(field, &())?,
            value => before.set(field, value)?,
        };
    }
    let encoded = |(record, edit)| Ok((record, vec![Payload::encode(&edit)?]));
    edits.into_iter().map(encoded).collect()
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
