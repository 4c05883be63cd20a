//! The planted bugs. Also read by the command that hunts them, `examples/mutants`.

/// One bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What it is called, as in `--cfg mutant="name"`.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Which promise it breaks.
    pub breaks: &'static str,
}

const fn mutant(name: &'static str, what: &'static str, breaks: &'static str) -> Mutant {
    Mutant { name, what, breaks }
}

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    mutant(
        "acknowledge-before-fsync",
        "a local write is acknowledged as durable before its fsync",
        "nothing acknowledged is lost",
    ),
    mutant(
        "durable-ack-before-fsync",
        "a delivery is acknowledged to the peer as durable before its fsync",
        "nothing acknowledged is lost",
    ),
    mutant(
        "own-events-sent-before-fsync",
        "own events leave before their fsync",
        "nothing that a replica wrote leaves it before it is fsynced",
    ),
    mutant(
        "failed-write-taken-for-done",
        "a failed write is answered like one that was done",
        "a failed commit means unknown, not done",
    ),
    mutant(
        "buffered-never-flushed",
        "a buffered write waits for the next durable one for ever",
        "a buffered write is fsynced within a second",
    ),
    mutant(
        "restamp-loses-metadata",
        "what is written again loses its metadata",
        "nothing acknowledged is lost",
    ),
    mutant(
        "seq-reused-after-restore",
        "a restored replica goes on under its old name",
        "a seq is never used twice",
    ),
    mutant(
        "incarnation-not-stored",
        "a new incarnation is forgotten at the next restart",
        "a seq is never used twice",
    ),
    mutant(
        "lineage-not-stored",
        "the lineage of the log that was joined is forgotten at a restart",
        "one log has one lineage",
    ),
    mutant(
        "clock-mark-not-stored",
        "a restarted clock begins at what the wall clock shows",
        "stamps rise across restarts",
    ),
    mutant(
        "any-clock-adopted",
        "a remote stamp is adopted however far ahead it is",
        "no peer drags a clock along",
    ),
    mutant(
        "forget-the-lift",
        "a stamp is not lifted above what its writer had seen",
        "canonical order extends causality",
    ),
    mutant(
        "skip-dedupe",
        "an event that is here already is taken once more",
        "duplicates change nothing",
    ),
    mutant(
        "fork-unseen",
        "another event under a known id counts as a duplicate",
        "a fork is told",
    ),
    mutant(
        "cursor-before-its-data",
        "a cursor is stored while what it covers waits for a look into the store",
        "a cursor covers nothing that was not stored with it",
    ),
    mutant(
        "cursor-shown-before-fsync",
        "a peer is shown a cursor whose data may still be lost",
        "a cursor that a peer is shown is fsynced",
    ),
    mutant(
        "cursor-not-stored",
        "the cursor is not written with the data",
        "a reconnect costs what is new",
    ),
    mutant(
        "cursor-past-a-refusal",
        "the cursor moves past commits that were not taken behind a refused one",
        "a cursor covers nothing that was not taken",
    ),
    mutant(
        "cursor-moves-back",
        "a session that lags behind another moves the cursor back",
        "a cursor only moves on",
    ),
    mutant(
        "epoch-not-begun",
        "an opening of the store begins no epoch",
        "a restored store honours no cursor from its lost future",
    ),
    mutant(
        "lost-future-honoured",
        "a cursor is honoured beyond the end of its epoch",
        "a restored store honours no cursor from its lost future",
    ),
    mutant(
        "summary-counts-gaps",
        "a summary tells gaps as received",
        "replicas that exchange everything hold the same",
    ),
    mutant(
        "located-beyond-stored",
        "what the store has not answered yet counts as located",
        "replicas that exchange everything hold the same",
    ),
    mutant(
        "echoes-never-sent",
        "what came from a peer is not sent back to it even if it lost it",
        "replicas that exchange everything hold the same",
    ),
    mutant(
        "withdrawn-commits-sent",
        "commits that were refused and written again are still sent",
        "a refused commit counts once",
    ),
    mutant(
        "credit-never-returned",
        "credit that a peer has spent is never granted again",
        "a sender that waits for credit gets it",
    ),
    mutant(
        "half-open-for-ever",
        "own pings count as a sign of life of the peer",
        "no half-open connection outlives its deadline",
    ),
    mutant(
        "staged-parts-forgotten",
        "parts of a large commit are not gone on from after a reconnect",
        "a large commit goes on from the part where the connection broke",
    ),
    mutant(
        "staged-parts-kept",
        "parts of a large commit stay for ever",
        "staged parts go when the commit is whole",
    ),
    mutant(
        "writes-not-held-back",
        "a local write goes on while refused commits are written again",
        "what follows a refused commit waits behind it",
    ),
    mutant(
        "followers-of-a-refused-commit-taken",
        "what was under way behind a refused commit is taken",
        "what follows a refused commit waits behind it",
    ),
    mutant(
        "restamp-loses-order",
        "what is written again is written in reverse",
        "what is written again keeps its causal order",
    ),
    mutant(
        "withdrawal-not-stored",
        "that commits were withdrawn is forgotten at a restart",
        "a refused commit counts once",
    ),
    mutant(
        "released-before-its-past",
        "a commit is ready before what it names is here",
        "a commit waits as a whole for its past",
    ),
    mutant(
        "writer-gap-ignored",
        "a commit is ready before its writer's earlier events are here",
        "a commit waits as a whole for its past",
    ),
    mutant(
        "waiting-forgotten-on-restart",
        "commits that wait are forgotten at a restart",
        "what was received becomes ready once its past is here",
    ),
    mutant(
        "commit-split",
        "of a commit over several aggregates only the first event reaches what is in memory",
        "a commit is atomic in visibility",
    ),
    mutant(
        "load-misses-unstored",
        "a read misses what the store has not answered yet",
        "a read shows every event that is here",
    ),
    mutant(
        "let-go-under-a-read",
        "entries leave the memory while a read that missed them is under way",
        "a read shows every event that is here",
    ),
    mutant(
        "tie-broken-by-arrival",
        "of equal stamps the one that came last folds last",
        "canonical order is a function of the events",
    ),
    mutant(
        "head-not-joined",
        "an event that joins several heads leaves them standing",
        "heads are the maximal events",
    ),
    mutant(
        "own-past-not-named",
        "a write does not name its writer's own previous event",
        "an event has its writer's own events in its past",
    ),
    mutant(
        "replacement-ignored",
        "a replaced event and its replacement both count",
        "of an event and its replacements one counts",
    ),
    mutant(
        "last-replacement-counts",
        "of several replacements the last one counts",
        "the first replacement in canonical order counts",
    ),
    mutant(
        "checkpoint-not-updated",
        "a checkpoint does not get the event that was put in its place before it",
        "a checkpoint equals a fold of what lies before it",
    ),
    mutant(
        "checkpoint-behind-kept",
        "a replay starts at a checkpoint behind the late event",
        "a checkpoint equals a fold of what lies before it",
    ),
    mutant(
        "overlap-missed",
        "a key is not seen to overlap a branch above it",
        "a shortcut gives the state of a full replay",
    ),
    mutant(
        "refused-touches-nothing",
        "an event that was refused counts as touching no key",
        "a shortcut gives the state of a full replay",
    ),
    mutant(
        "claim-used-although-asked",
        "the claim to commute is used though a later event asked for its rivals",
        "a shortcut gives the state of a full replay",
    ),
    mutant(
        "race-missed",
        "whoever did not see an event counts as having seen what it saw",
        "races follow from causality and keys",
    ),
    mutant(
        "race-told-twice",
        "a race is told twice",
        "races follow from causality and keys",
    ),
    mutant(
        "stale-state-served",
        "an aggregate without its history stays in memory after a late event",
        "a read shows every event that is here",
    ),
    mutant(
        "stored-fold-kept",
        "a stored fold stays in use after a late event rewrote it",
        "a stored fold stands for its history",
    ),
    mutant(
        "fold-fingerprint-ignored",
        "a fold of another version of the rule is gone on from",
        "a fold is gone on from under its own rule only",
    ),
    mutant(
        "nothing-is-pinned",
        "aggregates that a write waits for leave the memory again",
        "a write is answered however small the memory",
    ),
    mutant(
        "cache-never-shrinks",
        "nothing ever leaves the memory",
        "memory is bounded",
    ),
    mutant(
        "lost-wake-up",
        "a watch is not woken for an aggregate that had to be read first",
        "a subscriber is told of every change",
    ),
    mutant(
        "tail-not-woken",
        "a tail is not woken for what became durable",
        "a subscriber is told of every change",
    ),
    mutant(
        "tail-skips-released",
        "a tail does not show commits that had to wait",
        "a tail shows every event once, in causal order",
    ),
    mutant(
        "tail-cuts-commits",
        "a tail resumes in the middle of a commit",
        "a tail that resumes sees a commit whole or not at all",
    ),
    mutant(
        "filter-forgotten-behind",
        "a watch that fell behind is told of what its filter keeps out",
        "a subscriber sees what its filter lets through",
    ),
    mutant(
        "change-durable-too-early",
        "a change is called durable before its fsync",
        "nothing is called durable before its fsync",
    ),
];
