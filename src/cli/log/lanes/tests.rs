use super::*;

/// Shorthand for an event: its lane, and the rows of those that it sees.
fn knots(rows: &[(usize, &[usize])]) -> Vec<Knot> {
    let lane = |row: usize| rows[row].0;
    let sight = |row: usize, seen: usize| Sight {
        lane: lane(seen),
        knot: Some(seen),
        newest: (seen + 1..row).all(|between| lane(between) != lane(seen)),
    };
    let mut knots = Vec::new();
    for (row, (lane, sees)) in rows.iter().enumerate() {
        let sees = sees.iter().map(|seen| sight(row, *seen)).collect();
        knots.push(Knot {
            lane: *lane,
            sees,
            mark: Mark::Applied,
        });
    }
    knots
}

#[track_caller]
fn drawn(rows: &[(usize, &[usize])], picture: &[&str]) -> Vec<Drawn> {
    drawn_after(&[], &knots(rows), 10, picture)
}

#[track_caller]
fn drawn_after(before: &[usize], knots: &[Knot], lanes_max: usize, picture: &[&str]) -> Vec<Drawn> {
    let drawn = draw(knots, &before.iter().copied().collect(), lanes_max);
    let lines = drawn
        .iter()
        .flat_map(|drawn| drawn.above.iter().chain([&drawn.line]));
    let lines: Vec<&str> = lines.map(String::as_str).collect();
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    assert_eq!(trimmed, picture, "\n{}", trimmed.join("\n"));
    let widths: BTreeSet<usize> = lines.iter().map(|line| line.chars().count()).collect();
    assert!(widths.len() <= 1, "every line is as wide as the others");
    drawn
}

#[test]
fn one_writer_has_one_lane() {
    drawn(&[(0, &[]), (0, &[]), (0, &[])], &["●", "●", "●"]);
    drawn(&[], &[]);
}

#[test]
fn a_diamond_parts_and_meets() {
    let rows: [(usize, &[usize]); 4] = [(0, &[]), (1, &[0]), (2, &[0]), (0, &[1, 2])];
    drawn(&rows, &["●", "├─▶●", "├──│─▶●", "●◀─┤──┤"]);
    let rows: [(usize, &[usize]); 4] = [(0, &[]), (0, &[]), (1, &[0]), (0, &[2])];
    drawn(&rows, &["●", "├──╮", "●  │", "│  ●", "●◀─┤"]);
}

#[test]
fn three_who_know_nothing_of_each_other_are_not_joined() {
    drawn(&[(0, &[]), (1, &[]), (2, &[])], &["●", "   ●", "      ●"]);
    let rows: [(usize, &[usize]); 4] = [(0, &[]), (0, &[]), (1, &[0]), (2, &[0])];
    drawn(&rows, &["●", "├──┬──╮", "●  │  │", "   ●  │", "      ●"]);
}

#[test]
fn lanes_are_merged_from_both_sides() {
    let rows: [(usize, &[usize]); 4] = [(0, &[]), (1, &[]), (2, &[]), (1, &[0, 2])];
    drawn(&rows, &["●", "│  ●", "│  │  ●", "├─▶●◀─┤"]);
}

#[test]
fn a_long_lane_is_passed_beneath() {
    let rows: [(usize, &[usize]); 6] = [
        (0, &[]),
        (1, &[]),
        (2, &[0]),
        (1, &[]),
        (0, &[2]),
        (1, &[4]),
    ];
    drawn(
        &rows,
        &["●", "│  ●", "├──│─▶●", "│  ●  │", "●◀─│──┤", "├─▶●"],
    );
}

#[test]
fn branches_leave_to_both_sides_and_into_lanes_that_run() {
    let rows: [(usize, &[usize]); 6] =
        [(0, &[]), (1, &[]), (2, &[]), (1, &[]), (0, &[1]), (2, &[1])];
    let picture = [
        "●",
        "│  ●",
        "├◀─┤",
        "│  │  ●",
        "│  ●  │",
        "●  │  │",
        "   ├╌▶●",
    ];
    drawn(&rows, &picture);
    let rows: [(usize, &[usize]); 5] = [(0, &[]), (1, &[]), (1, &[]), (0, &[1]), (2, &[1])];
    drawn(
        &rows,
        &["●", "│  ●", "├◀─┼──╮", "│  ●  │", "●     │", "      ●"],
    );
}

#[test]
fn who_saw_less_than_stands_above_and_wrote_meanwhile_has_a_dashed_line() {
    let rows: [(usize, &[usize]); 4] = [(0, &[]), (1, &[]), (0, &[]), (1, &[0])];
    let drawn = drawn(&rows, &["●", "│  ●", "●  │", "├╌▶●"]);
    assert_eq!(drawn[3].untold, [0]);
    let mut rows = knots(&[(0, &[]), (1, &[]), (2, &[0, 1])]);
    rows[2].sees[0].newest = false;
    rows[2].sees[0].knot = None;
    drawn_after(&[], &rows, 10, &["●", "│  ●", "├╌╌├─▶●"]);
}

#[test]
fn marks_are_seen_at_a_glance() {
    let mut rows = knots(&[(0, &[]), (0, &[]), (0, &[]), (0, &[])]);
    let marks = [Mark::Applied, Mark::Refused, Mark::Replaced, Mark::Head];
    for (knot, mark) in rows.iter_mut().zip(marks) {
        knot.mark = mark;
    }
    drawn_after(&[], &rows, 10, &["●", "✗", "○", "◉"]);
}

#[test]
fn lanes_that_began_above_are_there_from_the_first_line() {
    let mut rows = knots(&[(1, &[]), (1, &[])]);
    rows[1].sees.push(Sight {
        lane: 0,
        knot: None,
        newest: true,
    });
    drawn_after(&[0, 1], &rows, 10, &["│  ●", "├─▶●"]);
    drawn_after(&[0, 1, 2], &rows, 10, &["│  ●", "├─▶●"]);
}

#[test]
fn lanes_are_handed_on_where_there_are_many_writers() {
    let chain = knots(&[(0, &[]), (1, &[0]), (2, &[1]), (3, &[2]), (4, &[3])]);
    drawn_after(&[], &chain, 2, &["●", "├─▶●", "●◀─┤", "├─▶●", "●◀─┤"]);
    let met = knots(&[(0, &[]), (1, &[]), (2, &[]), (0, &[1, 2])]);
    let drawn = drawn_after(&[], &met, 2, &["●", "│  ●", "│  │  ●", "●◀─┤"]);
    assert_eq!(drawn[3].untold, [2], "what has no line is told");
    let forks = knots(&[(0, &[]), (0, &[]), (1, &[0]), (2, &[1]), (3, &[2])]);
    let picture = ["●", "├──╮", "●  │", "│  ●", "├──│─▶●", "●◀─┤"];
    drawn_after(&[], &forks, 3, &picture);
}

#[test]
fn the_legend_names_the_columns_of_those_who_keep_theirs() {
    let rows = knots(&[(4, &[]), (2, &[0])]);
    assert_eq!(legend(&rows, &BTreeSet::new(), 2), [(4, 0), (2, 3)]);
    assert_eq!(legend(&rows, &BTreeSet::new(), 1), []);
}
