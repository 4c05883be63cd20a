//! The whole system in one thread: seeds of chaos, then peace, then everything must be equal.

use anabranch::resolver::{Counter, Registry};
use anabranch::testing::sim::{Cast, Simulation, Sweep};
use anabranch::{FoldFn, event::Payload};

/// What found something before.
const KEPT: &str = include_str!("sim/seeds.txt");

/// Which faults these seeds draw follows from them; a run of a thousand and more draws all of them, and
/// the example fails otherwise.
#[test]
fn after_chaos_everything_is_equal_everywhere() {
    let sweep = Sweep::new(Simulation::new(), 0..160).replaying(KEPT);
    let report = sweep.with_jobs(2).run(|_| ());
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.twice > 0);
    let kinds = report.faults.iter().filter(|(_, times)| *times > 0);
    assert!(kinds.count() >= 36, "{report}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let simulation = Simulation::new();
    for seed in 0..5 {
        let (outcome, trace) = simulation.run_traced(seed);
        assert_eq!((outcome, trace), simulation.run_traced(seed), "seed {seed}");
    }
}

#[test]
fn a_run_that_is_traced_does_what_one_that_is_not_does() {
    let simulation = Simulation::new();
    for seed in 5..10 {
        let (outcome, trace) = simulation.run_traced(seed);
        assert_eq!(outcome, simulation.run(seed));
        assert!(!trace.is_empty());
    }
}

fn cast(registry: Registry) -> Cast {
    let step = |draws: &mut anabranch::testing::sim::Draws| {
        Payload::encode(&draws.below(9)).unwrap_or_else(|error| panic!("{error}"))
    };
    Cast::new(registry).writing(["tally/1", "tally/2"], step)
}

#[test]
fn rules_of_ones_own_are_simulated() {
    let rules = Registry::new().with("tally", Counter).expect("a name");
    let simulation = Simulation::with_cast(cast(rules));
    let report = Sweep::new(simulation, 0..20).run(|_| ());
    assert!(report.failures.is_empty(), "{report}");
}

/// It counts how often it was asked, which no two replicas agree on.
#[test]
fn a_rule_that_remembers_what_it_was_asked_is_found_out() {
    use std::sync::atomic::{AtomicI64, Ordering};
    let asked = AtomicI64::new(0);
    let rule = FoldFn::new(
        "forgetful",
        1,
        |_| 0i64,
        move |sum, step: &i64, _| *sum += step + asked.fetch_add(1, Ordering::Relaxed) % 3,
    );
    let rules = Registry::new().with("tally", rule).expect("a name");
    let report = Sweep::new(Simulation::with_cast(cast(rules)), 0..10).run(|_| ());
    assert!(!report.failures.is_empty(), "nobody noticed");
}

/// Each step doubles what was there, and says that it touches a place of its own.
#[test]
fn a_rule_whose_footprint_is_too_small_is_named_by_the_audit() {
    use anabranch::resolver::{Footprint, Key};
    let double = |sum: &mut i64, step: &i64| *sum = sum.wrapping_mul(2).wrapping_add(*step);
    let rule = FoldFn::reducer("double", 1, |_| 0i64, double)
        .with_footprint(|step: &i64| Footprint::Keys(vec![Key::leaf([step.to_string()])]));
    let rules = Registry::new().with("tally", rule).expect("a name");
    let report = Sweep::new(Simulation::with_cast(cast(rules)), 0..10).run(|_| ());
    assert!(!report.failures.is_empty(), "nobody noticed");
    let said = report.to_string();
    let named = ["the audit of replica", "under double@1", "footprint"];
    assert!(named.iter().all(|part| said.contains(part)), "{said}");
}
