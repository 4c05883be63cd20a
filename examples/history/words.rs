//! How people, times and values of this history are called in sentences.

use anabranch::event::{ReplicaId, cbor};
use anabranch::merge::{Party, Wording};
use serde_json::Value;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 60;

/// Names for the engine's sentences.
pub(crate) struct Words;

impl Wording for Words {
    fn writer(&self, party: &Party) -> String {
        author(party.id().replica)
    }

    fn time(&self, written_ms: u64) -> String {
        date(i64::try_from(written_ms / 1_000).unwrap_or(i64::MAX))
    }

    fn value(&self, bytes: &[u8]) -> String {
        cbor::from_slice(bytes).map_or_else(|_| String::from("a value"), |value| short(&value))
    }
}

/// An author and the number of their lane: somebody may have two that did not know of each other.
pub(crate) fn author(replica: ReplicaId) -> String {
    format!("author {}/{}", replica.device(), replica.incarnation())
}

/// A value on one line; null is what is absent here.
pub(crate) fn short(value: &Value) -> String {
    if value.is_null() {
        return String::from("nothing");
    }
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARS {
        return text;
    }
    let start: String = text.chars().take(VALUE_CHARS).collect();
    format!("{start}... ({} bytes)", text.len())
}

/// The day of a time in seconds since 1970, by the algorithm of Howard Hinnant's `civil_from_days`.
pub(crate) fn date(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
