use std::collections::{BTreeMap, BTreeSet};

/// Columns of characters between two lanes.
const APART: usize = 3;

/// An event as the drawing sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Knot {
    /// Who wrote it, as a number.
    pub(super) lane: usize,
    /// Whose events its writer had seen for the first time with it.
    pub(super) sees: Vec<Sight>,
    pub(super) mark: Mark,
}

/// A look at another lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) lane: usize,
    /// Which knot is seen; nothing if that stands above the first one.
    pub(super) knot: Option<usize>,
    /// Whether it is the newest of its lane so far.
    pub(super) newest: bool,
}

/// What is to be seen of an event at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Applied,
    /// Nobody has seen it yet.
    Head,
    Refused,
    Replaced,
}

impl Mark {
    const fn sign(self) -> char {
        match self {
            Self::Applied => '●',
            Self::Head => '◉',
            Self::Refused => '✗',
            Self::Replaced => '○',
        }
    }
}

/// How a look is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// An arrow in the line of the event that looks.
    Arrow,
    /// A branch right below the knot that is seen.
    Branch(usize),
    /// A dashed arrow: the line of the lane it comes from shows more than was seen.
    Dashed,
}

/// What one event looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Branches from the event before, if there are any.
    pub(super) above: Option<String>,
    pub(super) line: String,
    /// Lanes that it sees, where the drawing does not say truly how much.
    pub(super) untold: Vec<usize>,
}

/// Draws each event, the earliest first, in lines of equal width.
///
/// `before` are lanes with events above the first one. Up to `lanes_max` writers have a lane of their
/// own from top to bottom; if there are more, a lane is handed on once its writer is not needed any
/// more, and who finds none free is drawn at the right, without a line.
pub(super) fn draw(knots: &[Knot], before: &BTreeSet<usize>, lanes_max: usize) -> Vec<Drawn> {
    let plan = Plan::of(knots, before);
    let keeps = plan.spans.len() <= lanes_max;
    let mut sheet = Sheet {
        plan: &plan,
        free: (0..lanes_max).collect(),
        taken: BTreeMap::new(),
        branched: BTreeSet::new(),
        lanes_max,
    };
    let mut all = Vec::with_capacity(knots.len());
    for (row, knot) in knots.iter().enumerate() {
        sheet.take(row);
        let above = row.checked_sub(1).and_then(|seen| {
            let from = knots.get(seen)?.lane;
            sheet.branches(seen, from)
        });
        all.push(Drawn {
            above,
            ..sheet.event(row, knot)
        });
        if !keeps {
            sheet.hand_on(row);
        }
    }
    let lines = all
        .iter()
        .flat_map(|drawn| drawn.above.iter().chain([&drawn.line]));
    let width = lines.map(|line| line.trim_end().chars().count()).max();
    for drawn in &mut all {
        for line in drawn.above.iter_mut().chain([&mut drawn.line]) {
            *line = line.chars().take(width.unwrap_or_default()).collect();
        }
    }
    all
}

/// The columns of the lanes that have one from top to bottom, from left to right; none if there are
/// too many for that.
pub(super) fn legend(
    knots: &[Knot],
    before: &BTreeSet<usize>,
    lanes_max: usize,
) -> Vec<(usize, usize)> {
    let spans = Plan::of(knots, before).spans;
    if spans.len() > lanes_max {
        return Vec::new();
    }
    let begins = spans.iter().map(|(lane, span)| (span.first, *lane));
    let begins: BTreeSet<(usize, usize)> = begins.collect();
    let columns = (0..).step_by(APART).zip(begins);
    columns.map(|(at, (_, lane))| (lane, at)).collect()
}

/// The rows between which a lane has a line.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    last: usize,
    /// Until when nobody else may have its column: branches leave in the row below.
    held: usize,
}

/// Where each lane runs, and how each look is drawn.
struct Plan {
    spans: BTreeMap<usize, Span>,
    /// Row by row.
    ways: Vec<Vec<(usize, Way)>>,
    /// Lanes to which others branch, by the row of the knot that they have seen.
    branches: BTreeMap<usize, BTreeSet<usize>>,
}

impl Plan {
    fn of(knots: &[Knot], before: &BTreeSet<usize>) -> Self {
        let mut plan = Self {
            spans: BTreeMap::new(),
            ways: Vec::with_capacity(knots.len()),
            branches: BTreeMap::new(),
        };
        let mut own: BTreeMap<usize, usize> = BTreeMap::new();
        for (row, knot) in knots.iter().enumerate() {
            let latest = own.insert(knot.lane, row);
            let mut ways = Vec::new();
            for sight in &knot.sees {
                let way = match sight.knot {
                    _ if sight.newest => Way::Arrow,
                    // Above an own event the branch would say that this one had seen it, too.
                    Some(seen) if latest.is_none_or(|latest| latest < seen) => Way::Branch(seen),
                    _ => Way::Dashed,
                };
                ways.push((sight.lane, way));
                if let Way::Branch(seen) = way {
                    plan.branches.entry(seen).or_default().insert(knot.lane);
                    plan.uses(before, sight.lane, seen, seen + 1);
                    plan.uses(before, knot.lane, seen + 1, row);
                } else {
                    plan.uses(before, sight.lane, row, row);
                }
            }
            plan.uses(before, knot.lane, row, row);
            plan.ways.push(ways);
        }
        plan
    }

    fn uses(&mut self, before: &BTreeSet<usize>, lane: usize, row: usize, held: usize) {
        let first = if before.contains(&lane) { 0 } else { row };
        let (last, new) = (
            row,
            Span {
                first,
                last: row,
                held,
            },
        );
        let span = self.spans.entry(lane).or_insert(new);
        span.first = span.first.min(first);
        span.last = span.last.max(last);
        span.held = span.held.max(held).max(last);
    }

