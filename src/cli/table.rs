use super::text::{columns, cut, escaped};
use anabranch::limits::CELL_CHARS_MAX;

/// Rows of cells in aligned columns. A cell may have several lines; each is made safe and cut.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<Vec<String>>>,
}

impl Table {
    /// A table with a head.
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(head);
        table
    }

    /// A table of names and values, without a head.
    pub(super) const fn plain() -> Self {
        Self { rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        let lines = |cell: &str| {
            let lines = cell.split('\n');
            lines
                .map(|line| cut(&escaped(line), CELL_CHARS_MAX))
                .collect()
        };
        self.rows.push(cells.into_iter().map(lines).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (cell, width) in row.iter().zip(&mut widths) {
                let widest = cell.iter().map(|line| columns(line)).max();
                *width = widest.unwrap_or_default().max(*width);
            }
        }
        let mut separator = "";
        for row in &self.rows {
            for line in 0..row.iter().map(Vec::len).max().unwrap_or_default() {
                f.write_str(separator)?;
                separator = "\n";
                let mut text = String::new();
                for (cell, width) in row.iter().zip(&widths) {
                    let piece = cell.get(line).map_or("", String::as_str);
                    text.push_str(piece);
                    text.push_str(&" ".repeat(width + 2 - columns(piece)));
                }
                f.write_str(text.trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_may_have_lines() {
        let mut table = Table::new(["name", "value"]);
        table.row(["a", "1\n22"]);
        table.row(["longer\u{1b}", "3"]);
        let lines = [
            "name          value",
            "a             1",
            "              22",
            "longer\\u{1b}  3",
        ];
        assert_eq!(table.to_string(), lines.join("\n"));
    }
}
