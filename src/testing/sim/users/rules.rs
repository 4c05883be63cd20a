//! The rules that these replicas share, and what users write under them.

use crate::event::{AggregateId, Draft, EventId, Metadata, Payload};
use crate::resolver::{Context, FieldEdit, FieldMerge, FoldFn, LastWriteWins, Registry, Rejection};
use serde::{Deserialize, Serialize};

use crate::testing::sim::random::Random;

/// Under which metadata key each local write carries a number of its own.
pub(crate) const MARK: &str = "mark";

/// What one event of a journal left behind: what its writer had seen, and what it rivals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    id: EventId,
    text: u64,
    seen: usize,
    rivals: usize,
}

pub(crate) fn registry() -> Registry {
    let stock = FoldFn::new(
        "stock",
        1,
        |_: &AggregateId| 0i64,
        |left, step: &i64, _: &Context<'_, i64>| *left += step,
    )
    .with_admit(|left, step, _| match left + step {
        ..0 => Err(Rejection::new(format!("only {left} left"))),
        _ => Ok(()),
    });
    let journal = FoldFn::new(
        "journal",
        1,
        |_: &AggregateId| Vec::<Line>::new(),
        |lines: &mut Vec<Line>, text: &u64, cx: &Context<'_, u64>| {
            let seen = lines.iter().filter(|line| cx.saw(line.id)).count();
            let rivals = cx.rivals().len();
            lines.push(Line {
                id: cx.id(),
                text: *text,
                seen,
                rivals,
            });
        },
    );
    let registry = Registry::new().with("stock", stock).unwrap();
    let registry = registry.with("journal", journal).unwrap();
    registry
        .with("doc", FieldMerge)
        .unwrap()
        .with("note", LastWriteWins)
        .unwrap()
}

/// The aggregates that users write.
pub(crate) const AGGREGATES: [&str; 10] = [
    "stock/1",
    "stock/2",
    "journal/1",
    "journal/2",
    "journal/3",
    "doc/1",
    "doc/2",
    "note/1",
    "note/2",
    "note/3",
];

pub(crate) fn aggregate(name: &str) -> AggregateId {
    AggregateId::new(name).unwrap()
}

pub(crate) fn any(random: &mut Random) -> AggregateId {
    let name: &&str = random.pick(&AGGREGATES);
    aggregate(name)
}

/// More than a frame holds, if three of them are written together.
pub(crate) fn large_draft(mark: u64, bytes: usize) -> Draft {
    let text = "y".repeat(bytes);
    let draft = Draft::new("note/1", "written", &text).unwrap();
    draft.with_metadata(MARK, &mark.to_string()).unwrap()
}

/// The number that a write carries.
pub(crate) fn mark(metadata: &Metadata) -> Option<u64> {
    let (_, value) = metadata.iter().find(|(key, _)| *key == MARK)?;
    value.parse().ok()
}

/// Any content that the rule of the aggregate can read.
pub(crate) fn payload(name: &str, random: &mut Random) -> Payload {
    let number = random.below(20);
    match name.split('/').next() {
        Some("stock") => Payload::encode(&(number as i64 - 6)),
        Some("journal") => Payload::encode(&number),
        Some("doc") => {
            let paths: [&[&str]; 4] = [&["a"], &["b"], &["b", "c"], &["b", "d", "e"]];
            let path = random.pick(&paths);
            let edit = FieldEdit::new();
            let edit = if random.chance(25) {
                edit.remove(path.iter().copied())
            } else {
                edit.set(path.iter().copied(), &number).unwrap()
            };
            Payload::encode(&edit)
        }
        _ => Payload::encode(&"x".repeat(number as usize * 7)),
    }
    .unwrap()
}

pub(crate) fn draft(name: &str, mark: u64, random: &mut Random) -> Draft {
    let draft = Draft::raw(name, "written", payload(name, random)).unwrap();
    draft.with_metadata(MARK, &mark.to_string()).unwrap()
}
