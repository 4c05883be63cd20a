use anabranch::limits::{
    CELL_CHARS_MAX, EXPLAIN_COLUMNS, EXPLAIN_PIECES_APART, EXPLAIN_PIECES_MAX, STAMP_APART_MS,
};
use anabranch::merge::{
    ExplainedPiece, ExplainedRace, Explanation, Party, RaceCounts, Sources, Wording,
};
use anabranch::resolver::Verdict;

use super::super::event::content;
use super::super::json::from_bytes;
use super::super::names::Names;
use super::super::text::{counted, cut, escaped, escaped_json, utc, wrapped};
use super::Answer;
use super::place::named;

/// Metadata that names a person, as the examples of `record` write it.
const BY: &str = "by";

/// The explanation as people read it.
pub(super) fn told(answer: &Answer<'_>) -> String {
    let Answer {
        explanation,
        path,
        lists_all,
        ..
    } = answer;
    let teller = Teller {
        names: &answer.names,
    };
    let mut lines = vec![teller.head(explanation)];
    if let Some(why) = &explanation.condition {
        let why = escaped(&why.to_string());
        lines.push(format!(
            "\nUnresolved here: {why}. What follows is the last good state."
        ));
    }
    let shown = explanation.pieces.iter().take(EXPLAIN_PIECES_MAX);
    let shown: Vec<&ExplainedPiece> = shown.collect();
    lines.extend(teller.pieces(&shown));
    if explanation.pieces.is_empty() {
        lines.push("\nNothing is to be seen.".into());
        lines.extend(teller.touches(&answer.touches));
    }
    let hidden = explanation.pieces.len().saturating_sub(EXPLAIN_PIECES_MAX);
    if hidden > 0 || explanation.more_pieces {
        let least = if explanation.more_pieces {
            "at least "
        } else {
            ""
        };
        lines.push(format!(
            "\n... and {least}{hidden} more pieces: name a path, or take --json"
        ));
    }
    lines.extend(teller.races(answer));
    lines.extend(teller.set_aside(explanation));
    if explanation.pieces.iter().any(|piece| piece.open) {
        let aggregate = escaped(explanation.aggregate.as_str());
        lines.push(format!(
            "\nA person has to decide: anabranch resolve {aggregate}"
        ));
    }
    if let Some(next) = explanation.next {
        let aggregate = escaped(explanation.aggregate.as_str());
        let path = path.map(|path| format!(" {}", escaped(&path.to_string())));
        let all = if *lists_all { " --all" } else { "" };
        lines.push(format!(
            "\nThere are more races: anabranch explain {aggregate}{}{all} --after {next}",
            path.unwrap_or_default()
        ));
    }
    lines.join("\n")
}

struct Teller<'a> {
    names: &'a Names,
}

