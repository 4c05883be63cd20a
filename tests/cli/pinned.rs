//! What the commands say, word by word, against files beside this one.
//!
//! `ANABRANCH_SNAPSHOTS=write cargo test --all-features --test cli` writes them anew: read the
//! difference before you commit it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch::clock::Now;
use anabranch::event::{Commit, Payload};
use anabranch::replica::environment::{Environment, OperatingSystem};
use anabranch::resolver::{DocumentEdit, FieldMerge, LastWriteWins, Manual, Registry, Rules};
use anabranch::store::{EventStore, FjallStore, MemoryStore};
use anabranch::{Draft, Replica};
use futures::StreamExt;
use serde::Serialize;

use super::program::{COMMANDS, Place, ok};

/// Each command by the name of its file, and how it is asked for help.
fn helps() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let top = ("anabranch", vec!["--help"]);
    let command = |command| (command, vec![command, "--help"]);
    [top].into_iter().chain(COMMANDS.into_iter().map(command))
}

/// Compares with what was said before.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "it is asked whether to write the files anew"
)]
fn pinned(name: &str, said: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let file = folder.join(name);
    if std::env::var("ANABRANCH_SNAPSHOTS").as_deref() == Ok("write") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, said).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    for (number, (was, is)) in (1..).zip(before.lines().zip(said.lines())) {
        assert_eq!(was, is, "{name}, line {number}; see tests/cli/pinned.rs");
    }
    assert_eq!(before, said, "{name}; see tests/cli/pinned.rs");
}

/// Cursors hold the epoch of the opening, which is drawn anew each time.
fn without_epochs(text: &str) -> String {
    let mut parts = text.split('@');
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = steady
            .chars()
            .rev()
            .take_while(char::is_ascii_hexdigit)
            .count();
        if digits == 16 {
            steady.truncate(steady.len() - 16);
            steady.push_str("<epoch>");
        }
        steady.push('@');
        steady.push_str(part);
    }
    steady
}

/// A clock that stands still until it is told to go on, and bits that are always the same.
#[derive(Clone)]
struct Fixed {
    system: OperatingSystem,
    wall_ms: Arc<AtomicU64>,
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl Environment for Fixed {
    fn now(&self) -> Now {
        let wall_ms = self.wall_ms.load(Ordering::Relaxed);
        Now {
            wall_ms,
            ..self.system.now()
        }
    }

    fn entropy(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.seed.wrapping_mul(0x0123_4567_89ab_cdef).rotate_left(7) ^ drawn
    }
}

/// One writer of the history.
struct Writer {
    replica: Replica,
    name: &'static str,
    wall_ms: Arc<AtomicU64>,
}

impl Writer {
    async fn new(
        name: &'static str,
        seed: u64,
        store: impl EventStore,
        time: &Arc<AtomicU64>,
    ) -> Self {
        let rules = "owner=manual,sold=counter,tags=add-wins-set"
            .parse::<Rules>()
            .unwrap();
        let rules = Registry::new()
            .with_default(FieldMerge)
            .with("toy", rules)
            .unwrap();
        let rules = rules.with("price", Manual).unwrap();
        let environment = Fixed {
            system: OperatingSystem::new(),
            wall_ms: time.clone(),
            seed,
            drawn: Arc::default(),
        };
        let builder = Replica::builder(store)
            .registry(rules)
            .environment(environment);
        Self {
            replica: builder.open().await.unwrap(),
            name,
            wall_ms: time.clone(),
        }
    }

