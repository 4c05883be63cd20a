use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::rules::Rule;
use super::{help, place};

/// Records events while apart, merges them the same everywhere.
#[derive(Debug, Parser)]
#[command(name = "anabranch", version, before_help = help::TOP, after_help = help::EXIT_CODES)]
#[command(help_template = help::TEMPLATE)]
pub(super) struct Arguments {
    /// One JSON object per line on stdout instead of text; errors as JSON on stderr
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell a story with a hub and three replicas, one of which is killed
    #[command(before_help = help::DEMO, help_template = help::TEMPLATE)]
    Demo(Demo),
    /// Run a hub: a replica that listens
    #[command(before_help = help::SERVE, help_template = help::TEMPLATE)]
    Serve(Serve),
    /// Write an event, or one per line of stdin
    #[command(before_help = help::RECORD, help_template = help::TEMPLATE)]
    Record(Record),
    /// Show states
    #[command(before_help = help::STATE, help_template = help::TEMPLATE)]
    State(State),
    /// Show states, and again whenever they change
    #[command(before_help = help::WATCH, help_template = help::TEMPLATE)]
    Watch(Watch),
    /// Show events in the order in which they arrived
    #[command(before_help = help::TAIL, help_template = help::TEMPLATE)]
    Tail(Tail),
    /// Tell why a value is what it is: who wrote it, by which rule, and what was overruled
    #[command(before_help = help::EXPLAIN, help_template = help::TEMPLATE)]
    Explain(Explain),
    /// Show what waits for a person under the rule manual, and settle it
    #[command(before_help = help::RESOLVE, help_template = help::TEMPLATE)]
    Resolve(Resolve),
    /// Draw who wrote what of one aggregate, and what each had seen
    #[command(before_help = help::LOG, help_template = help::TEMPLATE)]
    Log(Log),
    /// Exchange events with a hub once, and report
    #[command(before_help = help::SYNC, help_template = help::TEMPLATE)]
    Sync(Sync),
    /// Show who a replica is, what it holds and what it waits for
    #[command(before_help = help::STATUS, help_template = help::TEMPLATE)]
    Status(Status),
    /// Write whole commits as lines of JSON, to be imported elsewhere
    #[command(before_help = help::EXPORT, help_template = help::TEMPLATE)]
    Export(Export),
    /// Take the commits of an export, ids and all
    #[command(before_help = help::IMPORT, help_template = help::TEMPLATE)]
    Import(Import),
    /// Read everything that a directory holds, and say what of it is damaged
    #[command(before_help = help::VERIFY, help_template = help::TEMPLATE)]
    Verify(Verify),
    /// Give back what a directory's files hold in vain
    #[command(before_help = help::COMPACT, help_template = help::TEMPLATE)]
    Compact(Compact),
    /// Write a script that lets a shell complete commands and options
    #[command(before_help = help::COMPLETIONS, help_template = help::TEMPLATE)]
    Completions(Completions),
    /// One process of the demo, driven over stdin
    #[command(hide = true)]
    DemoProcess(DemoProcess),
}

/// A data directory of one's own.
#[derive(Clone, Debug, Args)]
pub(super) struct Directory {
    /// The directory that holds the events; one process has it open at a time
    #[arg(long, value_name = "DIR", default_value = place::DEFAULT_DIRECTORY)]
    pub(super) data: PathBuf,
    #[command(flatten)]
    pub(super) rules: Rules,
}

/// Which rule each type of aggregate has.
#[derive(Clone, Debug, Args)]
pub(super) struct Rules {
    /// Bind an aggregate type to a rule, repeatedly; the type * stands for all others, which have
    /// field-merge unless you say otherwise. Rules: field-merge, last-write-wins, first-write-wins,
    /// counter, add-wins-set, multi-value, manual, and rules(FIELD=RULE,...) for a rule per field.
    /// Replicas agree if their rules do
    #[arg(long = "rule", value_name = "TYPE=RULE")]
    pub(super) rules: Vec<Rule>,
}

/// A data directory, or a hub.
#[derive(Clone, Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    pub(super) directory: Directory,
    /// Exchange with a hub too: live as long as the command runs, or once if it does not stay.
    /// Works on while the hub is away
    #[arg(long, value_name = "URL", value_parser = place::address)]
    pub(super) connect: Option<String>,
    /// Work on a hub without a data directory: reads its whole log into memory first
    #[arg(long, value_name = "URL", value_parser = place::address)]
    #[arg(conflicts_with_all = ["data", "connect"])]
    pub(super) hub: Option<String>,
}

/// See [`Command::Demo`].
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Leave the four data directories behind, and say where
    #[arg(long)]
    pub(super) keep: bool,
}

/// See [`Command::Serve`].
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) directory: Directory,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7171")]
    pub(super) listen: String,
    /// Stay connected to another hub, repeatedly
    #[arg(long, value_name = "URL", value_parser = place::address)]
    pub(super) connect: Vec<String>,
}

