//! How the cost of a workload grows with its size.

use std::fmt;

use serde::Serialize;

use crate::table::{Role, Row, count, number};

/// Rows whose growth is told, and the exponent that it should not pass.
const TOLD: [(&str, &str, f64); 5] = [
    ("W1", "bulk merge", 1.0),
    ("W3", "live", 1.0),
    ("W4", "reconnect", 0.0),
    ("W10", "memory of a receiver", 1.0),
    ("W11", "open a store", 0.0),
];

/// The cost of one workload at several sizes.
#[derive(Serialize)]
pub(crate) struct Growth {
    id: String,
    what: String,
    /// Sizes and what all events together cost, in the unit of the row.
    points: Vec<(usize, f64)>,
    /// The slope of the line through the logarithms of both.
    pub(crate) exponent: f64,
    /// What it should not pass.
    bound: f64,
}

/// Of all workloads that were run at several sizes.
pub(crate) fn of(rows: &[Row]) -> Vec<Growth> {
    TOLD.iter().filter_map(|told| one(rows, *told)).collect()
}

fn one(rows: &[Row], (id, what, bound): (&str, &str, f64)) -> Option<Growth> {
    let rows = rows.iter().filter(|row| row.id == id);
    let mut points: Vec<(usize, f64)> = rows
        .filter_map(|row| {
            let (size, figure) = (row.size?, row.figure(Role::Ours)?);
            let all = if row.unit.contains("per") { size } else { 1 };
            Some((size, figure * all as f64))
        })
        .collect();
    points.sort_by_key(|(size, _)| *size);
    let exponent = slope(&points)?;
    Some(Growth {
        id: id.to_owned(),
        what: what.to_owned(),
        points,
        exponent,
        bound,
    })
}

/// By least squares; nothing of less than two sizes.
fn slope(points: &[(usize, f64)]) -> Option<f64> {
    let logs = points
        .iter()
        .map(|(size, cost)| ((*size as f64).ln(), cost.max(1e-9).ln()));
    let logs: Vec<(f64, f64)> = logs.collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|log| log.0), mean(|log| log.1));
    let above: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    let below: f64 = logs.iter().map(|log| (log.0 - x).powi(2)).sum();
    (logs.len() > 1 && below > 0.0).then(|| above / below)
}

impl Growth {
    /// A line of a table in Markdown.
    pub(super) fn line(&self) -> String {
        let Self { id, what, .. } = self;
        let (exponent, bound) = (self.exponent, self.bound);
        format!("| {id} {what} | {exponent:.2} (about {bound:.0} at most) |\n")
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            what,
            exponent,
            bound,
            ..
        } = self;
        write!(
            f,
            "{id:<4} {what:<22} {exponent:>6.2}  (should be about {bound:.0} at most)"
        )?;
        for (size, cost) in &self.points {
            let (size, cost) = (count(*size), number(*cost));
            write!(f, "  {size}: {cost}")?;
        }
        Ok(())
    }
}
