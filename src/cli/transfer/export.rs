use std::io::{self, BufWriter, Write};

use futures::StreamExt;

use super::super::arguments::Export;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::place::filter;
use super::super::progress::{Progress, percent};
use super::super::text::{counted, escaped_json_text};
use super::line::{CommitLine, EndLine, Line, LogLine};

/// Writes the commits that are here.
pub(in crate::cli) async fn run(arguments: &Export, output: Output) -> Result<(), Failure> {
    let filter = filter(&arguments.prefixes)?;
    let opened = arguments.place.open(false).await?;
    if !opened.on_hub {
        opened.exchange(output).await?;
    }
    let status = opened.replica.status();
    let log = LogLine::new(status.lineage, status.lineage_shared, &arguments.prefixes);
    let mut lines = BufWriter::new(io::stdout().lock());
    write(&mut lines, &Line::Log(log))?;
    let mut progress = Progress::new();
    let mut end = EndLine::default();
    let mut seen = 0u64;
    let mut commits = opened.replica.commits();
    while let Some(commit) = commits.next().await {
        let commit = commit?;
        let events = u64::from(commit.span().len());
        seen = seen.saturating_add(events);
        if commit
            .events()
            .iter()
            .any(|event| filter.passes(event.aggregate()))
        {
            write(&mut lines, &Line::Commit(CommitLine::of(&commit)))?;
            end.commits += 1;
            end.events = end.events.saturating_add(events);
        }
        progress.show(|| {
            let percent = percent(seen, Some(status.events));
            format!("{} exported{percent}", counted(end.commits, "commit"))
        });
    }
    write(&mut lines, &Line::End(end))?;
    lines.flush()?;
    progress.clear();
    let EndLine { commits, events } = end;
    let (commits, events) = (counted(commits, "commit"), counted(events, "event"));
    output.note(&format!("exported {commits} with {events}"));
    Ok(opened.replica.close().await?)
}

fn write(lines: &mut impl Write, line: &Line) -> Result<(), Failure> {
    let json = serde_json::to_string(line).map_err(io::Error::from)?;
    writeln!(lines, "{}", escaped_json_text(&json))?;
    Ok(())
}
