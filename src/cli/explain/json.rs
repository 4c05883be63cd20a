use anabranch::merge::{
    Contested, ExplainedPiece, ExplainedRace, Party, RaceCounts, Side, Sources,
};
use anabranch::resolver::Verdict;
use serde_json::{Value, json};

use super::super::json::from_bytes;
use super::super::log::outcome_json;
use super::super::names::Names;
use super::Answer;
use super::text::sentences;

/// The whole explanation as one object.
pub(super) fn told(answer: &Answer<'_>) -> Value {
    let Answer {
        explanation, names, ..
    } = answer;
    let races = explanation.races.iter();
    let heads = explanation.heads.iter().map(ToString::to_string);
    let refused = explanation.refused.iter();
    let replaced = explanation.replaced.iter();
    json!({
        "kind": "explanation",
        "aggregate": explanation.aggregate,
        "rule": explanation.rule.as_ref().map(ToString::to_string),
        "unresolved": explanation.condition.as_ref().map(ToString::to_string),
        "events": explanation.events,
        "heads": heads.collect::<Value>(),
        "pieces": explanation.pieces.iter().map(piece).collect::<Value>(),
        "more_pieces": explanation.more_pieces,
        "last_touches": answer.touches.iter().map(party).collect::<Value>(),
        "rejections": explanation.rejections,
        "refused": refused
            .map(|(one, why)| json!({ "event": party(one), "reason": why.reason() }))
            .collect::<Value>(),
        "replaced": replaced
            .map(|(one, by)| json!({ "event": party(one), "by": by.to_string() }))
            .collect::<Value>(),
        "race_counts": counts(&answer.counts),
        "races": races.map(|one| race(one, names)).collect::<Value>(),
        "next": explanation.next.map(|cursor| cursor.to_string()),
    })
}

fn counts(counts: &RaceCounts) -> Value {
    json!({
        "races": counts.pairs,
        "changing": counts.changing,
        "later_wins": counts.later_wins,
        "earlier_wins": counts.earlier_wins,
        "merged": counts.merged,
        "both_kept": counts.both_kept,
        "agree": counts.agree,
        "open": counts.open,
        "more": counts.more,
    })
}

fn party(party: &Party) -> Value {
    let mut json = super::super::event::json(&party.event);
    json.insert("outcome".into(), outcome_json(party.outcome.as_ref()));
    Value::Object(json)
}

fn piece(piece: &ExplainedPiece) -> Value {
    let (sources, more) = match &piece.from {
        Sources::Told { more, .. } => ("told", json!(more)),
        Sources::LastTouches { more, .. } => ("last_touches", json!(more)),
        _ => ("unknown", Value::Null),
    };
    json!({
        "path": piece.key.path,
        "value": from_bytes(&piece.value),
        "open": piece.open,
        "rule": piece.rule,
        "sources": sources,
        "from": piece.from.parties().iter().map(party).collect::<Value>(),
        "more": more,
    })
}

fn race(race: &ExplainedRace, names: &Names) -> Value {
    json!({
        "earlier": party(&race.earlier),
        "later": party(&race.later),
        "contested": race.contested.iter().map(contested).collect::<Value>(),
        "more_contested": race.more_contested,
        "sentences": sentences(race, names),
        "late": race.late,
        "rewrote": race.rewrote,
    })
}

fn contested(place: &Contested) -> Value {
    let value = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(from_bytes);
    let verdict = match place.verdict {
        Verdict::LaterWins => "later_wins",
        Verdict::EarlierWins => "earlier_wins",
        Verdict::Merged => "merged",
        Verdict::BothKept => "both_kept",
        Verdict::Agree => "agree",
        Verdict::Open => "open",
        _ => "other",
    };
    json!({
        "path": place.key.path,
        "branch": place.key.branch,
        "verdict": verdict,
        "rule": place.rule,
        "earlier_value": value(&place.earlier_value),
        "later_value": value(&place.later_value),
        "overruled": place.overruled.map(|side| match side {
            Side::Earlier => "earlier",
            Side::Later => "later",
        }),
        "decided_by": place.decided_by.as_ref().map(party),
    })
}
