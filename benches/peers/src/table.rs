//! The rows that come out, and how they are written as text.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measure::median;

/// Who a figure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// This crate.
    Ours,
    /// This crate, without some of its duties or under other conditions.
    Part,
    /// Another library or program.
    Peer,
    /// A lower bound written by hand.
    Limit,
}

/// Which figure is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Less,
    More,
}

/// One figure of one row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) who: String,
    pub(crate) role: Role,
    /// What it keeps of what it is given.
    pub(crate) keeps: String,
    /// In the order of rounds.
    pub(crate) samples: Vec<f64>,
    pub(crate) median: Option<f64>,
    /// Why there is no figure, or what else is to be known about it.
    pub(crate) note: String,
}

/// One workload at one size.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// As in `W1`.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) target: Option<f64>,
    pub(crate) moonshot: Option<f64>,
    /// How many events, writes or messages were measured, for the growth.
    pub(crate) size: Option<usize>,
    /// Whether every order of delivery gave the same state, where that was looked at.
    pub(crate) orders: Option<String>,
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    pub(crate) fn new(id: &str, title: impl Into<String>, unit: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.into(),
            unit: unit.to_owned(),
            better: Better::Less,
            target: None,
            moonshot: None,
            size: None,
            orders: None,
            cells: Vec::new(),
        }
    }

    pub(crate) fn more_is_better(mut self) -> Self {
        self.better = Better::More;
        self
    }

    pub(crate) fn aims(mut self, target: f64, moonshot: Option<f64>) -> Self {
        self.target = Some(target);
        self.moonshot = moonshot;
        self
    }

    pub(crate) fn sized(mut self, size: usize) -> Self {
        self.size = Some(size);
        self
    }

    pub(crate) fn cell(&mut self, who: &str, role: Role, keeps: &str) -> &mut Cell {
        if let Some(at) = self.cells.iter().position(|cell| cell.who == who) {
            return &mut self.cells[at];
        }
        self.cells.push(Cell {
            who: who.to_owned(),
            role,
            keeps: keeps.to_owned(),
            samples: Vec::new(),
            median: None,
            note: String::new(),
        });
        let last = self.cells.len() - 1;
        &mut self.cells[last]
    }

    pub(crate) fn figure(&self, role: Role) -> Option<f64> {
        let cell = self.cells.iter().find(|cell| cell.role == role)?;
        cell.median
    }

    /// How far ours is from the target: 1 or less is met.
    pub(crate) fn miss(&self) -> Option<f64> {
        let (ours, target) = (self.figure(Role::Ours)?, self.target?);
        Some(match self.better {
            Better::Less => ours / target,
            Better::More => target / ours,
        })
    }
}

impl Cell {
    pub(crate) fn add(&mut self, figure: f64) {
        self.samples.push(figure);
        self.median = median(&self.samples);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.note = note.into();
    }
}

/// The whole table, as it is shown on a terminal.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let _ = writeln!(out, "\n{:<4} {}  [{}]", row.id, row.title, row.unit);
        for cell in &row.cells {
            let _ = writeln!(out, "{}", line(row, cell));
        }
        if let Some(orders) = &row.orders {
            let _ = writeln!(out, "     {orders}");
        }
    }
    out
}

fn line(row: &Row, cell: &Cell) -> String {
    let Some(figure) = cell.median else {
        return format!("     {:<24} {:>12}  {}", cell.who, "-", cell.note);
    };
    let beside = match (cell.role, row.figure(Role::Ours)) {
        (Role::Ours, _) => verdict(row).unwrap_or_default(),
        (_, Some(ours)) if ours > 0.0 => format!("{} of ours", times(figure / ours)),
        _ => String::new(),
    };
    let notes = [cell.keeps.as_str(), cell.note.as_str()];
    let notes: Vec<&str> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    format!(
        "     {:<24} {:>12}  {:<32} {}",
        cell.who,
        number(figure),
        beside,
        notes.join("; ")
    )
}

/// Whether the target is met, in words.
pub(crate) fn verdict(row: &Row) -> Option<String> {
    let (target, miss) = (row.target?, row.miss()?);
    let target = number(target);
    let moonshot = row.moonshot.zip(row.figure(Role::Ours));
    let beyond = moonshot.is_some_and(|(moonshot, ours)| match row.better {
        Better::Less => ours <= moonshot,
        Better::More => ours >= moonshot,
    });
    Some(if beyond {
        format!("target {target} met, moonshot too")
    } else if miss <= 1.0 {
        format!("target {target} met")
    } else {
        format!("target {target} missed, {}", times(miss))
    })
}

/// A factor.
pub(crate) fn times(factor: f64) -> String {
    if factor >= 10.0 {
        format!("{factor:.0} x")
    } else if factor >= 1.0 {
        format!("{factor:.1} x")
    } else {
        format!("{factor:.2} x")
    }
}

/// A figure with as many digits as are worth something.
pub(crate) fn number(figure: f64) -> String {
    if figure < 10.0 {
        return format!("{figure:.2}");
    }
    if figure < 100.0 {
        return format!("{figure:.1}");
    }
    count(figure.round() as usize)
}

/// A whole number, in groups of three digits.
pub(crate) fn count(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