/// See [`Command::Record`].
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The aggregate, as type/name; `-` reads one event per line from stdin
    pub(super) aggregate: String,
    /// What kind of fact the event states; `edited` if only fields are given
    #[arg(value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// The event's content as JSON
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(super) payload: Option<String>,
    /// Fields: write one, repeatedly; dots separate the parts of the path, and a value that
    /// is not JSON is text
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "payload")]
    pub(super) set: Vec<String>,
    /// Fields: remove one and what is inside it, repeatedly
    #[arg(long, value_name = "PATH", conflicts_with = "payload")]
    pub(super) remove: Vec<String>,
    /// Fields: write every one of a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "payload")]
    pub(super) fields: Option<String>,
    /// Fields under rules(...): add an element to a set, repeatedly
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "payload")]
    pub(super) add: Vec<String>,
    /// Fields under rules(...): take an element out of a set, repeatedly
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "payload")]
    pub(super) discard: Vec<String>,
    /// Fields under rules(...): add a step to a counter, repeatedly
    #[arg(long, value_name = "PATH=STEP", conflicts_with = "payload")]
    pub(super) count: Vec<String>,
    /// Text that travels along, repeatedly
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) meta: Vec<String>,
    /// Answer before the event is fsynced, which follows within a second
    #[arg(long, conflicts_with = "hub")]
    pub(super) buffered: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

impl Record {
    /// Whether anything but stdin says what to write.
    pub(super) fn has_content(&self) -> bool {
        let lists = [
            &self.set,
            &self.remove,
            &self.add,
            &self.discard,
            &self.count,
            &self.meta,
        ];
        let is_given = lists.into_iter().any(|list| !list.is_empty());
        is_given || self.fields.is_some() || self.event_type.is_some()
    }
}

/// See [`Command::State`].
#[derive(Debug, Args)]
pub(super) struct State {
    /// An aggregate, or a prefix of whole segments; all if none is named
    #[arg(value_name = "AGGREGATE")]
    pub(super) prefixes: Vec<String>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Watch`].
#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Aggregates, or prefixes of whole segments; all if none is named
    #[arg(value_name = "AGGREGATE")]
    pub(super) prefixes: Vec<String>,
    /// Also write an event per line of stdin, as `record -` does
    #[arg(long)]
    pub(super) record: bool,
    /// Leave out the states as they are now
    #[arg(long)]
    pub(super) changes_only: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Tail`].
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Aggregates, or prefixes of whole segments; all if none is named
    #[arg(value_name = "AGGREGATE")]
    pub(super) prefixes: Vec<String>,
    /// Go on with what arrives
    #[arg(long, short)]
    pub(super) follow: bool,
    /// Begin after an event seen before, by the cursor that was printed with it
    #[arg(long, value_name = "CURSOR", value_parser = super::tail::cursor, conflicts_with = "hub")]
    pub(super) from: Option<anabranch::log::Cursor>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Explain`].
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The aggregate, as type/name
    pub(super) aggregate: String,
    /// Only this place, and what is inside it; dots separate the parts
    pub(super) path: Option<super::explain::Path>,
    /// Also races in which both said the same
    #[arg(long)]
    pub(super) all: bool,
    /// Races that are listed at a time
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) limit: u16,
    /// Go on after the races that were listed before, by the cursor that was printed with them
    #[arg(long, value_name = "CURSOR")]
    pub(super) after: Option<anabranch::merge::RaceCursor>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Resolve`].
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The aggregate, as type/name
    pub(super) aggregate: String,
    /// Only this field; dots separate the parts
    pub(super) path: Option<super::explain::Path>,
    /// Settle it with one of the values that were shown, by its number
    #[arg(long, value_name = "N", conflicts_with = "value")]
    pub(super) take: Option<usize>,
    /// Settle it with a value of your own
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    pub(super) value: Option<String>,
    /// What had been shown when the decision was made, by the token that was printed with it
    #[arg(long, value_name = "TOKEN")]
    pub(super) seen: Option<String>,
    /// What kind of fact the decision is; `resolved` if nothing is said
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// Text that travels along, repeatedly
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) meta: Vec<String>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Log`].
#[derive(Debug, Args)]
pub(super) struct Log {
    /// The aggregate, as type/name
    pub(super) aggregate: String,
    /// The newest events only, so many of them
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    pub(super) last: usize,
    /// All events
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Sync`].
#[derive(Debug, Args)]
pub(super) struct Sync {
    /// The hub, for example `ws://127.0.0.1:7171`
    #[arg(value_name = "URL", value_parser = place::address)]
    pub(super) address: String,
    /// Send only
    #[arg(long, conflicts_with = "pull_only")]
    pub(super) push_only: bool,
    /// Receive only
    #[arg(long)]
    pub(super) pull_only: bool,
    #[command(flatten)]
    pub(super) directory: Directory,
}

/// See [`Command::Status`].
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Also look at every aggregate, so that those that have no state here are told
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) directory: Directory,
}

/// See [`Command::Export`].
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Only commits that touch these aggregates, or prefixes of whole segments; all if none is named
    #[arg(value_name = "AGGREGATE")]
    pub(super) prefixes: Vec<String>,
    #[command(flatten)]
    pub(super) place: Place,
}

/// See [`Command::Import`].
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What `anabranch export` wrote; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) directory: Directory,
}

/// See [`Command::Verify`].
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) directory: Directory,
}

/// See [`Command::Compact`].
#[derive(Debug, Args)]
pub(super) struct Compact {
    #[command(flatten)]
    pub(super) directory: Directory,
}

/// See [`Command::Completions`].
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Whose script
    pub(super) shell: clap_complete::Shell,
}

/// See [`Command::DemoProcess`].
#[derive(Debug, Args)]
pub(super) struct DemoProcess {
    /// Its data directory
    #[arg(long)]
    pub(super) data: PathBuf,
}
