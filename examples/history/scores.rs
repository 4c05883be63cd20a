//! What each built-in rule would have made of the conflicts that people settled.
//!
//! Each rule folds the history without the decisions, as it stood just before each decision, and is
//! compared with what the person chose, and with the record as it was afterwards.

use std::collections::BTreeSet;
use std::error::Error;

use anabranch::event::{AggregateId, Commit};
use anabranch::merge::{Aggregates, Timeline};
use anabranch::resolver::{
    FieldMerge, FirstWriteWins, LastWriteWins, Manual, MultiValue, Registry, Resolver, Rule, Rules,
};

use crate::ancestry::{Path, writes};
use crate::data::{History, Line, Settled, Telling};
use crate::in_memory::{deliver, deliver_to};
use crate::known::Known;
use crate::recast::{Recast, Style};
use crate::shown::Shown;
use crate::{progress, progress_ends};

/// Rules, and the words in which they are told the history.
struct Contender {
    name: &'static str,
    style: Style,
    registry: Registry,
}

/// What became of the conflicts under one rule.
#[derive(Default)]
struct Score {
    /// One value is shown, and it is what the person chose.
    chosen: usize,
    /// One value is shown, and it is another one.
    another: usize,
    /// Several values are shown.
    several: usize,
    /// What the person chose is one of them.
    among: usize,
    /// Fields of the same records that nobody had to settle, and that are not as they should be.
    elsewhere: usize,
    /// Events of these records that are refused in the end.
    refused: u64,
}

impl Contender {
    fn new(name: &'static str, style: Style, rule: impl Resolver) -> Self {
        let registry = Registry::new().with_default(rule);
        Self {
            name,
            style,
            registry,
        }
    }

    fn per_field(name: &'static str, style: Style, rule: Rule) -> Self {
        Self::new(name, style, Rules::new("record", 1).otherwise(rule))
    }

    fn by_kind(name: &'static str, registry: Registry) -> Self {
        Self {
            name,
            style: Style::Claims,
            registry,
        }
    }

    fn fold<'a>(&self, commits: impl IntoIterator<Item = &'a Commit>) -> Aggregates {
        deliver_to(self.registry.clone(), commits)
    }
}

fn contenders() -> Result<Vec<Contender>, Box<dyn Error>> {
    let of = |name, style, rule| Contender::per_field(name, style, rule);
    let mut all = vec![
        Contender::new("last write wins, field by field", Style::Fields, FieldMerge),
        of(
            "first write wins, field by field",
            Style::Claims,
            Rule::FirstWrite,
        ),
        of(
            "add-wins set, field by field",
            Style::Sets,
            Rule::AddWinsSet,
        ),
        of(
            "all values kept, field by field",
            Style::Fields,
            Rule::KeepAll,
        ),
        of(
            "a person decides, field by field",
            Style::Fields,
            Rule::Manual,
        ),
        Contender::new(
            "last write wins, whole record",
            Style::Record,
            LastWriteWins,
        ),
        Contender::new(
            "first write wins, whole record",
            Style::RecordClaims,
            FirstWriteWins,
        ),
        Contender::new("all values kept, whole record", Style::Record, MultiValue),
        Contender::new(
            "a person decides, whole record",
            Style::RecordManual,
            Manual,
        ),
    ];
    all.extend(by_kind()?);
    Ok(all)
}

/// Rules by kind of record and field, chosen with hindsight: of the lists of district offices people
/// kept the older one, and addresses on the web they chose by looking at them.
fn by_kind() -> Result<[Contender; 2], Box<dyn Error>> {
    let offices = "legislators-district-offices.yaml";
    let rules = |rule| Rules::new("record", 1).otherwise(rule);
    let people: Rules = "terms.*.url=manual, terms.*.rss_url=manual, *=last-write".parse()?;
    let registry = Registry::new().with_default(rules(Rule::LastWrite));
    let first = registry.clone().with(offices, rules(Rule::FirstWrite))?;
    let asked = registry
        .with(offices, rules(Rule::Manual))?
        .with("legislators-current.yaml", people)?;
    Ok([
        Contender::by_kind("offices: first write, all else: last write", first),
        Contender::by_kind("offices, links: a person, all else: last write", asked),
    ])
}

/// Prints the table.
pub(crate) fn run(history: &History, known: &Known) -> Result<(), Box<dyn Error>> {
    let recast = Recast::new(history)?;
    let truth = recast.as_told()?;
    let mut scores = Vec::new();
    for contender in contenders()? {
        progress(contender.name);
        let telling = recast.unsettled(contender.style)?;
        let score = score(history, &truth, &telling, &contender)?;
        scores.push((contender.name, score));
    }
    progress_ends();
    print(&scores, known);
    println!("{LEGEND}");
    let decided = decided(history, &recast.decided()?)?;
    println!(
        "  With the decisions as events, what a person decides, field by field, is {decided} times as chosen."
    );
    let last = last_committed(history);
    println!(
        "  The rival that was committed last was chosen {last} times ({} counted independently).",
        known.last_committed
    );
    if decided != known.settled {
        return Err("a decision of a person did not stand".into());
    }
    if last != known.last_committed {
        return Err("commit times agree with the decisions less or more often than known".into());
    }
    Ok(())
}