    fn runs(&self, lane: usize, row: usize) -> bool {
        let span = self.spans.get(&lane);
        span.is_some_and(|span| span.first <= row && row <= span.last)
    }
}

struct Sheet<'a> {
    plan: &'a Plan,
    free: BTreeSet<usize>,
    taken: BTreeMap<usize, usize>,
    /// Branches that were drawn: the row that was seen, and the lane they lead to.
    branched: BTreeSet<(usize, usize)>,
    lanes_max: usize,
}

impl Sheet<'_> {
    /// Gives a column to each lane that begins in this row.
    fn take(&mut self, row: usize) {
        for (lane, _) in self.plan.spans.iter().filter(|(_, span)| span.first == row) {
            if let Some(column) = self.free.pop_first() {
                self.taken.insert(*lane, column);
            }
        }
    }

    fn hand_on(&mut self, row: usize) {
        let (free, spans) = (&mut self.free, &self.plan.spans);
        self.taken.retain(|lane, column| {
            let is_over = spans.get(lane).is_none_or(|span| span.held <= row);
            if is_over {
                free.insert(*column);
            }
            !is_over
        });
    }

    /// An empty line with the lanes that run through it.
    fn line(&self, runs: impl Fn(usize) -> bool) -> Line {
        let mut line = Line(vec![' '; (self.lanes_max + 1) * APART]);
        for (_, column) in self.taken.iter().filter(|(lane, _)| runs(**lane)) {
            line.put(*column, '│');
        }
        line
    }

    fn event(&self, row: usize, knot: &Knot) -> Drawn {
        let own = self.taken.get(&knot.lane).copied();
        let at = own.unwrap_or(self.lanes_max);
        let mut line = self.line(|lane| self.plan.runs(lane, row));
        let mut untold = Vec::new();
        let mut arrows = Vec::new();
        for (lane, way) in self.plan.ways.get(row).into_iter().flatten() {
            let column = self.taken.get(lane).copied();
            let is_told = match way {
                Way::Arrow => column.is_some(),
                Way::Branch(seen) => self.branched.contains(&(*seen, knot.lane)),
                Way::Dashed => false,
            };
            if !is_told {
                untold.push(*lane);
            }
            if let (Some(column), Way::Arrow | Way::Dashed) = (column, way) {
                arrows.push((*way == Way::Arrow, column));
            }
        }
        // Dashed ones first: what they share with others is drawn through.
        arrows.sort_unstable();
        for (is_solid, column) in &arrows {
            line.arrow(*column, at, if *is_solid { '─' } else { '╌' });
        }
        for (_, column) in arrows {
            line.put(column, if column < at { '├' } else { '┤' });
        }
        line.put(at, knot.mark.sign());
        Drawn {
            above: None,
            line: line.0.into_iter().collect(),
            untold,
        }
    }

    /// The line below an event, with the branches that leave it.
    fn branches(&mut self, seen: usize, from: usize) -> Option<String> {
        let lanes = self.plan.branches.get(&seen)?;
        let at = *self.taken.get(&from)?;
        let through = |lane: usize| self.plan.runs(lane, seen) && self.plan.runs(lane, seen + 1);
        let mut line = self.line(through);
        let to = lanes
            .iter()
            .filter_map(|lane| Some((*self.taken.get(lane)?, *lane)));
        let to: BTreeMap<usize, usize> = to.collect();
        for column in to.keys() {
            line.rule(at, *column, '─');
        }
        let (first, last) = (to.keys().next().copied()?, to.keys().next_back().copied()?);
        for (column, lane) in &to {
            let is_end = *column == first.min(at) || *column == last.max(at);
            line.put(
                *column,
                match (through(*lane), is_end, *column > at) {
                    (true, false, _) => '┼',
                    (true, true, true) => '┤',
                    (true, true, false) => '├',
                    (false, false, _) => '┬',
                    (false, true, true) => '╮',
                    (false, true, false) => '╭',
                },
            );
            if through(*lane) {
                line.head(at, *column);
            }
            self.branched.insert((seen, *lane));
        }
        line.put(
            at,
            match (through(from), first < at, last > at) {
                (true, true, true) => '┼',
                (true, true, false) => '┤',
                (true, false, _) => '├',
                (false, true, true) => '┴',
                (false, true, false) => '╯',
                (false, false, _) => '╰',
            },
        );
        Some(line.0.into_iter().collect())
    }
}

/// Characters; columns are those of lanes.
struct Line(Vec<char>);

impl Line {
    fn put(&mut self, column: usize, sign: char) {
        self.set(column * APART, sign);
    }

    fn set(&mut self, at: usize, sign: char) {
        if let Some(place) = self.0.get_mut(at) {
            *place = sign;
        }
    }

    /// A line between two columns, beneath the lanes between them.
    fn rule(&mut self, from: usize, to: usize, sign: char) {
        for at in from.min(to) * APART + 1..from.max(to) * APART {
            if self.0.get(at) != Some(&'│') {
                self.set(at, sign);
            }
        }
    }

    fn arrow(&mut self, from: usize, to: usize, sign: char) {
        self.rule(from, to, sign);
        self.head(from, to);
    }

    /// The head of an arrow.
    fn head(&mut self, from: usize, to: usize) {
        if from < to {
            self.set(to * APART - 1, '▶');
        } else {
            self.set(to * APART + 1, '◀');
        }
    }
}

#[cfg(test)]
mod tests;