    /// Writes a minute later than whatever was written before.
    async fn write(&self, aggregate: &str, event_type: &str, payload: &impl Serialize) {
        self.wall_ms.fetch_add(60_000, Ordering::Relaxed);
        let draft = Draft::new(aggregate, event_type, payload).unwrap();
        let draft = draft.with_metadata("by", self.name).unwrap();
        self.replica.record(draft).await.unwrap();
    }
}

/// Two people part and meet; one event is refused and one waits.
async fn history(place: &Place) {
    let time = Arc::new(AtomicU64::new(1_767_225_600_000));
    let store = FjallStore::open(place.path("ada")).unwrap();
    let ada = Writer::new("ada", 1, store, &time).await;
    let ben = Writer::new("ben", 2, MemoryStore::new(), &time).await;
    let edit = DocumentEdit::new;
    let title = edit().set(["title"], "Milk").unwrap();
    ada.write("note/1", "edited", &title.set(["amount"], &1).unwrap())
        .await;
    ada.replica.sync(&ben.replica).await.unwrap();
    ada.write(
        "note/1",
        "edited",
        &edit().set(["title"], "Oat milk").unwrap(),
    )
    .await;
    ben.write(
        "note/1",
        "edited",
        &edit().set(["title"], "Milk, 2 l").unwrap(),
    )
    .await;
    ada.write("price/7", "offered", &Manual::write(&12).unwrap())
        .await;
    ben.write("price/7", "offered", &Manual::write(&15).unwrap())
        .await;
    let toy = edit()
        .set(["owner"], "ada")
        .unwrap()
        .count(["sold"], 2)
        .unwrap();
    ada.write("toy/1", "sold", &toy.add(["tags"], "new").unwrap())
        .await;
    ben.write("toy/1", "sold", &edit().count(["sold"], 3).unwrap())
        .await;
    ada.replica.sync(&ben.replica).await.unwrap();
    ben.write("note/1", "edited", &edit().remove(["amount"]))
        .await;
    ada.replica.sync(&ben.replica).await.unwrap();

    ada.replica
        .ingest(commits_of_cleo(&time).await)
        .await
        .unwrap();
    ada.replica.close().await.unwrap();
}

/// One event that no rule but hers understands, and one without the one before it.
async fn commits_of_cleo(time: &Arc<AtomicU64>) -> Vec<Commit> {
    let cleo = Replica::builder(MemoryStore::new());
    let environment = Fixed {
        system: OperatingSystem::new(),
        wall_ms: time.clone(),
        seed: 3,
        drawn: Arc::default(),
    };
    let rules = Registry::new().with_default(LastWriteWins);
    let cleo = cleo
        .registry(rules)
        .environment(environment)
        .open()
        .await
        .unwrap();
    let odd = Payload::from_bytes(vec![0x42, 0x00, 0xff].into()).unwrap();
    cleo.record(Draft::raw("note/2", "odd", odd).unwrap())
        .await
        .unwrap();
    for n in [1, 2] {
        cleo.record(Draft::new("note/3", "read", &n).unwrap())
            .await
            .unwrap();
    }
    let mut commits: Vec<_> = cleo.commits().map(Result::unwrap).collect().await;
    commits.remove(1);
    commits
}

const READ: [&[&str]; 13] = [
    &["state"],
    &["state", "note/1"],
    &["state", "toy/1"],
    &["state", "note/2"],
    &["tail", "note/1"],
    &["explain", "note/1"],
    &["explain", "price/7"],
    &["explain", "toy/1", "sold"],
    &["resolve", "price/7"],
    &["log", "note/1"],
    &["log", "note/1", "--last", "2"],
    &["status"],
    &["verify"],
];

#[tokio::test]
async fn what_is_read_is_shown_as_it_was() {
    let place = Place::new();
    history(&place).await;
    let rules = [
        "--data",
        "ada",
        "--rule",
        "price=manual",
        "--rule",
        "toy=rules(owner=manual,sold=counter,tags=add-wins-set)",
    ];
    for (name, json) in [("text.txt", None), ("json.txt", Some("--json"))] {
        let mut said = Vec::new();
        for args in READ {
            let command = args.join(" ");
            let args = args.iter().chain(&rules).copied().chain(json);
            let shown = ok(&place.run(args));
            said.push(format!("$ anabranch {command}\n{shown}\n"));
        }
        pinned(name, &without_epochs(&said.concat()));
    }
    let export = ok(&place.run(["export"].iter().chain(&rules)));
    pinned("export.txt", &export);
}

/// A line that was broken once more because it was too long leaves one word alone on the next.
#[test]
fn no_help_has_a_word_left_over_from_a_line_that_was_too_long() {
    for (file, _) in helps() {
        let name = format!("tests/cli/snapshots/help/{file}.txt");
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        let lone = text.lines().find(|line| {
            !line.is_empty() && line.chars().all(|letter| letter.is_ascii_lowercase())
        });
        assert_eq!(lone, None, "{name}");
    }
}

#[test]
fn the_help_of_each_command_is_as_it_was() {
    let place = Place::new();
    for (name, args) in helps() {
        pinned(&format!("help/{name}.txt"), &ok(&place.run(args)));
    }
}