fn print(scores: &[(&str, Score)], known: &Known) {
    println!(
        "\nWhat each rule would have made of the {} decisions\n",
        known.settled
    );
    println!(
        "  {:50} {:>9} {:>8} {:>8} {:>9} {:>10} {:>8}",
        "", "as chosen", "another", "several", "of these", "elsewhere", "refused"
    );
    for (name, score) in scores {
        println!(
            "  {name:50} {:>9} {:>8} {:>8} {:>9} {:>10} {:>8}",
            score.chosen, score.another, score.several, score.among, score.elsewhere, score.refused
        );
    }
}

const LEGEND: &str = "
  as chosen, another: one value is shown, what the person chose or not; several are shown: all kept, or
  a person is asked, and what the person chose is one of these; elsewhere: fields of the same records
  that nobody had to settle and that are wrong just before the decision; refused: events that write
  what is open, as nobody decides in this history. A counter is no rule for such fields.
";

/// How many decisions are shown as they were made, where each is an event that settles a field.
fn decided(history: &History, telling: &Telling) -> Result<usize, Box<dyn Error>> {
    let mut decided = 0;
    for line in history.lines.iter().filter(|line| !line.settled.is_empty()) {
        let rule = Rules::new("record", 1).otherwise(Rule::Manual);
        let mut aggregates = deliver(telling.of(&line.past), rule);
        for settled in &line.settled {
            let shown = Shown::of(&mut aggregates, &settled.record, false)?;
            decided += usize::from(shown.at(&settled.field) == [settled.result.clone()]);
        }
    }
    Ok(decided)
}

/// How often the rival that was committed last is what the person chose.
fn last_committed(history: &History) -> usize {
    let time = |line: usize| history.lines.get(line).map(|line| line.time);
    let settled = history.lines.iter().flat_map(|line| &line.settled);
    let as_last = settled.filter(|settled| {
        let rivals = settled.rivals.iter();
        let last = rivals.max_by_key(|(line, _)| (time(*line), *line));
        last.is_some_and(|(_, value)| *value == settled.result)
    });
    as_last.count()
}

fn score(
    history: &History,
    truth: &Telling,
    telling: &Telling,
    contender: &Contender,
) -> Result<Score, Box<dyn Error>> {
    let mut score = Score::default();
    for (number, line) in history.lines.iter().enumerate() {
        if line.settled.is_empty() {
            continue;
        }
        let before = line.past.without(number);
        let mut aggregates = contender.fold(telling.of(&before));
        let mut after = deliver(truth.of(&line.past), FieldMerge);
        let records: BTreeSet<&AggregateId> = line.settled.iter().map(|of| &of.record).collect();
        for record in records {
            let shown = Shown::of(&mut aggregates, record, contender.style == Style::Sets)?;
            for settled in line.settled.iter().filter(|of| of.record == *record) {
                score.add(&shown.at(&settled.field), settled);
            }
            let after = Shown::of(&mut after, record, false)?;
            score.elsewhere += elsewhere(history, truth, number, record, &shown, &after);
        }
    }
    let mut end = contender.fold(&telling.commits);
    end.fold_all();
    score.refused = end.iter().map(Timeline::rejections).sum();
    Ok(score)
}

impl Score {
    fn add(&mut self, shown: &[serde_json::Value], settled: &Settled) {
        let has_chosen = shown.contains(&settled.result);
        if shown.len() > 1 {
            self.several += 1;
            self.among += usize::from(has_chosen);
        } else if has_chosen {
            self.chosen += 1;
        } else {
            self.another += 1;
        }
    }
}

/// How many fields of a record are not shown as they were after a decision, apart from those that
/// were ever decided about and those that were written with the decision.
fn elsewhere(
    history: &History,
    truth: &Telling,
    line: usize,
    record: &AggregateId,
    shown: &Shown,
    after: &Shown,
) -> usize {
    let settled = history.lines.iter().flat_map(|line: &Line| &line.settled);
    let settled = settled.filter(|settled| settled.record == *record);
    let mut apart: BTreeSet<Path> = settled.map(|settled| settled.field.clone()).collect();
    let events = truth.commit(line).map_or(&[][..], Commit::events);
    for event in events.iter().filter(|event| event.aggregate() == record) {
        apart.extend(writes(event).into_keys());
    }
    let mut paths = shown.paths();
    paths.extend(after.paths());
    let wrong = |path: &&&Path| {
        let right = after.at(path);
        !apart.contains(**path) && !right.iter().all(|value| shown.at(path).contains(value))
    };
    paths.iter().filter(wrong).count()
}
