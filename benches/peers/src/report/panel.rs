//! One workload as bars on a logarithmic scale, and a chart of the main ones.

use std::fmt::Write as _;

use crate::table::{Better, Cell, Role, Row, count, number, times};

/// Columns of the chart, and what one is wide.
const COLUMNS: usize = 3;
pub(super) const WIDTH: f64 = 392.0;
const GAP: f64 = 22.0;
const MARGIN: f64 = 26.0;
/// Height of a bar with its distance to the next.
const BAR: f64 = 20.0;
/// Above the bars, and below.
const HEAD: f64 = 46.0;
const FOOT: f64 = 14.0;
/// Where bars begin, and how long they are at most.
const LEFT: f64 = 148.0;
const LENGTH: f64 = 172.0;

/// Colours for light and for dark, so that a chart can be read on either ground.
pub(super) const STYLE: &str = "\
.ground{fill:#ffffff}.card{fill:#f6f8fa;stroke:#d8dee4}.title{fill:#1f2328;font-weight:600}\
.text{fill:#1f2328}.dim{fill:#656d76}\
.value{fill:#424a53;stroke:#f6f8fa;stroke-width:3px;paint-order:stroke}.ours{fill:#0f766e}.part{fill:#5eaaa3}.peer{fill:#a8b3bf}\
.limit{fill:#d9a441}.grid{stroke:#d8dee4}.aim{stroke:#cf222e}.aimed{fill:#cf222e}\
.met{fill:#0f766e;font-weight:600}.missed{fill:#cf222e;font-weight:600}\
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}.card{fill:#161b22;stroke:#30363d}\
.title{fill:#e6edf3}.text{fill:#e6edf3}.value{fill:#b1bac4;stroke:#161b22}\
.dim{fill:#8d96a0}.ours{fill:#2dd4bf}.part{fill:#1f8a7e}\
.peer{fill:#6e7a87}.limit{fill:#b7862f}.grid{stroke:#30363d}.aim{stroke:#ff7b72}\
.aimed{fill:#ff7b72}.met{fill:#2dd4bf}.missed{fill:#ff7b72}}";

const FONT: &str = "font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\"";

/// The rows of the chart: name, what their title holds, and how the chart calls them.
const MAIN: [(&str, &str, &str); 12] = [
    ("W1", "one batch a replica", "bulk merge"),
    (
        "W3",
        "16 writers, each has seen everything",
        "live, one event a message",
    ),
    ("W4", "both ends", "reconnect"),
    ("W2", "bytes of those batches", "bytes of a batch"),
    ("W10", "grows by in W1", "memory after a bulk merge"),
    ("W12", "in memory", "a real history"),
    ("W13", "counters", "counters"),
    ("W13", "sets", "sets"),
    (
        "W6",
        "1,000 events a commit",
        "durable append, 1,000 a commit",
    ),
    ("W7", "cores idle, p50", "writer to reader, p50"),
    ("W8", "one reader", "writer to reader, sustained"),
    ("W9", "one event a frame", "fan-out to 1,000"),
];

/// The chart.
pub(super) fn chart(rows: &[Row], machine: &str) -> String {
    let panels: Vec<(&Row, &str)> = MAIN
        .iter()
        .filter_map(|(id, title, name)| Some((main(rows, id, title)?, *name)))
        .collect();
    let mut body = String::new();
    let mut y = MARGIN + 66.0;
    for line in panels.chunks(COLUMNS) {
        let tallest = line.iter().map(|(row, _)| height(row)).fold(0.0, f64::max);
        for (column, (row, name)) in line.iter().enumerate() {
            let x = MARGIN + column as f64 * (WIDTH + GAP);
            body.push_str(&panel(row, name, (x, y), tallest));
        }
        y += tallest + GAP;
    }
    let width = 2.0 * MARGIN + COLUMNS as f64 * WIDTH + (COLUMNS - 1) as f64 * GAP;
    let height = y + 4.0;
    let heading = heading(machine);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" {FONT} font-size=\"12\" role=\"img\" \
         aria-label=\"anabranch beside other libraries\"><style>{STYLE}</style>\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>{heading}{body}</svg>\n"
    )
}

/// The largest of those rows that anybody else was measured in too.
fn main<'a>(rows: &'a [Row], id: &str, title: &str) -> Option<&'a Row> {
    let found = rows.iter().filter(|row| {
        row.id == id && row.title.contains(title) && row.figure(Role::Ours).is_some()
    });
    let others = |row: &&Row| {
        row.cells
            .iter()
            .filter(|cell| cell.median.is_some())
            .count()
    };
    found.max_by_key(|row| (others(row), row.size))
}

