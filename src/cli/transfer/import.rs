use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anabranch::engine::Failure as EngineFailure;
use anabranch::event::Commit;
use anabranch::replica::Replica;
use serde_json::{Value, json};

use super::super::arguments::Import;
use super::super::failure::{Failure, Kind};
use super::super::output::Output;
use super::super::progress::{Progress, percent};
use super::super::record::worse;
use super::super::table::Table;
use super::super::text::{count, counted, escaped};
use super::line::{EndLine, FORMAT, Line, LogLine};
use super::reading::{Chunk, LineRead, TooLong, chunks};

/// Takes the commits of an export.
pub(in crate::cli) async fn run(arguments: &Import, output: Output) -> Result<(), Failure> {
    let (input, size) = open(&arguments.file)?;
    let mut chunks = chunks(input);
    let mut first = chunks.recv().await.transpose()?.unwrap_or_default();
    // Nothing is founded by something that is no export.
    let log = first.lines.first().and_then(|(_, line)| match read(line) {
        Ok(Line::Log(log)) => Some(log),
        _ => None,
    });
    let log = log.ok_or_else(|| {
        Failure::usage("this is no export: the first line does not say which log it is from")
            .with_remedy("write one with `anabranch export`; plain events are taken by `record -`")
    })?;
    let mut taking = Taking::new(arguments.directory.open().await?, output);
    taking.join(&log).await?;
    first.lines.drain(..1);
    let mut progress = Progress::new();
    let mut next = Some(first);
    while let Some(chunk) = next {
        let read = chunk.bytes;
        taking.take(chunk, &mut progress).await?;
        progress.show(|| {
            format!(
                "{} imported{}",
                counted(taking.commits, "commit"),
                percent(read, size)
            )
        });
        next = chunks.recv().await.transpose()?;
    }
    progress.clear();
    taking.finish().await
}

/// A file with its size, or stdin.
fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let cannot = |error: io::Error| {
        let what = format!("cannot read {}: {error}", file.display());
        Failure::usage(what)
            .with_remedy("name a file that `anabranch export` wrote, or - for stdin")
    };
    let opened = File::open(file).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    Ok((
        Box::new(opened),
        metadata.is_file().then_some(metadata.len()),
    ))
}

fn read(line: &LineRead) -> Result<Line, Failure> {
    let line = line
        .as_ref()
        .map_err(|TooLong| Failure::usage("longer than any commit"))?;
    let line = std::str::from_utf8(line).map_err(|error| Failure::usage(error.to_string()))?;
    serde_json::from_str(line.trim())
        .map_err(|error| Failure::usage(format!("no line of an export: {error}")))
}

/// An import under way, and what it has come to.
struct Taking {
    replica: Replica,
    output: Output,
    /// What was read, in all.
    commits: u64,
    events: u64,
    /// What was read since the line that says which log it is.
    section: EndLine,
    /// Whether the line that counts them has come.
    has_ended: bool,
    /// Whether something is missing that no line told of.
    is_cut: bool,
    /// Whether the export itself is of some aggregates only.
    is_partial: bool,
    forked: u64,
    left_out: u64,
    events_before: u64,
    worst: Option<Kind>,
}

impl Taking {
    fn new(replica: Replica, output: Output) -> Self {
        Self {
            events_before: replica.status().events,
            replica,
            output,
            commits: 0,
            events: 0,
            section: EndLine::default(),
            has_ended: true,
            is_cut: false,
            is_partial: false,
            forked: 0,
            left_out: 0,
            worst: None,
        }
    }

    async fn join(&mut self, log: &LogLine) -> Result<(), Failure> {
        if log.format != FORMAT {
            let what = format!("the export has format {}, this reads {FORMAT}", log.format);
            return Err(Failure::usage(what));
        }
        let lineage = log.lineage().map_err(Failure::usage)?;
        self.replica.join(lineage, log.shared).await?;
        self.is_partial |= !log.only.is_empty();
        self.is_cut |= !std::mem::replace(&mut self.has_ended, false);
        self.section = EndLine::default();
        Ok(())
    }

