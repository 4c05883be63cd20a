//! Explanations in sentences that a person understands.
//!
//! What a sentence says follows from the explanation alone; the names of writers, the times and the
//! values in it are worded by the caller, who knows who is called what, in which zone the reader
//! lives and how much of a value fits. Sentences end without a full stop.
//!
//! This file decides nothing: it reads verdicts and outcomes and knows no rule.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Contested, ExplainedPiece, ExplainedRace, Party, Side, Sources};
use crate::event::EventId;
use crate::resolver::{Key, Rejection, Verdict};

/// How writers, times, values and places are worded.
pub trait Wording {
    /// Who wrote an event: `ada`.
    fn writer(&self, party: &Party) -> String;

    /// What a writer's clock said, in milliseconds since 1970: `12:03`.
    fn time(&self, written_ms: u64) -> String;

    /// A value in canonical CBOR, or a whole payload, which may be any CBOR: `3`.
    fn value(&self, cbor: &[u8]) -> String;

    /// A place: `address.street`. The whole state is not named.
    fn place(&self, key: &Key) -> String {
        key.path.join(".")
    }
}

impl Party {
    /// The event as a sentence names it: ``ada's 12:03 `edited` ``.
    pub fn told(&self, words: &dyn Wording) -> String {
        format!("{} `{}`", whose(self, words), self.event_type())
    }

    /// That the event is refused, and why.
    pub fn refusal(&self, why: &Rejection, words: &dyn Wording) -> String {
        format!("{} was refused: {why}", self.told(words))
    }

    /// That the event is skipped, because another one stands for it.
    pub fn replacement(&self, by: EventId, words: &dyn Wording) -> String {
        format!("{} is skipped: {by} stands for it", self.told(words))
    }
}

impl ExplainedPiece {
    /// What is at the place, and where it comes from.
    pub fn sentence(&self, words: &dyn Wording) -> String {
        let place = match words.place(&self.key) {
            place if place.is_empty() => String::from("it"),
            place => place,
        };
        let mut sentence = format!("{place} is {}", words.value(&self.value));
        let parties = self.from.parties();
        if !parties.is_empty() {
            sentence += match &self.from {
                Sources::Told { .. } => ", from ",
                Sources::LastTouches { .. } => ", last touched by ",
            };
            let parties: Vec<String> = parties.iter().map(|party| party.told(words)).collect();
            sentence += &listed(&parties);
        }
        match &self.from {
            Sources::Told { more: 1.., .. } | Sources::LastTouches { more: true, .. } => {
                sentence += ", and earlier ones";
            }
            _ => {}
        }
        if self.open {
            sentence += "; a person has to decide";
        }
        sentence
    }
}

impl ExplainedRace {
    /// What became of the two at each listed place, one sentence each, and at the end what the
    /// lateness of the earlier one has changed here, if it was late.
    pub fn sentences(&self, words: &dyn Wording) -> Vec<String> {
        let of_place = |place: &Contested| self.decided(place, words);
        let mut sentences: Vec<String> = self.contested.iter().map(of_place).collect();
        let (earlier, later) = (self.earlier.told(words), self.later.told(words));
        if sentences.is_empty() {
            sentences.push(format!(
                "{earlier} and {later} had not seen each other; what became of them cannot be told"
            ));
        } else if self.more_contested {
            sentences.push(String::from("they share more places than are listed"));
        }
        if self.late {
            let changed = if self.rewrote {
                "changed what had been shown"
            } else {
                "changed nothing there that had been shown"
            };
            sentences.push(format!(
                "{earlier} arrived here after {later} and {changed}"
            ));
        }
        sentences
    }

    fn decided(&self, place: &Contested, words: &dyn Wording) -> String {
        let saying = |side, named| self.saying(side, place, named, words);
        if let Some(refused) = self.refused(place, words) {
            return refused;
        }
        let both = || {
            let (earlier, later) = (saying(Side::Earlier, true), saying(Side::Later, false));
            format!("{earlier} and {later} had not seen each other")
        };
        let said = match place.verdict {
            Verdict::LaterWins => format!(
                "{} was overruled by {}, which had not seen it",
                saying(Side::Earlier, true),
                saying(Side::Later, false)
            ),
            Verdict::EarlierWins => format!(
                "{} was overruled by {}, which it had not seen",
                saying(Side::Later, true),
                saying(Side::Earlier, false)
            ),
            Verdict::Merged => both() + " and both count",
            Verdict::BothKept => both() + " and both are kept",
            Verdict::Agree => return both() + " and say the same",
            Verdict::Open => {
                return match &place.decided_by {
                    Some(party) => format!(
                        "{} and both were kept until {}, which had seen them, decided",
                        both(),
                        party.told(words)
                    ),
                    None => both() + " and both are kept until a person has decided",
                };
            }
        };
        let order =
            if self.earlier.written_ms() > self.later.written_ms() && place.overruled.is_some() {
                let (later, earlier) = (whose(&self.later, words), whose(&self.earlier, words));
                format!(", in an order in which {later} is behind {earlier}")
            } else {
                String::new()
            };
        format!("{said}; {}{order}", place.rule)
    }

    /// What is to be said where one of the two was refused.
    fn refused(&self, place: &Contested, words: &dyn Wording) -> Option<String> {
        let saying = |side, named| self.saying(side, place, named, words);
        Some(match (self.earlier.rejection(), self.later.rejection()) {
            (None, None) => return None,
            (Some(why), None) => format!(
                "{} was refused: {why}; {} had not seen it",
                saying(Side::Earlier, true),
                saying(Side::Later, false)
            ),
            (None, Some(why)) => format!(
                "{} was refused: {why}; it had not seen {}",
                saying(Side::Later, true),
                saying(Side::Earlier, false)
            ),
            (Some(earlier), Some(later)) => format!(
                "{} and {} had not seen each other and both were refused: {earlier}; {later}",
                saying(Side::Earlier, true),
                saying(Side::Later, false)
            ),
        })
    }

    /// What one of the two says at a place, which is named if wanted.
    fn saying(&self, side: Side, place: &Contested, named: bool, words: &dyn Wording) -> String {
        let (party, value) = match side {
            Side::Earlier => (&self.earlier, &place.earlier_value),
            Side::Later => (&self.later, &place.later_value),
        };
        let name = words.place(&place.key);
        let named = named && !name.is_empty();
        match value.as_deref() {
            // A removal, or a null that somebody wrote.
            Some(NULL) if named => {
                format!(
                    "{} write that leaves nothing at {name}",
                    whose(party, words)
                )
            }
            Some(NULL) => format!("{} write that leaves nothing", whose(party, words)),
            Some(value) => {
                let what = [named.then_some(name), Some(words.value(value))];
                let what: Vec<String> = what.into_iter().flatten().collect();
                format!("{} write of {}", whose(party, words), what.join(" "))
            }
            None if named => format!("{} at {name}", party.told(words)),
            None => party.told(words),
        }
    }
}

/// The CBOR of null.
const NULL: &[u8] = &[0xf6];

fn whose(party: &Party, words: &dyn Wording) -> String {
    let (writer, time) = (words.writer(party), words.time(party.written_ms()));
    format!("{writer}'s {time}")
}

fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
