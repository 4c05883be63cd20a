//! The whole system in one thread: seeds of chaos, then peace, then everything must be equal.

use anabranch::testing::sim::Simulation;

fn run_all(seeds: std::ops::Range<u64>) {
    let simulation = Simulation::new();
    let mut failed = Vec::new();
    for seed in seeds {
        if let Some(what) = simulation.run(seed).failure {
            println!("seed {seed}: {what}");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{failed:?} failed");
}

#[test]
fn after_chaos_everything_is_equal_everywhere() {
    run_all(0..200);
}

#[test]
#[ignore = "needs some minutes"]
fn after_much_chaos_everything_is_equal_everywhere() {
    run_all(1_000..6_000);
}

#[test]
#[ignore = "needs the number of a seed"]
fn one_seed_that_is_given() {
    let seed = std::env::args().find_map(|arg| arg.strip_prefix("seed=")?.parse().ok());
    let outcome = Simulation::new().run(seed.expect("say seed=NUMBER"));
    assert_eq!(outcome.failure, None, "{outcome:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let simulation = Simulation::new();
    for seed in 0..10 {
        assert_eq!(simulation.run(seed), simulation.run(seed), "seed {seed}");
    }
}
