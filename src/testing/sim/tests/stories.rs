//! What seeds once found, each told alone.

use std::sync::Arc;

use crate::engine::{Filter, Input, Ticket, WatchId};
use crate::event::{Commit, Timestamp};
use crate::log::Durability;
use crate::testing::sim::cast::Cast;
use crate::testing::sim::draws::Draws;
use crate::testing::sim::faults::Fault;
use crate::testing::sim::network::BOTH;
use crate::testing::sim::plan::{Plan, Wild};
use crate::testing::sim::users::{rules, strangers};
use crate::testing::sim::world::World;
use crate::testing::sim::world::node::{Ask, START};

const AGGREGATES: [&str; 10] = [
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

fn world(plan: Plan, seed: u64) -> World {
    World::with(Arc::new(Cast::default()), plan, Draws::new(seed), false)
}

impl World {
    fn write_to(&mut self, node: usize, names: &[&str], durable: bool) {
        let names: Vec<_> = names.iter().map(|name| rules::aggregate(name)).collect();
        self.write_some(node, &names, durable);
    }
}

fn strangers_of(seed: u64) -> Vec<Commit> {
    let mut plan = Plan::calm(0, 1);
    plan.set(Fault::WildStamp);
    strangers::commits(&Cast::default(), &plan, START, &mut Draws::new(seed))
}

/// Commits of strangers, and the aggregates of those among them whose clock is far ahead.
fn wild(seed: u64) -> (Vec<Commit>, Vec<String>) {
    let commits = strangers_of(seed);
    let far = Timestamp::at_millis(START + 86_400_000);
    let events = commits.iter().flat_map(Commit::events);
    let far = events.filter(|event| event.timestamp() > far);
    let names = far.map(|event| event.aggregate().to_string()).collect();
    (commits, names)
}

/// Each load pushed the others out again, for ever; or one left between the check and the write,
/// and the event named nothing of what its writer had seen.
#[test]
fn a_commit_over_more_aggregates_than_memory_holds_is_written_with_its_past() {
    let mut world = world(Plan::calm(0, 1), 1);
    for name in AGGREGATES {
        world.write_to(0, &[name], true);
        world.run_until(world.now + 50);
    }
    let names = ["doc/1", "doc/2", "note/1", "note/2", "journal/1", "doc/1"];
    for _ in 0..20 {
        world.write_to(0, &names, true);
        world.run_until(world.now + 100);
    }
    assert!(world.nodes[0].asks.is_empty(), "a write is not answered");
    let commits = world.nodes[0]
        .disk
        .entries
        .iter()
        .map(|entry| &entry.commit);
    let mut large = commits.filter(|commit| commit.span().len() == 6);
    assert!(large.all(|commit| {
        commit
            .events()
            .iter()
            .all(|event| !event.heads().is_empty())
    }));
}

/// The queue was never empty, so there was never a good moment.
#[test]
fn buffered_writes_are_fsynced_in_time_though_others_keep_coming() {
    let mut world = world(Plan::calm(0, 100_000), 2);
    world.run_until(world.now + 100);
    for _ in 0..400 {
        for _ in 0..3 {
            world.write_to(0, &["note/1"], false);
        }
        world.run_until(world.now + 5);
    }
    let disk = &world.nodes[0].disk;
    assert!(
        disk.durable * 3 > disk.entries.len(),
        "{} of {}",
        disk.durable,
        disk.entries.len()
    );
}

/// Whoever keeps the time would have asked again and again.
#[test]
fn a_store_that_failed_leaves_no_deadline_in_the_past() {
    let mut world = world(Plan::calm(0, 100_000), 3);
    world.write_to(0, &["note/1"], false);
    world.run_until(world.now + 500);
    world.nodes[0].fail_next = Some(Fault::WriteLost);
    world.write_to(0, &["note/1"], false);
    world.run_until(world.now + 5_000);
    assert!(world.nodes[0].failed);
    assert_eq!(world.nodes[0].engine.as_ref().unwrap().deadline(), None);
}

/// It let the peer in, took what it sent, and never acknowledged any of it.
#[test]
fn a_replica_whose_store_failed_takes_no_connection() {
    let mut world = world(Plan::calm(1, 100_000), 4);
    world.nodes[0].fail_next = Some(Fault::WriteLost);
    world.write_to(0, &["note/1"], true);
    world.run_until(world.now + 1_000);
    world.dial(0, BOTH, false);
    world.run_until(world.now + 1_000);
    assert!(world.connections[0].ends.iter().all(|end| !end.open));
}

/// Batches that had come while the first waited for a look into the store were taken, although the
/// commit that they follow was refused. What is lawful in them, because it follows a wild event that
/// everybody has, then waited for ever for what had been withdrawn.
#[test]
fn what_follows_a_refused_commit_is_not_taken() {
    for seed in 0..40 {
        let mut plan = Plan::calm(1, 100_000);
        plan.wild = Wild::One(1);
        let mut world = world(plan, seed);
        let (wild, names) = wild(seed);
        for node in [0, 1] {
            world.hand_over(node, wild.clone());
        }
        world.run_until(world.now + 1_000);
        world.write_to(1, &["note/9"], true);
        for name in names {
            world.write_to(1, &[&name], true);
        }
        world.run_until(world.now + 1_000);
        world.heal();
        world.check_events();
        world.check_merged();
        assert!(world.tally.refused > 0);
    }
}

/// The wild stamp of the first event was taken for the past of the second one, so what was written
/// again was as wild as before, and refused again, for ever.
#[test]
fn what_is_written_again_is_stamped_by_its_past_and_not_by_itself() {
    let mut plan = Plan::calm(1, 100_000);
    plan.wild = Wild::One(1);
    let mut world = world(plan, 5);
    world.write_to(1, &["note/1", "note/1", "note/2"], true);
    world.run_until(world.now + 50);
    world.heal();
    world.check_events();
    assert_eq!(world.tally.refused, 1);
}

/// The hub had not stored the wild event yet when it judged the one that follows it.
#[test]
fn a_lifted_stamp_is_taken_when_it_comes_with_the_event_that_it_follows() {
    for seed in 0..20 {
        let mut world = world(Plan::calm(1, 100_000), seed);
        let (wild, names) = wild(seed);
        world.hand_over(1, wild);
        world.run_until(world.now + 1_000);
        for name in names {
            world.write_to(1, &[&name], true);
        }
        world.run_until(world.now + 1_000);
        world.heal();
        world.check_events();
        assert_eq!(world.tally.refused, 0, "seed {seed}");
    }
}

/// Memory holds what is queued, too; a group that is cut off before it must not carry the fold.
#[test]
fn a_fold_is_stored_only_with_everything_that_it_holds() {
    let mut world = world(Plan::calm(0, 1), 7);
    for name in AGGREGATES.iter().take(4) {
        let ticket = Ticket(world.id());
        let drafts = (0..100).map(|_| {
            rules::draft(
                &rules::aggregate("note/1"),
                world.id(),
                rules::large(70_000),
            )
        });
        let drafts = drafts.collect();
        let durable = true;
        let marks = Vec::new();
        world.nodes[0].asks.insert(
            ticket.0,
            Ask::Record {
                marks,
                durable,
                odd: None,
            },
        );
        let durability = Durability::Durable;
        world.drive(
            0,
            Input::Record {
                ticket,
                drafts,
                bases: Vec::new(),
                durability,
            },
        );
        world.write_to(0, &[name], true);
    }
    world.run_until(world.now + 1_000);
    assert!(world.nodes[0].asks.is_empty() && world.tally.folds > 0);
}

/// A relay had lost the wild event with its power, and was not sent it again at once because it had
/// come from there. What follows it was refused and written again, although others had it already.
#[test]
fn a_lifted_stamp_is_not_refused_where_its_past_is_not_here() {
    let mut lost = 0;
    for seed in 0..60 {
        let mut plan = Plan::calm(2, 100_000);
        plan.edges = vec![(0, 1), (1, 2)];
        plan.set(Fault::SlowWrite);
        let mut world = world(plan, seed);
        world.dial(0, BOTH, false);
        world.dial(1, BOTH, false);
        world.run_until(world.now + 1_000);
        let (wild, names) = wild(seed);
        let Some(id) = wild.iter().map(Commit::id).next_back() else {
            continue;
        };
        world.hand_over(0, wild);
        while !world.nodes[2].disk.has_durably(id) {
            assert!(world.step(u64::MAX));
        }
        lost += u64::from(!world.nodes[1].disk.has_durably(id));
        world.end(1, true);
        for name in names {
            world.write_to(2, &[&name], true);
        }
        world.run_until(world.now + 1_000);
        world.dial(1, BOTH, false);
        world.run_until(world.now + 1_000);
        world.heal();
        world.check_events();
        world.check_merged();
    }
    assert!(lost > 0, "{lost} times the relay lost something");
}

/// It was served from the log from where it fell behind, and what was read late came before that.
#[test]
fn a_watch_that_fell_behind_is_told_of_everything() {
    let mut world = world(Plan::calm(0, 1), 6);
    let watch = WatchId(world.id());
    world.nodes[0].watch(watch, Filter::all(), false);
    world.drive(
        0,
        Input::Watch {
            watch,
            filter: Filter::all(),
        },
    );
    for number in 0..1_100 {
        world.write_to(0, &[&format!("note/{number}")], false);
        world.run_until(world.now + 1);
    }
    world.write_to(0, &["note/0"], false);
    world.read_watch(0, watch);
    world.run_until(world.now + 3_000);
    world.check_watchers(0);
}

/// They stayed in the store for ever, and the next listener's hello told of them in place of others.
#[test]
fn parts_of_a_large_commit_that_came_by_another_way_are_let_go() {
    let mut world = world(Plan::calm(1, 100_000), 11);
    let ticket = Ticket(world.id());
    let name = rules::aggregate("note/1");
    let drafts = (0..8).map(|_| rules::draft(&name, world.id(), rules::large(150_000)));
    let (drafts, bases, durability) = (drafts.collect(), Vec::new(), Durability::Durable);
    let (marks, durable, odd) = (Vec::new(), true, None);
    world.nodes[1].asks.insert(
        ticket.0,
        Ask::Record {
            marks,
            durable,
            odd,
        },
    );
    world.drive(
        1,
        Input::Record {
            ticket,
            drafts,
            bases,
            durability,
        },
    );
    world.run_until(world.now + 1_000);
    world.dial(0, BOTH, false);
    while world.nodes[0].disk.staged().next().is_none() {
        assert!(world.step(u64::MAX), "no part has come");
    }
    world.break_link(0);
    world.run_until(world.now + 1_000);
    let commits = vec![world.nodes[1].disk.entries[0].commit.clone()];
    world.hand_over(0, commits);
    world.run_until(world.now + 1_000);
    assert_eq!(world.nodes[0].disk.len(), 8);
    assert_eq!(world.nodes[0].disk.staged().next(), None);
}
