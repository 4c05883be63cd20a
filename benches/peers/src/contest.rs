//! Rounds of contestants in turns, so that what disturbs the machine disturbs all of them.

use std::time::{Duration, Instant};

use crate::Done;
use crate::progress::Progress;
use crate::table::{Role, Row};

/// What one run came to.
pub(crate) struct Run {
    /// One figure for each row of the contest.
    pub(crate) figures: Vec<f64>,
    /// Stands for the state that came out, where orders of delivery are compared.
    pub(crate) state: Option<u64>,
}

impl Run {
    pub(crate) fn of(figure: f64) -> Self {
        let (figures, state) = (vec![figure], None);
        Self { figures, state }
    }

    pub(crate) fn with_state(mut self, state: u64) -> Self {
        self.state = Some(state);
        self
    }
}

/// Somebody who is measured.
pub(crate) struct Contestant<'a> {
    pub(crate) who: String,
    pub(crate) role: Role,
    pub(crate) keeps: String,
    /// Is told the number of the round, from 0.
    pub(crate) run: Box<dyn FnMut(usize) -> Done<Run> + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(
        who: &str,
        role: Role,
        keeps: &str,
        run: impl FnMut(usize) -> Done<Run> + 'a,
    ) -> Self {
        Self {
            who: who.to_owned(),
            role,
            keeps: keeps.to_owned(),
            run: Box::new(run),
        }
    }
}

/// How often, and how much time one contestant may take in one row.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) budget: Duration,
}

/// Runs everybody in turns and enters what came of it.
pub(crate) fn contest(
    rows: &mut [&mut Row],
    rounds: Rounds,
    mut contestants: Vec<Contestant<'_>>,
    progress: &Progress,
) -> Done<()> {
    let mut spent = vec![Duration::ZERO; contestants.len()];
    let mut states: Vec<Vec<u64>> = vec![Vec::new(); contestants.len()];
    for round in 0..rounds.count {
        for (at, contestant) in contestants.iter_mut().enumerate() {
            let longest = spent[at].checked_div(round as u32).unwrap_or_default();
            if round > 0 && spent[at] + longest > rounds.budget {
                continue;
            }
            progress.step(&format!(
                "round {} of {}: {}",
                round + 1,
                rounds.count,
                contestant.who
            ));
            let began = Instant::now();
            let run = (contestant.run)(round)?;
            spent[at] += began.elapsed();
            for (row, figure) in rows.iter_mut().zip(&run.figures) {
                row.cell(&contestant.who, contestant.role, &contestant.keeps)
                    .add(*figure);
            }
            states[at].extend(run.state);
        }
    }
    compare(rows, &contestants, &states)
}

/// Every round had another order of delivery, and each contestant must have come to one state.
fn compare(rows: &mut [&mut Row], contestants: &[Contestant<'_>], states: &[Vec<u64>]) -> Done<()> {
    let mut orders = usize::MAX;
    for (contestant, states) in contestants.iter().zip(states) {
        let Some(first) = states.first() else {
            continue;
        };
        if states.iter().any(|state| state != first) {
            return Err(format!("{}: orders of delivery differ in state", contestant.who).into());
        }
        orders = orders.min(states.len());
    }
    if orders != usize::MAX {
        let said = match orders {
            0 | 1 => "one order of delivery".to_owned(),
            more => format!("at least {more} orders of delivery, the same state in all of them"),
        };
        for row in rows {
            row.orders = Some(said.clone());
        }
    }
    Ok(())
}
