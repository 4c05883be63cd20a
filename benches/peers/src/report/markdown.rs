//! The table as a page of text shows it: a line for each row, of the others the best alone.

use std::fmt::Write as _;

use crate::table::{Better, Cell, Role, Row, number, verdict};

pub(super) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| | work | | ours | target | best peer that keeps a history | bound |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Some(ours) = row.figure(Role::Ours) else {
            continue;
        };
        let verdict = verdict(row).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.id,
            row.title,
            row.unit,
            number(ours),
            verdict.trim_start_matches("target "),
            best(row, |cell| cell.role == Role::Peer && keeps_history(cell)),
            best(row, |cell| cell.role == Role::Limit),
        );
    }
    out
}

/// What forgets is told apart by what it says that it keeps.
fn keeps_history(cell: &Cell) -> bool {
    let forgets = ["no history", "drops what was overwritten"];
    !forgets.iter().any(|said| cell.keeps.contains(said))
}

fn best(row: &Row, wanted: impl Fn(&Cell) -> bool) -> String {
    let cells = row.cells.iter().filter(|cell| wanted(cell));
    let cells = cells.filter_map(|cell| Some((cell.median?, cell)));
    let best = match row.better {
        Better::Less => cells.min_by(|one, other| one.0.total_cmp(&other.0)),
        Better::More => cells.max_by(|one, other| one.0.total_cmp(&other.0)),
    };
    best.map_or_else(String::new, |(figure, cell)| {
        format!("{}: {}", cell.who, number(figure))
    })
}
