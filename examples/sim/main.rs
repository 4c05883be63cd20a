//! Many seeds.
use anabranch::testing::sim::{FaultCounts, Simulation};

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .filter_map(|n| n.parse::<u64>().ok());
    let first: u64 = args.next().unwrap_or(0);
    let n: u64 = args.next().unwrap_or(1000);
    let simulation = Simulation::new();
    if n == 1 {
        let (outcome, trace) = simulation.run_traced(first);
        print!("{trace}");
        println!("{outcome:?}");
        return;
    }
    let (mut ops, mut steps, mut ms) = (0, 0, 0);
    let mut counts = FaultCounts::default();
    let mut failed = 0;
    for seed in first..first + n {
        let outcome = simulation.run(seed);
        ops += outcome.operations;
        steps += outcome.steps;
        ms += outcome.simulated_ms;
        counts.add(&outcome.faults);
        if let Some(what) = outcome.failure {
            failed += 1;
            println!(
                "{seed}: {}",
                what.chars()
                    .take(300)
                    .collect::<String>()
                    .replace('\n', " ")
            );
        }
    }
    for (fault, times) in counts.iter() {
        println!("{times:>9} {fault}");
    }
    println!(
        "{failed} failed, {ops} operations, {steps} steps, {} s",
        ms / 1000
    );
}
