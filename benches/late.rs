//! What a late event costs, counted: applies, footprints, copies of the state; and timed.
//!
//! `cargo bench --bench late` prints a table for an aggregate of 1,000,000 events; `-- --json` prints
//! one object a line, `-- --events N` takes another size. The counts are the same on every machine.
#![expect(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

use std::time::{Duration, Instant};

use anabranch::event::{
    AggregateId, Chain, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use anabranch::merge::{Costs, Timeline, Unguarded};
use anabranch::resolver::{FieldEdit, FieldMerge, FoldFn, Route};

/// Events of the aggregate, unless told otherwise.
const EVENTS: u64 = 1_000_000;
/// Fields that are written in turn.
const FIELDS: u64 = 1_000;
/// Stamps between two events of the steady writer: room for late ones.
const STEP: u64 = 1 << 16;
/// The writer that is always there.
const STEADY: ReplicaId = ReplicaId::new(0, 0);

/// One aggregate and what is written to it.
struct Scene {
    timeline: Timeline,
    written: u64,
    /// The writer that comes late, and how much it has written.
    newcomer: u64,
    late: u64,
}

struct Row {
    what: String,
    events: u64,
    costs: Costs,
    took: Duration,
}

impl Scene {
    /// So many events, one after the other, folded.
    fn new(route: Route, events: u64) -> Self {
        let mut scene = Self {
            timeline: Timeline::new(aggregate(), Some(route)),
            written: 0,
            newcomer: 0,
            late: 0,
        };
        for _ in 0..events {
            scene.go_on();
        }
        scene.timeline.fold(&Unguarded);
        scene
    }

    /// The steady writer writes its next field.
    fn go_on(&mut self) {
        self.written += 1;
        let (last, field) = (self.written - 1, format!("f{}", self.written % FIELDS));
        let named = (last > 0).then(|| id(STEADY, last));
        let stamp = self.written * STEP;
        let event = event(id(STEADY, self.written), stamp, named, &field);
        self.timeline.integrate(event, None);
    }

    /// The late writer, who has seen all but the last `depth` events and what it wrote itself, writes
    /// a field.
    fn come_late(&mut self, depth: u64, field: &str) {
        self.late += 1;
        let seen = id(STEADY, self.written - depth);
        let writer = ReplicaId::new(self.newcomer, 0);
        let own = (self.late > 1).then(|| id(writer, self.late - 1));
        let stamp = (self.written - depth) * STEP + self.late;
        let event = event(
            id(writer, self.late),
            stamp,
            own.into_iter().chain([seen]),
            field,
        );
        self.timeline.integrate(event, None);
    }

    fn measure(&mut self, what: &str, events: u64, work: impl FnOnce(&mut Self)) -> Row {
        (self.newcomer, self.late) = (self.newcomer + 1, 0);
        let before = self.timeline.costs();
        let ((), took) = timed(|| {
            work(self);
            self.timeline.fold(&Unguarded);
        });
        let mut costs = self.timeline.costs();
        costs.applies -= before.applies;
        costs.footprints -= before.footprints;
        costs.rollbacks -= before.rollbacks;
        costs.cloned_bytes -= before.cloned_bytes;
        Row {
            what: what.to_owned(),
            events,
            costs,
            took,
        }
    }
}

fn id(writer: ReplicaId, number: u64) -> EventId {
    EventId::new(writer, Seq::new(number).unwrap())
}

fn aggregate() -> AggregateId {
    AggregateId::new("record/1").unwrap()
}

fn event(id: EventId, stamp: u64, named: impl IntoIterator<Item = EventId>, field: &str) -> Event {
    let tag = Chain::START.tag();
    let heads = named.into_iter().map(|id| Head { id, tag }).collect();
    let edit = FieldEdit::new().set([field], &stamp).unwrap();
    Event::assemble(EventParts {
        id,
        commit: CommitSpan::new(id.seq, 1).unwrap(),
        timestamp: Timestamp::from_bits(stamp),
        written_ms: 0,
        aggregate: aggregate(),
        event_type: EventType::new("edited").unwrap(),
        heads: Heads::new(heads).unwrap(),
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::encode(&edit).unwrap(),
    })
    .unwrap()
}

/// A rule that says nothing of keys: every event may touch everything.
fn everything() -> Route {
    Route::new(FoldFn::new(
        "sums",
        1,
        |_| 0u64,
        |sum: &mut u64, payload: &ciborium::Value, _| {
            *sum = sum.wrapping_mul(31) + u64::from(payload.is_map());
        },
    ))
}

fn rows(events: u64) -> Vec<Row> {
    let depth = (events / 100).min(10_000);
    let mut rows = Vec::new();
    eprintln!("one aggregate of {events} events, field by field ...");
    let (mut scene, took) = timed(|| Scene::new(Route::new(FieldMerge), events));
    rows.push(Row {
        what: String::from("written and folded in order"),
        events,
        costs: scene.timeline.costs(),
        took,
    });
    let late = format!("first late event, {depth} deep, a field of its own");
    rows.push(scene.measure(&late, 1, |scene| scene.come_late(depth, "own")));
    let again = format!("another one, {depth} deep, a field of its own");
    rows.push(scene.measure(&again, 1, |scene| scene.come_late(depth, "own")));
    let met = format!("late event, {depth} deep, a field written since");
    rows.push(scene.measure(&met, 1, |scene| scene.come_late(depth, "f1")));
    let burst = format!("1,000 of them, {depth} deep, folded at once");
    rows.push(scene.measure(&burst, 1_000, |scene| {
        for _ in 0..1_000 {
            scene.come_late(depth, "f1");
        }
    }));
    rows.push(
        scene.measure("1,000 early and 1,000 late ones in turn", 2_000, |scene| {
            for _ in 0..1_000 {
                scene.come_late(depth, "own");
                scene.timeline.fold(&Unguarded);
                scene.go_on();
                scene.timeline.fold(&Unguarded);
            }
        }),
    );
    eprintln!("the same by a rule that names no keys ...");
    let mut scene = Scene::new(everything(), events);
    for depth in [100, depth, events / 2] {
        let met = format!("late event, {depth} deep, no keys named");
        rows.push(scene.measure(&met, 1, |scene| scene.come_late(depth, "own")));
    }
    rows
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let events = arguments
        .windows(2)
        .find_map(|pair| (pair.first()? == "--events").then(|| pair.last()?.parse().ok())?);
    let rows = rows(events.unwrap_or(EVENTS).max(100));
    if arguments.iter().any(|argument| argument == "--json") {
        for row in rows {
            let costs = row.costs;
            println!(
                "{}",
                serde_json::json!({
                    "what": row.what,
                    "events": row.events,
                    "applies": costs.applies,
                    "footprints": costs.footprints,
                    "rollbacks": costs.rollbacks,
                    "cloned_bytes": costs.cloned_bytes,
                    "checkpoints": costs.checkpoints,
                    "micros": row.took.as_micros(),
                })
            );
        }
        return;
    }
    println!(
        "{:<52} {:>9} {:>9} {:>10} {:>5} {:>11} {:>6} {:>10}",
        "what", "events", "applies", "footprints", "back", "copied", "kept", "an event"
    );
    for row in rows {
        let costs = row.costs;
        let each = row.took.as_secs_f64() * 1e6 / row.events as f64;
        println!(
            "{:<52} {:>9} {:>9} {:>10} {:>5} {:>8} KiB {:>6} {:>7.1} us",
            row.what,
            row.events,
            costs.applies,
            costs.footprints,
            costs.rollbacks,
            costs.cloned_bytes / 1024,
            costs.checkpoints,
            each,
        );
    }
    println!("back: times the fold went back; copied: states; kept: checkpoints held then");
}
