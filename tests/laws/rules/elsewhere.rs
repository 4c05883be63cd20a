//! Rules that differ from process to process, or by what was folded first.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use anabranch::FoldFn;
use anabranch::event::EventId;
use anabranch::testing::laws::{Law, Suite};

use super::{Mistake, numbers};

/// What only another process shows.
pub fn mistakes() -> Vec<Mistake> {
    vec![
        said(
            "time_zone",
            "days begin and end by the time zone of the machine",
            || variable("TZ"),
        ),
        said(
            "locale",
            "names are compared as the language of the machine has it",
            || variable("LC_ALL"),
        ),
        said(
            "environment",
            "a variable of the environment switches a feature on",
            || variable("PATH"),
        ),
        said(
            "current_directory",
            "a file is named by the directory that the program was started in",
            || format!("{:?}", std::env::current_dir()),
        ),
        said("process_id", "ids begin with the process id", || {
            std::process::id().to_string()
        }),
        said(
            "address",
            "values are put in order by where they lie in memory",
            || format!("{:p}", main_address()),
        ),
        said(
            "clock_in_seconds",
            "values are stamped with the second in which they were folded",
            || {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.map_or(0, |now| now.as_secs()).to_string()
            },
        ),
        said(
            "seed_per_process",
            "values are hashed with a seed that is drawn once in each process",
            || {
                static SEED: OnceLock<RandomState> = OnceLock::new();
                SEED.get_or_init(RandomState::new).hash_one(1).to_string()
            },
        ),
        first_seen(),
        remembered(),
    ]
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn main_address() -> *const u8 {
    static SOMETHING: u8 = 1;
    &raw const SOMETHING
}

/// The state says something that the process knows.
fn said(name: &'static str, sin: &'static str, what: fn() -> String) -> Mistake {
    let step = move |state: &mut (u64, String), new: &u64| *state = (*new, what());
    let rule = FoldFn::reducer("said", 1, |_| (0, String::new()), step);
    Mistake {
        elsewhere: true,
        ..Mistake::new(Law::Determinism, name, sin, Suite::new(rule, numbers()))
    }
}

fn first_seen() -> Mistake {
    let unit = OnceLock::new();
    let step = move |sum: &mut u64, new: &u64| *sum += new * unit.get_or_init(|| *new);
    let rule = FoldFn::reducer("units", 1, |_| 0, step);
    Mistake {
        elsewhere: true,
        ..Mistake::new(
            Law::Determinism,
            "set_up_by_the_first_event",
            "the first event that a process happens to fold sets the rule up",
            Suite::new(rule, numbers()),
        )
    }
}

fn remembered() -> Mistake {
    let known: Mutex<BTreeMap<EventId, u64>> = Mutex::default();
    let rule = FoldFn::new(
        "sum",
        1,
        |_| 0,
        move |sum: &mut u64, new: &u64, cx| {
            let mut known = known.lock().expect("a lock that nobody broke");
            *sum = *known.entry(cx.id()).or_insert(*sum + new);
        },
    );
    Mistake {
        elsewhere: true,
        ..Mistake::new(
            Law::Determinism,
            "results_kept_by_event_id",
            "what an event led to is remembered by its id, whatever state it is folded into",
            Suite::new(rule, numbers()),
        )
    }
}
