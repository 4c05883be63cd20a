//! What merging an event costs, duty by duty: nanoseconds of processor time per event.
//!
//! `cargo bench --bench merge` prints a table of medians; `-- --json` one object a line, `--events N`
//! takes another size than 100,000, `--only TEXT` the workloads whose name holds the text, `--rounds N`
//! that many rounds. Under `valgrind --tool=callgrind --toggle-collect='*measured_PART*'` it counts
//! the instructions of one part, with `--only`, `--rounds 1` and `--part PART`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

mod engines;
mod workload;

use std::time::{Duration, Instant};

use anabranch::event::{Commit, decode_block};
use anabranch::merge::{Aggregates, Inbox};
use bytes::Bytes;

use workload::{PLANS, Plan, Workload};

/// Events, unless told otherwise.
const EVENTS: u64 = 100_000;
const ROUNDS: usize = 5;
/// Events of a small batch.
const BATCH: usize = 512;

/// One way to look at the merging of a workload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Bytes to commits.
    Decode,
    /// What is received, its order and chain.
    Inbox,
    /// The inbox and the timelines, without folding; a batch per writer.
    Integrate,
    /// Decoded, integrated, and folded when all is there; a batch per writer.
    Whole,
    /// The same in batches of 512.
    Small,
    /// The same, and folded after each batch.
    Often,
    /// The same one by one.
    Single,
    /// The engine of a replica in which nobody looks at an aggregate.
    Engine,
    /// The same where somebody watches all.
    Watched,
    /// The same, one commit in a frame.
    Live,
}

const PARTS: [(Part, &str); 10] = [
    (Part::Decode, "decode"),
    (Part::Inbox, "inbox"),
    (Part::Integrate, "integrate"),
    (Part::Whole, "whole"),
    (Part::Small, "in 512s"),
    (Part::Often, "each folded"),
    (Part::Single, "one by one"),
    (Part::Engine, "engine"),
    (Part::Watched, "watched"),
    (Part::Live, "live"),
];

struct Arguments {
    events: u64,
    rounds: usize,
    only: String,
    part: Option<String>,
    json: bool,
}

fn arguments() -> Arguments {
    let given: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = given.iter().position(|argument| argument == name)?;
        given.get(at + 1).cloned()
    };
    Arguments {
        events: after("--events").map_or(EVENTS, |text| text.parse().unwrap()),
        rounds: after("--rounds").map_or(ROUNDS, |text| text.parse().unwrap()),
        only: after("--only").unwrap_or_default(),
        part: after("--part"),
        json: given.iter().any(|argument| argument == "--json"),
    }
}

#[inline(never)]
fn measured_decode(block: &Bytes) -> Vec<Commit> {
    decode_block(block).unwrap()
}

#[inline(never)]
fn measured_inbox(inbox: &mut Inbox, commits: &[Commit]) {
    for commit in commits {
        inbox.receive(commit);
    }
}

#[inline(never)]
fn measured_integrate(aggregates: &mut Aggregates, commits: &[Commit]) {
    for commit in commits {
        aggregates.receive(commit);
    }
}

#[inline(never)]
fn measured_fold(aggregates: &mut Aggregates) {
    aggregates.fold_all();
}

/// Processor time of one round.
fn run(plan: Plan, workload: &Workload, part: Part) -> Option<Duration> {
    let batches = match part {
        Part::Single if plan.causal => workload.one_by_one(),
        Part::Live if !plan.is_live() => return None,
        Part::Single if !plan.causal => return None,
        Part::Small | Part::Often if plan.causal => return None,
        Part::Small | Part::Often => workload.in_turns(BATCH),
        Part::Live => workload.one_by_one(),
        _ if plan.causal => vec![workload.one_by_one().concat()],
        _ => workload.by_writer(),
    };
    let blocks: Vec<Bytes> = batches
        .iter()
        .flat_map(|batch| workload::blocks(batch))
        .collect();
    let mut aggregates = Aggregates::new(workload.registry.clone());
    let decoded = || blocks.iter().map(measured_decode);
    Some(match part {
        Part::Decode => {
            let mut kept = Vec::new();
            timed(|| kept.extend(blocks.iter().map(measured_decode)))
        }
        Part::Inbox => {
            let (mut inbox, commits) = (Inbox::new(), decoded().collect::<Vec<_>>());
            timed(|| commits.iter().for_each(|c| measured_inbox(&mut inbox, c)))
        }
        Part::Integrate => {
            let commits = decoded().collect::<Vec<_>>();
            timed(|| {
                for batch in &commits {
                    measured_integrate(&mut aggregates, batch);
                }
            })
        }
        Part::Whole | Part::Small => timed(|| {
            for block in &blocks {
                measured_integrate(&mut aggregates, &measured_decode(block));
            }
            measured_fold(&mut aggregates);
        }),
        Part::Often | Part::Single => timed(|| {
            for block in &blocks {
                measured_integrate(&mut aggregates, &measured_decode(block));
                measured_fold(&mut aggregates);
            }
        }),
        Part::Engine | Part::Watched | Part::Live => {
            let frames = engines::frames(&batches, part != Part::Live);
            let mut replica = engines::replica(workload.registry.clone(), part != Part::Engine);
            timed(|| {
                for frame in &frames {
                    engines::measured_handle(&mut replica, frame.clone());
                }
            })
        }
    })
}

/// The processor time that this thread has had, where the system tells; else the time of day.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let spent = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        told.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    };
    let (began, spent_before) = (Instant::now(), spent());
    work();
    match (spent_before, spent()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => began.elapsed(),
    }
}

fn main() {
    let arguments = arguments();
    for plan in PLANS {
        if !plan.name.contains(&arguments.only) {
            continue;
        }
        let workload = Workload::new(plan, arguments.events);
        for (part, name) in PARTS {
            if arguments.part.as_ref().is_some_and(|wanted| wanted != name) {
                continue;
            }
            let round = |_| run(plan, &workload, part);
            let Some(mut times) = (0..arguments.rounds).map(round).collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            times.sort();
            let median = times[times.len() / 2].as_nanos() as f64 / arguments.events as f64;
            if arguments.json {
                let row = serde_json::json!({
                    "workload": plan.name,
                    "part": name,
                    "events": arguments.events,
                    "ns": median,
                });
                println!("{row}");
            } else {
                println!("{:<22} {name:<10} {median:>9.1} ns an event", plan.name);
            }
        }
    }
}