fn heading(machine: &str) -> String {
    let mut out = String::new();
    let y = MARGIN + 16.0;
    let _ = write!(
        out,
        "<text x=\"{MARGIN}\" y=\"{y}\" font-size=\"20\" class=\"title\">anabranch beside other \
         libraries, the machine's limit and its targets</text>\
         <text x=\"{MARGIN}\" y=\"{}\" class=\"dim\">{}; same run, same inputs, same allocator; \
         medians; logarithmic scales</text>",
        y + 24.0,
        escaped(machine)
    );
    let mut x = MARGIN + 856.0;
    for (class, name) in [
        ("ours", "anabranch"),
        ("peer", "others"),
        ("limit", "lower bound"),
    ] {
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"11\" height=\"11\" rx=\"2\"/>\
             <text class=\"text\" x=\"{}\" y=\"{y}\">{name}</text>",
            y - 10.0,
            x + 16.0
        );
        x += 104.0;
    }
    let _ = write!(
        out,
        "<path class=\"aim\" d=\"M{x} {}v14\" stroke-width=\"1.6\" stroke-dasharray=\"3 2\"/>\
         <text class=\"text\" x=\"{}\" y=\"{y}\">target</text>",
        y - 12.0,
        x + 8.0
    );
    out
}

/// What is shown of a row: those who have a figure.
fn shown(row: &Row) -> Vec<(&Cell, f64)> {
    let cells = row
        .cells
        .iter()
        .filter(|cell| cell.median.unwrap_or(0.0) > 0.0);
    cells
        .filter_map(|cell| Some((cell, cell.median?)))
        .collect()
}

/// What a row is tall.
pub(super) fn height(row: &Row) -> f64 {
    HEAD + BAR * shown(row).len() as f64 + FOOT
}

/// One row at a place.
pub(super) fn panel(row: &Row, name: &str, (x, y): (f64, f64), tall: f64) -> String {
    let cells = shown(row);
    let figures = cells.iter().map(|(_, figure)| *figure).chain(row.target);
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    for figure in figures {
        (least, most) = (least.min(figure), most.max(figure));
    }
    // From a power of ten well below the least, so that every bar can be seen.
    let from = (least / 1.6).log10().floor();
    let to = most.log10().max(from + 1.0);
    let scale = |figure: f64| (figure.log10() - from) / (to - from) * LENGTH;
    let mut out = format!("<g transform=\"translate({x} {y})\">");
    let _ = write!(
        out,
        "<rect class=\"card\" width=\"{WIDTH}\" height=\"{tall}\" rx=\"8\"/>\
         <text class=\"title\" x=\"14\" y=\"20\" font-size=\"13\">{}</text>\
         <text class=\"dim\" x=\"14\" y=\"36\" font-size=\"11\">{}</text>{}",
        escaped(name),
        escaped(&unit(row)),
        outcome(row)
    );
    let end = HEAD + BAR * cells.len() as f64;
    for power in (from as i32)..=(to.floor() as i32) {
        let place = LEFT + scale(10_f64.powi(power));
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{place:.1} {HEAD}V{end:.1}\"/>"
        );
    }
    if let Some(target) = row.target {
        let place = LEFT + scale(target);
        let _ = write!(
            out,
            "<path class=\"aim\" d=\"M{place:.1} {:.1}V{:.1}\" stroke-width=\"1.6\" \
             stroke-dasharray=\"3 2\"/>",
            HEAD - 4.0,
            end + 4.0
        );
    }
    for (at, (cell, figure)) in cells.iter().enumerate() {
        out.push_str(&bar(cell, *figure, HEAD + BAR * at as f64, scale(*figure)));
    }
    out.push_str("</g>");
    out
}

fn bar(cell: &Cell, figure: f64, y: f64, length: f64) -> String {
    let class = match cell.role {
        Role::Ours => "ours",
        Role::Part => "part",
        Role::Peer => "peer",
        Role::Limit => "limit",
    };
    let weight = if cell.role == Role::Ours {
        " font-weight=\"600\""
    } else {
        ""
    };
    format!(
        "<text class=\"text\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\"{weight}>{}\
         </text><rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"13\" \
         rx=\"2\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\"{weight}>{}</text>",
        LEFT - 8.0,
        y + 12.0,
        escaped(&short(&cell.who)),
        y + 2.0,
        length.max(2.0),
        LEFT + length.max(2.0) + 6.0,
        y + 12.0,
        number(figure)
    )
}

/// The unit, and which way is better.
fn unit(row: &Row) -> String {
    let better = match row.better {
        Better::Less => "less is better",
        Better::More => "more is better",
    };
    let size = row.size.map(|size| format!(", {} events", count(size)));
    format!("{}{}, {better}", row.unit, size.unwrap_or_default())
}

/// Whether the target is met, at the right.
fn outcome(row: &Row) -> String {
    let Some(miss) = row.miss() else {
        return String::new();
    };
    let (class, said) = if miss <= 1.0 {
        ("met", "target met".to_owned())
    } else {
        ("missed", format!("{} off target", times(miss)))
    };
    let x = WIDTH - 14.0;
    format!(
        "<text class=\"{class}\" x=\"{x}\" y=\"20\" text-anchor=\"end\" font-size=\"11\">{said}</text>"
    )
}

/// A name without its version.
fn short(who: &str) -> String {
    let words = who
        .split(' ')
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    let name = words.collect::<Vec<_>>().join(" ");
    let name = name
        .replace("anabranch, ", "")
        .replace("automerge, change a write", "automerge exact");
    name.trim_end_matches(',').to_owned()
}

/// Text within markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