    async fn take(&mut self, chunk: Chunk, progress: &mut Progress) -> Result<(), Failure> {
        let mut batch = Vec::new();
        for (number, line) in chunk.lines {
            match read(&line) {
                Ok(Line::Commit(line)) => match line.commit() {
                    Ok(commit) => batch.push((number, commit)),
                    Err(why) => self.leave_out(number, &Failure::usage(why), progress)?,
                },
                Ok(Line::Log(log)) => {
                    // Several exports in a row: what follows may be of another log.
                    self.ingest(std::mem::take(&mut batch), progress).await?;
                    self.join(&log)
                        .await
                        .map_err(|failure| failure.during(&format!("line {number}")))?;
                }
                Ok(Line::End(end)) => {
                    self.ingest(std::mem::take(&mut batch), progress).await?;
                    self.has_ended = true;
                    // A line that was left out was told of.
                    self.is_cut |= self.left_out == 0 && end != self.section;
                }
                Err(failure) => self.leave_out(number, &failure, progress)?,
            }
        }
        self.ingest(batch, progress).await
    }

    /// Takes commits, each once, whatever becomes of the others.
    async fn ingest(
        &mut self,
        mut batch: Vec<(u64, Commit)>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let events = |(_, commit): &(u64, Commit)| u64::from(commit.span().len());
        let read = EndLine {
            commits: count(batch.len()),
            events: batch.iter().map(events).sum(),
        };
        self.section.commits += read.commits;
        self.section.events += read.events;
        self.commits += read.commits;
        self.events += read.events;
        while !batch.is_empty() {
            let commits = batch.iter().map(|(_, commit)| commit.clone()).collect();
            let forked = match self.replica.ingest(commits).await {
                Ok(_) => return Ok(()),
                Err(EngineFailure::Forked { commit }) => commit,
                Err(failure) => return Err(failure.into()),
            };
            let at = batch.iter().position(|(_, commit)| commit.id() == forked);
            let rest = batch.split_off(at.map_or(batch.len(), |at| at + 1));
            if let Some(refused) = batch.pop() {
                self.forked += events(&refused);
                let failure = Failure::from(EngineFailure::Forked { commit: forked });
                self.leave_out(
                    refused.0,
                    &Failure {
                        kind: Kind::Refused,
                        ..failure
                    },
                    progress,
                )?;
            }
            batch = rest;
        }
        Ok(())
    }

    fn leave_out(
        &mut self,
        number: u64,
        failure: &Failure,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        self.left_out += 1;
        self.worst = worse(self.worst, Some(failure.kind));
        let json = json!({
            "kind": "refused",
            "line": number,
            "code": failure.kind.number(),
            "error": failure.what,
            "remedy": failure.remedy,
        });
        progress.clear();
        let text = format!("line {number} was not taken: {}", escaped(&failure.what));
        self.output.tell(&json, &text)
    }

    /// Reports, once everything that was taken is fsynced.
    async fn finish(self) -> Result<(), Failure> {
        self.replica.flush().await?;
        let status = self.replica.status();
        let taken = status.events.saturating_sub(self.events_before);
        let duplicates = self.events.saturating_sub(taken + self.forked);
        let is_cut = self.is_cut || !self.has_ended;
        let json = json!({
            "kind": "imported",
            "lineage": status.lineage.to_string(),
            "commits": self.commits,
            "taken": taken,
            "duplicates": duplicates,
            "left_out": self.left_out,
            "waiting": status.waiting,
            "whole": !is_cut && !self.is_partial && self.left_out == 0,
        });
        self.output.tell(&json, &table(&json).to_string())?;
        if status.waiting > 0 {
            let waiting = status.waiting;
            let note = format!(
                "{} for events that are not here: see `anabranch status`",
                if waiting == 1 {
                    "1 commit waits".into()
                } else {
                    format!("{waiting} commits wait")
                }
            );
            self.output.note(&note);
        }
        self.replica.close().await?;
        if let Some(kind) = self.worst {
            let what = format!("{} lines were not taken; each was named", self.left_out);
            return Err(Failure::new(kind, what));
        }
        if is_cut {
            let what = "the export ends early: what was read is taken, the rest is missing";
            return Err(
                Failure::new(Kind::Failed, what).with_remedy("export again, and import that too")
            );
        }
        Ok(())
    }
}

fn table(json: &Value) -> Table {
    let mut table = Table::plain();
    for (name, field) in [
        ("commits", "commits"),
        ("events taken", "taken"),
        ("duplicates", "duplicates"),
        ("left out", "left_out"),
        ("waiting", "waiting"),
        ("lineage", "lineage"),
    ] {
        let value = json.get(field).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        table.row([name, &value.unwrap_or_default()]);
    }
    table
}