impl Teller<'_> {
    fn head(&self, explanation: &Explanation) -> String {
        let rule = explanation
            .rule
            .as_ref()
            .map_or("no rule".into(), ToString::to_string);
        let heads: Vec<String> = explanation
            .heads
            .iter()
            .map(|id| self.names.event(*id))
            .collect();
        let newest = match heads.as_slice() {
            [one] => format!("the newest is {one}"),
            several => format!("the newest are {}", several.join(" and ")),
        };
        format!(
            "{}  by {}, from {}, {newest}",
            escaped(explanation.aggregate.as_str()),
            escaped(&rule),
            counted(explanation.events, "event"),
        )
    }

    fn party(&self, party: &Party) -> String {
        person(self.names, party)
    }

    /// Few pieces one after the other; of many, those that one event wrote a line each.
    fn pieces(&self, pieces: &[&ExplainedPiece]) -> Vec<String> {
        let rule = pieces.first().map(|piece| piece.rule.as_str());
        let short = |piece: &&&ExplainedPiece| {
            pieces.len() > EXPLAIN_PIECES_APART && Some(piece.rule.as_str()) == rule
        };
        let rows = pieces.iter().filter(short);
        let rows: Vec<_> = rows.filter_map(|piece| self.row(piece)).collect();
        let width = rows.iter().map(|(said, _)| said.chars().count()).max();
        let width = width.unwrap_or(0).min(EXPLAIN_COLUMNS / 2);
        let mut lines = Vec::new();
        if let Some(rule) = rule.filter(|_| !rows.is_empty()) {
            lines.push(format!("\nBy {}, written by:", escaped(rule)));
        }
        lines.extend(
            rows.into_iter()
                .map(|(said, party)| format!("  {said:<width$}  {party}")),
        );
        for piece in pieces {
            if !short(&piece) || self.row(piece).is_none() {
                lines.push(String::new());
                lines.extend(self.piece(piece));
            }
        }
        lines
    }

    /// What is there and who wrote it, if that is one event and nothing is open.
    fn row(&self, piece: &ExplainedPiece) -> Option<(String, String)> {
        let Sources::Told { parties, more: 0 } = &piece.from else {
            return None;
        };
        let [party] = parties.as_slice() else {
            return None;
        };
        let said = format!("{} = {}", named(&piece.key), value(&piece.value));
        (!piece.open).then(|| (said, self.party(party)))
    }

    fn piece(&self, piece: &ExplainedPiece) -> Vec<String> {
        let open = if piece.open { "  (open)" } else { "" };
        let mut lines = vec![format!(
            "{} = {}{open}",
            named(&piece.key),
            value(&piece.value)
        )];
        let parties = piece.from.parties();
        let (before, more) = match &piece.from {
            Sources::Told { more, .. } => ("written by", *more > 0),
            Sources::LastTouches { more, .. } => ("last touched by", *more),
            _ => ("written by", false),
        };
        let shows_content = matches!(piece.from, Sources::LastTouches { .. });
        match parties {
            [] => lines.push(format!("  {}: no event to be named", escaped(&piece.rule))),
            [one] if !shows_content && !more => {
                lines.push(format!(
                    "  {}: {before} {}",
                    escaped(&piece.rule),
                    self.party(one)
                ));
            }
            _ => {
                lines.push(format!("  {}: {before}", escaped(&piece.rule)));
                if more {
                    lines.push("    ... earlier ones".into());
                }
                for party in parties {
                    let said = if shows_content {
                        format!("  {}", said(party))
                    } else {
                        String::new()
                    };
                    lines.push(format!("    {}{said}", self.party(party)));
                }
            }
        }
        lines
    }

    /// Why nothing is there.
    fn touches(&self, parties: &[Party]) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, party) in parties.iter().enumerate() {
            let which = if at == 0 {
                "last touched by"
            } else {
                "before that by"
            };
            lines.push(format!(
                "  {which} {}\n    {}",
                self.party(party),
                said(party)
            ));
        }
        lines
    }

    fn races(&self, answer: &Answer<'_>) -> Vec<String> {
        let explanation = &answer.explanation;
        let mut lines = vec![String::new()];
        let listed = explanation.races.len();
        lines.push(match answer.path {
            None => tally(&answer.counts, answer.lists_all),
            Some(path) if listed == 0 => {
                format!(
                    "At {}, nobody wrote without knowing of the other.",
                    escaped(&path.to_string())
                )
            }
            Some(path) => {
                let path = escaped(&path.to_string());
                let races = if listed == 1 { "Race" } else { "Races" };
                format!("{races} at {path}: two wrote, and neither knew of the other.")
            }
        });
        for race in &explanation.races {
            lines.push(String::new());
            lines.extend(self.race(race, answer.lists_all));
        }
        lines
    }

    /// What became of the two, and which events they are. Places where both say the same are counted
    /// unless all are wanted, or there is no other.
    fn race(&self, race: &ExplainedRace, lists_all: bool) -> Vec<String> {
        let (earlier, later) = (race.earlier.id(), race.later.id());
        let names = (self.names.event(earlier), self.names.event(later));
        let mut told = race.clone();
        if !lists_all && !race.is_agreed() {
            told.contested
                .retain(|place| place.verdict != Verdict::Agree);
        }
        let mut sentences = sentences(&told, self.names);
        let agreed = race.contested.len() - told.contested.len();
        if agreed > 0 {
            let places = counted(u64::try_from(agreed).unwrap_or(u64::MAX), "other place");
            let before_lateness = sentences.len().saturating_sub(usize::from(race.late));
            sentences.insert(before_lateness, format!("At {places} they say the same."));
        }
        let mut lines = Vec::new();
        for sentence in sentences {
            lines.extend(wrapped(&escaped(&sentence), "  ", EXPLAIN_COLUMNS));
        }
        lines.push(format!("    {}, then {}", names.0, names.1));
        lines
    }

    /// What is refused or replaced.
    fn set_aside(&self, explanation: &Explanation) -> Vec<String> {
        let mut lines = Vec::new();
        if !explanation.refused.is_empty() {
            let count = counted(explanation.rejections, "event");
            lines.push(format!("\n{count} refused, on every replica alike:"));
        }
        for (party, why) in &explanation.refused {
            let reason = escaped(why.reason());
            lines.push(format!(
                "  {} by {}\n    {reason}",
                said(party),
                self.party(party)
            ));
        }
        if !explanation.replaced.is_empty() {
            lines.push("\nWritten again under another id, so that it counts once:".into());
        }
        for (party, by) in &explanation.replaced {
            lines.push(format!(
                "  {}, now {}",
                self.party(party),
                self.names.event(*by)
            ));
        }
        lines
    }
}

