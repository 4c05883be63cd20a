//! What writing events costs a replica: drafts in, answered when they are stored.
//!
//! `cargo bench --bench record --features fjall` prints nanoseconds of processor time an event, of all
//! threads, for commits of one, a hundred and a thousand events; `-- --only engine` those of the engine
//! alone over a store that answers at once, `--only replica` those of a replica on disk, whose commits
//! are fsynced one after the other, `--only together` the same with 512 commits at a time; `--each N` commits of that size, `--rounds N` that many rounds.
//! Under `valgrind --tool=callgrind --toggle-collect='*measured_record*'` it counts the instructions of
//! the engine, with `--only engine --each N --rounds 1`; those of the store's thread with
//! `--toggle-collect='*Writer*append*' --only replica`. The first round warms up and is not counted, but
//! callgrind sees it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

#[path = "store/rows.rs"]
mod rows;

use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::engine::{Birth, Effect, Engine, Input, Outside, Reply, Ticket};
use anabranch::event::Draft;
use anabranch::log::{Durability, Epoch, Opening};
use anabranch::merge::Unguarded;
use anabranch::protocol::Lineage;
use anabranch::replica::{Replica, ReplicaOptions};
use anabranch::resolver::{LastWriteWins, Registry};
use anabranch::store::FjallStore;
use futures::future::try_join_all;

use self::rows::{Rows, computed, median, timed};

/// Events of a round.
const EVENTS: usize = 20_000;
/// Aggregates that are written in turn.
const AGGREGATES: usize = 1_000;
/// Bytes of a value, which makes an event of 174.
const VALUE: usize = 97;
/// Commits that are written at a time.
const TOGETHER: usize = 512;
/// Timelines stay in memory, whatever they take.
const CACHE_BYTES: usize = 4 << 30;

struct Wishes {
    only: Option<String>,
    each: Vec<usize>,
    rounds: usize,
    events: usize,
}

impl Wishes {
    fn read() -> (Self, bool) {
        let arguments: Vec<String> = std::env::args().collect();
        let after = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let number = |name: &str| after(name).map(|number| number.parse::<usize>().unwrap());
        let wishes = Self {
            only: after("--only"),
            each: number("--each").map_or_else(|| vec![1, 100, 1_000], |each| vec![each]),
            rounds: number("--rounds").unwrap_or(9),
            events: number("--events").unwrap_or(EVENTS),
        };
        (
            wishes,
            arguments.iter().any(|argument| argument == "--json"),
        )
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

fn main() {
    let (wishes, json) = Wishes::read();
    let mut rows = Rows::new(json);
    rows.title("what writing an event costs");
    for each in &wishes.each {
        if wishes.wants("engine") {
            print(&mut rows, *each, "engine", &engine(&wishes, *each));
        }
        for (part, together) in [("replica", 1), ("together", TOGETHER)] {
            if wishes.wants(part) {
                print(&mut rows, *each, part, &replica(&wishes, *each, together));
            }
        }
    }
    rows.finish();
}

fn print(rows: &mut Rows, each: usize, part: &str, found: &Found) {
    let what = format!("{part}, {each} events a commit");
    let Found { cost, rate } = *found;
    rows.row(&what, &[("ns computing", cost, 0), ("events/s", rate, 0)]);
}

/// The drafts of a round, commit by commit.
fn drafts(wishes: &Wishes, each: usize) -> Vec<Vec<Draft>> {
    let value = "x".repeat(VALUE);
    let draft = |at: usize| {
        let name = format!("fresh/{}", at % AGGREGATES);
        Draft::new(name, "set", value.as_str()).unwrap()
    };
    let commit = |commit: usize| (commit * each..(commit + 1) * each).map(draft).collect();
    (0..wishes.events / each).map(commit).collect()
}

/// Processor time an event and events a second, medians of rounds of which the first is not counted.
struct Found {
    cost: f64,
    rate: f64,
}

fn rounds(wishes: &Wishes, each: usize, mut write: impl FnMut(Vec<Vec<Draft>>)) -> Found {
    let (mut costs, mut rates) = (Vec::new(), Vec::new());
    for round in 0..=wishes.rounds {
        let commits = drafts(wishes, each);
        let events = commits.len() * each;
        let before = computed();
        let ((), took) = timed(|| write(commits));
        if round > 0 {
            costs.push((computed() - before) / events as f64);
            rates.push(events as f64 / took.as_secs_f64());
        }
    }
    Found {
        cost: median(costs),
        rate: median(rates),
    }
}

fn engine(wishes: &Wishes, each: usize) -> Found {
    let birth = Birth {
        epoch: Epoch::from_bits(1),
        device: 1,
        incarnation: 1,
        lineage: Lineage::from_bits(7),
    };
    let mut outside = Outside {
        now: Now {
            wall_ms: 1_800_000_000_000,
            mono_ms: 0,
        },
        entropy: 7,
    };
    let registry = Registry::new().with_default(LastWriteWins);
    let (opening, guard) = (Opening::default(), Arc::new(Unguarded));
    let mut engine = Engine::open(opening, &birth, registry, guard, CACHE_BYTES, outside);
    while engine.poll_effect().is_some() {}
    engine.handle(outside, Input::Written);
    rounds(wishes, each, |commits| {
        for drafts in commits {
            outside.now.wall_ms += 1;
            outside.now.mono_ms += 1;
            measured_record(&mut engine, outside, drafts);
        }
    })
}

/// Writes a commit; what is to be written is written.
#[inline(never)]
fn measured_record(engine: &mut Engine, outside: Outside, drafts: Vec<Draft>) {
    let input = Input::Record {
        ticket: Ticket(1),
        drafts,
        bases: Vec::new(),
        durability: Durability::Durable,
    };
    engine.handle(outside, input);
    let mut is_recorded = false;
    while let Some(effect) = engine.poll_effect() {
        match effect {
            Effect::Write(_) => engine.handle(outside, Input::Written),
            Effect::Reply { reply, .. } => is_recorded |= matches!(reply, Ok(Reply::Recorded(_))),
            _ => {}
        }
    }
    assert!(is_recorded);
}

/// The same commits, so many at a time.
fn chunks(commits: Vec<Vec<Draft>>, together: usize) -> impl Iterator<Item = Vec<Vec<Draft>>> {
    let mut commits = commits.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<_> = commits.by_ref().take(together).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// A replica on disk that is given so many commits at a time.
fn replica(wishes: &Wishes, each: usize, together: usize) -> Found {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let registry = Registry::new().with_default(LastWriteWins);
    let store = FjallStore::open(folder.path()).unwrap();
    let mut options = ReplicaOptions::default();
    options.cache_bytes = CACHE_BYTES;
    let builder = Replica::builder(store).registry(registry).options(options);
    let replica = runtime.block_on(builder.open()).unwrap();
    let found = rounds(wishes, each, |commits| {
        for commits in chunks(commits, together) {
            let writes = commits.into_iter().map(|drafts| replica.record_all(drafts));
            runtime.block_on(try_join_all(writes)).unwrap();
        }
    });
    runtime.block_on(replica.close()).unwrap();
    found
}
