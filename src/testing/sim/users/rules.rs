//! The cast of those who bring none: rules that look at what is concurrent, that refuse, that merge
//! fields and that ask people, and what users write under them.

mod shelf;
mod tally;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::{AggregateId, Draft, EventId, Metadata, Payload, ReplicaId, Seq};
use crate::resolver::{
    Context, FieldEdit, FieldMerge, FoldFn, LastWriteWins, Manual, Registry, Rejection,
};
use crate::testing::sim::cast::Cast;
use crate::testing::sim::draws::Draws;

/// Under which metadata key each local write carries a number of its own.
pub(crate) const MARK: &str = "mark";

/// What the events of a journal left behind: a sum over all of them, in order, of what each says, how
/// much of the latest ones its writer had seen, and how many it rivals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    sum: u64,
    /// Each as three numbers, which are quicker to write and to read than sixteen bytes one by one.
    latest: Vec<(u64, u64, Seq)>,
}

impl Journal {
    const LATEST: usize = 8;

    fn add(&mut self, text: u64, cx: &Context<'_, u64>) {
        let id = |&(device, incarnation, seq): &(u64, u64, Seq)| {
            EventId::new(ReplicaId::new(device, incarnation), seq)
        };
        let seen = self.latest.iter().filter(|last| cx.saw(id(last))).count();
        for part in [text, seen as u64, cx.rivals().len() as u64] {
            self.sum = (self.sum.rotate_left(7) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        if self.latest.len() == Self::LATEST {
            self.latest.remove(0);
        }
        let EventId { replica, seq } = cx.id();
        self.latest
            .push((replica.device(), replica.incarnation(), seq));
    }
}

/// The cast of a simulation that is given none.
pub(crate) fn cast() -> Cast {
    Cast::new(registry(1))
        .with_other_version(registry(2))
        .refusing(&["stock", "person", "shelf"])
        .writing(["stock/1", "stock/2"], |draws| {
            encode(&(draws.below(20) as i64 - 6))
        })
        .writing(["journal/1", "journal/2", "journal/3"], |draws| {
            encode(&draws.below(20))
        })
        .writing(["doc/1", "doc/2"], edit)
        .writing(["note/1", "note/2", "note/3"], text)
        .writing(["person/1"], decision)
        .writing(["shelf/1", "shelf/2"], |draws| encode(&shelf::step(draws)))
        .writing(["tally/1"], |draws| encode(&draws.below(40)))
}

/// The rules in the first or the second version.
fn registry(version: u32) -> Registry {
    let stock = FoldFn::new(
        "stock",
        version,
        |_: &AggregateId| 0i64,
        |left, step: &i64, _: &Context<'_, i64>| *left += step,
    )
    .with_admit(move |left, step, _| match left + step {
        ..0 => Err(Rejection::new(format!("only {left} left"))),
        100.. if version > 1 => Err(Rejection::new("no room for more than a hundred")),
        _ => Ok(()),
    });
    let journal = FoldFn::new(
        "journal",
        1,
        |_: &AggregateId| Journal::default(),
        |journal: &mut Journal, text: &u64, cx: &Context<'_, u64>| journal.add(*text, cx),
    );
    let registry = Registry::new().with("stock", stock).unwrap();
    let registry = registry.with("journal", journal).unwrap();
    let registry = registry.with("doc", FieldMerge).unwrap();
    let registry = registry.with("note", LastWriteWins).unwrap();
    let registry = registry.with("person", Manual).unwrap();
    let registry = registry.with("shelf", shelf::Shelf).unwrap();
    registry.with("tally", tally::Tally).unwrap()
}

pub(crate) fn aggregate(name: &str) -> AggregateId {
    AggregateId::new(name).unwrap()
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Payload {
    Payload::encode(value).unwrap()
}

fn edit(draws: &mut Draws) -> Payload {
    let number = draws.below(20);
    let paths: [&[&str]; 4] = [&["a"], &["b"], &["b", "c"], &["b", "d", "e"]];
    let path = draws.pick(&paths).iter().copied();
    if draws.chance(25) {
        return encode(&FieldEdit::new().remove(path));
    }
    encode(&FieldEdit::new().set(path, &number).unwrap())
}

fn decision(draws: &mut Draws) -> Payload {
    let number = draws.below(5);
    let edit = if draws.chance(30) {
        Manual::resolution(&number)
    } else {
        Manual::write(&number)
    };
    encode(&edit.unwrap())
}

pub(crate) fn text(draws: &mut Draws) -> Payload {
    encode(&"x".repeat(draws.below(20) as usize * 7))
}

/// No rule of this cast can read it.
pub(crate) fn garbage(draws: &mut Draws) -> Payload {
    let bytes: Vec<u8> = (0..draws.between(1, 9))
        .map(|_| draws.below(256) as u8)
        .collect();
    Payload::from_bytes(Bytes::from([&[0xff], &*bytes].concat())).unwrap()
}

/// More than a batch holds, if two of them are written together.
pub(crate) fn large(bytes: usize) -> Payload {
    encode(&"y".repeat(bytes))
}

/// The number that a write carries.
pub(crate) fn mark(metadata: &Metadata) -> Option<u64> {
    metadata.value(MARK)?.parse().ok()
}

pub(crate) fn draft(aggregate: &AggregateId, mark: u64, payload: Payload) -> Draft {
    let draft = Draft::raw(aggregate.clone(), "written", payload).unwrap();
    draft.with_metadata(MARK, &mark.to_string()).unwrap()
}