/// Who wrote an event, when by their own clock, and which one it is.
pub(in crate::cli) fn person(names: &Names, party: &Party) -> String {
    let writer = names.replica(party.id().replica);
    let who = match party.event.metadata().value(BY) {
        Some(person) => format!("{} ({writer})", escaped(person)),
        None => writer,
    };
    let (written, stamped) = (party.written_ms(), party.timestamp().millis());
    let stamp = if written.abs_diff(stamped) > STAMP_APART_MS {
        format!(", ordered as of {}", utc(stamped))
    } else {
        String::new()
    };
    format!(
        "{who} at {}{stamp}  {}",
        utc(written),
        names.event(party.id())
    )
}

/// How many races there are.
fn tally(counts: &RaceCounts, lists_all: bool) -> String {
    if counts.pairs == 0 {
        return "Nobody wrote to the same place without knowing of the other.".into();
    }
    let least = if counts.more { "At least " } else { "" };
    let races = counted(counts.pairs, "race");
    let agreed = match counts.pairs.saturating_sub(counts.changing) {
        0 => String::new(),
        agreed => {
            let hint = if lists_all { "" } else { " (--all lists them)" };
            format!(" In {agreed} of them both said the same{hint}.")
        }
    };
    format!("{least}{races}: two wrote to the same place, and neither knew of the other.{agreed}")
}

/// What became of a race, each sentence with its full stop.
pub(super) fn sentences(race: &ExplainedRace, names: &Names) -> Vec<String> {
    let sentences = race.sentences(&Words { names }).into_iter();
    sentences.map(|sentence| format!("{sentence}.")).collect()
}

/// How the sentences of the library name people, times and values.
struct Words<'a> {
    names: &'a Names,
}

impl Wording for Words<'_> {
    fn writer(&self, party: &Party) -> String {
        let person = party.event.metadata().value(BY).map(ToOwned::to_owned);
        person.unwrap_or_else(|| self.names.replica(party.id().replica))
    }

    fn time(&self, written_ms: u64) -> String {
        utc(written_ms)
    }

    fn value(&self, cbor: &[u8]) -> String {
        value(cbor)
    }
}

/// What an event says as a whole.
fn said(party: &Party) -> String {
    cut(
        &escaped_json(&content(party.event.payload())),
        CELL_CHARS_MAX,
    )
}

fn value(bytes: &[u8]) -> String {
    cut(&escaped_json(&from_bytes(bytes)), CELL_CHARS_MAX)
}
