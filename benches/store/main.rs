//! The disk store beside raw fjall: durable appends, callers side by side, replay, bytes, openings.
//!
//! `cargo bench --bench store --features fjall` prints tables; `-- --json` prints one object,
//! `-- --quick` takes a tenth of the time, `-- --long` opens a store of 1,000,000 events too,
//! `-- --only NAME` prints one of `append`, `callers`, `replay`, `open`. The files lie under
//! `target/`, on the disk that the repository is on, or where `-- --at FOLDER` says.
//!
//! Raw fjall keeps the same bytes, one row per event under its position, with its own default
//! settings, one batch and one `SyncAll` per group: no index, no checksum per row, no mark. Ours and
//! its rounds take turns; what is printed is the median of the rounds, and of their ratios.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails by panicking, and its numbers are small"
)]

mod append;
mod callers;
mod content;
mod open;
mod raw;
mod replay;
mod rows;
mod wait;

use std::path::PathBuf;

use self::rows::Rows;

/// What the arguments ask for.
struct Wishes {
    quick: bool,
    long: bool,
    only: Option<String>,
    folder: PathBuf,
}

impl Wishes {
    fn read() -> (Self, bool) {
        let arguments: Vec<String> = std::env::args().collect();
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        let after = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let under = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench-store");
        let wishes = Self {
            quick: has("--quick"),
            long: has("--long"),
            only: after("--only"),
            folder: after("--at").map_or_else(|| under.into(), PathBuf::from),
        };
        (wishes, has("--json"))
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

fn main() {
    let (wishes, json) = Wishes::read();
    std::fs::create_dir_all(&wishes.folder).unwrap();
    let mut rows = Rows::new(json);
    for (part, measure) in [
        ("append", append::measure as fn(&Wishes, &mut Rows)),
        ("callers", callers::measure),
        ("replay", replay::measure),
        ("open", open::measure),
    ] {
        if wishes.wants(part) {
            measure(&wishes, &mut rows);
        }
    }
    rows.finish();
}
