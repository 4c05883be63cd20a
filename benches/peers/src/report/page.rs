//! The page: every row with its bars, its figures and what each keeps.

use std::fmt::Write as _;

use super::Report;
use super::panel::{self, escaped};
use crate::table::{Role, Row, number, times, verdict};

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fff;--text:#1f2328;--dim:#656d76;--line:#d8dee4;\
--ours:#0f766e;--bad:#cf222e}\
@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--text:#e6edf3;--dim:#8d96a0;\
--line:#30363d;--ours:#2dd4bf;--bad:#ff7b72}}\
body{margin:2rem auto;max-width:76rem;padding:0 1rem;background:var(--ground);color:var(--text);\
font:15px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.05rem;margin:2.2rem 0 .4rem}\
p{color:var(--dim);margin:.2rem 0 1rem}section{display:flex;gap:1.5rem;flex-wrap:wrap}\
table{border-collapse:collapse;font-size:13px;flex:1 1 30rem}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line)}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr.ours td{font-weight:600}\
tr.limit td{color:var(--dim)}.met{color:var(--ours)}.missed{color:var(--bad)}\
svg{max-width:100%;height:auto}nav a{margin-right:.7rem;color:var(--ours)}";

/// The whole page; it needs nothing from elsewhere.
pub(super) fn html(report: &Report) -> String {
    let mut body = String::new();
    let mut last = "";
    for row in &report.rows {
        let anchor = if row.id == last {
            String::new()
        } else {
            format!(" id=\"{}\"", row.id)
        };
        last = &row.id;
        body.push_str(&section(row, &anchor));
    }
    let mut links = String::new();
    let mut ids: Vec<&str> = report.rows.iter().map(|row| row.id.as_str()).collect();
    ids.dedup();
    for id in ids {
        let _ = write!(links, "<a href=\"#{id}\">{id}</a>");
    }
    let chart = panel::chart(&report.rows, &report.machine);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>anabranch beside other libraries</title><style>{STYLE}</style>\
         <h1>anabranch beside other libraries</h1><p>{}</p><nav>{links}</nav>{chart}\
         {}{body}</html>\n",
        escaped(&report.what()),
        growth(report)
    )
}

fn growth(report: &Report) -> String {
    if report.growth.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>How cost grows</h2><p>The exponent of the number of events: 0 is flat, 1 is in \
         proportion.</p><pre>",
    );
    for growth in &report.growth {
        let _ = writeln!(out, "{}", escaped(&growth.to_string()));
    }
    out.push_str("</pre>");
    out
}

fn section(row: &Row, anchor: &str) -> String {
    let mut out = format!("<h2{anchor}>{} {}</h2>", row.id, escaped(&row.title));
    let mut said = format!("{}.", row.unit);
    if let Some(verdict) = verdict(row) {
        let class = if row.miss().is_some_and(|miss| miss <= 1.0) {
            "met"
        } else {
            "missed"
        };
        let _ = write!(
            said,
            " <span class=\"{class}\">{}</span>.",
            escaped(&verdict)
        );
    }
    if let Some(orders) = &row.orders {
        let _ = write!(said, " {}.", escaped(orders));
    }
    let tall = panel::height(row);
    let (width, style) = (panel::WIDTH, panel::STYLE);
    let _ = write!(
        out,
        "<p>{said}</p><section><svg viewBox=\"0 0 {width} {tall}\" width=\"{width}\" \
         height=\"{tall}\" font-size=\"12\"><style>{style}</style>{}</svg>{}</section>",
        panel::panel(row, &row.id, (0.0, 0.0), tall),
        table(row)
    );
    out
}

fn table(row: &Row) -> String {
    let mut out = String::from(
        "<table><tr><th>who<th class=\"n\">median<th class=\"n\">of ours<th>spread<th>keeps</tr>",
    );
    let ours = row.figure(Role::Ours);
    for cell in &row.cells {
        let class = match cell.role {
            Role::Ours => "ours",
            Role::Limit => "limit",
            Role::Part | Role::Peer => "",
        };
        let figure = cell.median.map_or("-".to_owned(), number);
        let ratio = cell.median.zip(ours).filter(|(_, ours)| *ours > 0.0);
        let ratio = ratio.map_or(String::new(), |(figure, ours)| times(figure / ours));
        let least = cell.samples.iter().copied().reduce(f64::min);
        let most = cell.samples.iter().copied().reduce(f64::max);
        let spread = least.zip(most).filter(|_| cell.samples.len() > 1);
        let spread = spread.map_or(String::new(), |(least, most)| {
            format!("{} to {}", number(least), number(most))
        });
        let notes = [cell.keeps.as_str(), cell.note.as_str()];
        let notes = notes
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect::<Vec<_>>();
        let _ = write!(
            out,
            "<tr class=\"{class}\"><td>{}<td class=\"n\">{figure}<td class=\"n\">{ratio}\
             <td>{spread}<td>{}</tr>",
            escaped(&cell.who),
            escaped(&notes.join("; "))
        );
    }
    out.push_str("</table>");
    out
}
