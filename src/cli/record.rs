use anabranch::engine::{Recorded, SyncReport};
use anabranch::log::Durability;
use futures::future::join_all;
use serde_json::{Value, json};

use super::arguments::Record;
use super::entry::Entry;
use super::failure::{Failure, Kind};
use super::output::Output;
use super::place::Opened;
use super::stdin::{lines, next_lines};
use super::text::escaped;

/// Where lines come from instead of the command line.
const STDIN: &str = "-";

/// Writes what the command line or stdin says.
pub(super) async fn run(arguments: &Record, output: Output) -> Result<(), Failure> {
    if arguments.aggregate == STDIN {
        return run_lines(arguments, output).await;
    }
    let entry = Entry::from_arguments(arguments)?;
    let draft = entry.draft()?;
    let opened = arguments.place.open(true).await?;
    let durability = if arguments.buffered {
        Durability::Buffered
    } else {
        Durability::Durable
    };
    let recorded = opened.replica.record_with(draft, durability).await;
    let recorded = recorded.map_err(|error| explained(error.into(), &entry))?;
    let report = opened.exchange(output).await?;
    let sent = sent(report.as_ref(), &recorded)?;
    let durable = !arguments.buffered;
    told(&entry, &recorded, None, durable, sent).show(output)?;
    Ok(opened.replica.close().await?)
}

async fn run_lines(arguments: &Record, output: Output) -> Result<(), Failure> {
    if arguments.has_content() {
        return Err(Failure::usage(
            "with `-`, events come from stdin, not from the command line",
        ));
    }
    let opened = arguments.place.open(true).await?;
    let live = if opened.on_hub {
        None
    } else {
        opened.connect()?
    };
    let mut input = lines();
    let mut worst = None;
    loop {
        let lines = next_lines(&mut input).await;
        if lines.is_empty() {
            break;
        }
        worst = worse(worst, record_lines(&opened, lines, output).await?);
    }
    if let Some(live) = live {
        live.close().await;
        opened.exchange(output).await?;
    }
    opened.replica.close().await?;
    worst.map_or(Ok(()), |kind| {
        Err(Failure::new(
            kind,
            "some lines were not recorded; each was answered",
        ))
    })
}

/// Writes the events of some lines together and answers each, in order, once it is durable: here, or
/// at the hub if nothing is kept here. Tells the worst that happened to a line.
pub(super) async fn record_lines(
    opened: &Opened,
    lines: Vec<(u64, String)>,
    output: Output,
) -> Result<Option<Kind>, Failure> {
    let write = async |(number, line): &(u64, String)| {
        let entry = Entry::from_line(line);
        let written = match &entry {
            Err(_) => None,
            Ok(entry) => Some(write(opened, entry).await),
        };
        (*number, entry, written)
    };
    let written = join_all(lines.iter().map(write)).await;
    let report = if opened.on_hub {
        opened.exchange(output).await?
    } else {
        None
    };
    let mut worst = None;
    for (number, entry, written) in written {
        let answer = match (entry, written) {
            (Ok(entry), Some(Ok(recorded))) => match sent(report.as_ref(), &recorded) {
                Ok(sent) => Ok(told(&entry, &recorded, Some(number), true, sent)),
                Err(failure) => Err(failure),
            },
            (Err(failure), _) | (_, Some(Err(failure))) => Err(failure),
            (Ok(_), None) => continue,
        };
        match answer {
            Ok(answer) => answer.show(output)?,
            Err(failure) if matches!(failure.kind, Kind::Usage | Kind::Refused) => {
                worst = worse(worst, Some(failure.kind));
                not_recorded(number, &failure, output)?;
            }
            Err(failure) => return Err(failure.during(&format!("line {number}"))),
        }
    }
    Ok(worst)
}

async fn write(opened: &Opened, entry: &Entry) -> Result<Recorded, Failure> {
    let recorded = opened.replica.record(entry.draft()?).await;
    recorded.map_err(|error| explained(error.into(), entry))
}

/// A line that cannot be read weighs more than one that was refused.
pub(super) fn worse(one: Option<Kind>, other: Option<Kind>) -> Option<Kind> {
    match (one, other) {
        (Some(Kind::Usage), _) | (_, None) => one,
        _ => other,
    }
}

/// An answer to one event.
struct Answer {
    json: Value,
    text: String,
}

impl Answer {
    fn show(&self, output: Output) -> Result<(), Failure> {
        output.tell(&self.json, &self.text)
    }
}

fn told(
    entry: &Entry,
    recorded: &Recorded,
    line: Option<u64>,
    durable: bool,
    sent: bool,
) -> Answer {
    let aggregate = entry.aggregate();
    let json = json!({
        "kind": "recorded",
        "line": line,
        "aggregate": aggregate,
        "id": recorded.commit.to_string(),
        "timestamp": recorded.timestamp.to_string(),
        "durable": durable,
        "sent": sent,
    });
    let how = match (durable, sent) {
        (_, true) => "durable at the hub",
        (true, false) => "durable here",
        (false, false) => "not fsynced yet",
    };
    let text = format!(
        "recorded {} as {}, {how}",
        escaped(aggregate),
        recorded.commit
    );
    Answer { json, text }
}

fn not_recorded(number: u64, failure: &Failure, output: Output) -> Result<(), Failure> {
    let json = json!({
        "kind": "refused",
        "line": number,
        "code": failure.kind.number(),
        "error": failure.what,
        "remedy": failure.remedy,
    });
    let text = format!("line {number} was not recorded: {}", escaped(&failure.what));
    output.tell(&json, &text)
}

/// Whether the peer has it; a failure if the peer refused it and it could not be written again.
pub(super) fn sent(report: Option<&SyncReport>, recorded: &Recorded) -> Result<bool, Failure> {
    let Some(report) = report else {
        return Ok(false);
    };
    let mut refused = report.refused.iter();
    match refused.find(|refused| refused.commit == recorded.commit) {
        Some(refused) if !report.caught_up => {
            let what = format!("the hub refused {}: {}", refused.commit, refused.why);
            Err(Failure::new(Kind::Refused, what).with_remedy(refused.remedy.clone()))
        }
        _ => Ok(report.caught_up),
    }
}

fn explained(failure: Failure, entry: &Entry) -> Failure {
    let by_field_merge = failure.kind == Kind::Refused;
    match entry.hint() {
        Some(hint) if by_field_merge && failure.what.contains("set or remove") => {
            failure.with_remedy(hint)
        }
        _ => failure,
    }
}
