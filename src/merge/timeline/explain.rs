use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Timeline;
use super::rows::{Fate, Row, Rows};
use super::rule::Rule;
use crate::event::EventId;
use crate::limits::{PIECES_MAX, REFUSED_MAX, SOURCE_LOOKS_MAX, SOURCES_MAX};
use crate::merge::{ExplainedPiece, Explanation, Guard, Party, RaceQuery, Sources};
use crate::resolver::{ErasedState, Piece, Places, Rejection};

impl Timeline {
    /// Why the value is what it is: where each piece of it comes from, what is refused and what is
    /// skipped, and one page of races. [Fold](Self::fold) first. What the history tells is missing
    /// while it is not in memory.
    ///
    /// Costs the pieces of the state, a pass over all events, the footprints of at most
    /// [`SOURCE_LOOKS_MAX`] of them where the rule does not tell sources, and a page of
    /// [`races`](Self::races). Every call of the resolver happens under the guard; pieces that cannot
    /// be had because it panics are left out.
    pub fn explain(&mut self, query: &RaceQuery, guard: &dyn Guard) -> Explanation {
        let page = self.races(query, guard);
        let order = self.parties_order();
        let (mut pieces, mut more_pieces) = (Vec::new(), false);
        if let (Some(route), Some(state)) = (&self.route, self.last_good()) {
            let rule = Rule::new(route, guard);
            let mut found = pieces_of(rule, state);
            more_pieces = found.len() > PIECES_MAX;
            found.truncate(PIECES_MAX);
            pieces = self.explained(found, &order, rule);
        }
        Explanation {
            aggregate: self.aggregate.clone(),
            rule: self.route.as_ref().map(|route| route.resolver().id()),
            condition: self.condition().cloned(),
            events: self.len(),
            rejections: self.rejections(),
            heads: self.heads().iter().map(|(head, _)| head.id).collect(),
            pieces,
            more_pieces,
            refused: last(&order, |row| refused(row, &self.rows)),
            replaced: last(&order, |row| replaced(row, &self.rows)),
            races: page.races,
            next: page.next,
        }
    }

    /// All events in memory in canonical order, invalid ones behind the others.
    fn parties_order(&self) -> Vec<&Row> {
        let mut order: Vec<&Row> = self.rows.iter().collect();
        order.sort_by_key(|row| (!row.is_valid(), row.event.order_key()));
        order
    }

    fn explained(&self, pieces: Vec<Piece>, order: &[&Row], rule: Rule<'_>) -> Vec<ExplainedPiece> {
        let mut touches = last_touches(&pieces, order, &self.rows, rule);
        let explained = |(at, piece): (usize, Piece)| ExplainedPiece {
            rule: rule.name(&piece.key),
            from: if piece.from.is_empty() {
                touches.remove(&at).unwrap_or_default().into_sources()
            } else {
                self.told(&piece.from)
            },
            key: piece.key,
            value: piece.value,
            open: piece.open,
        };
        pieces.into_iter().enumerate().map(explained).collect()
    }

    fn told(&self, from: &[EventId]) -> Sources {
        let mut rows: Vec<&Row> = from.iter().filter_map(|id| self.rows.find(*id)).collect();
        rows.sort_by_key(|row| row.event.order_key());
        let parties = rows.iter().rev().take(SOURCES_MAX).rev();
        let parties: Vec<Party> = parties.map(|row| self.rows.party(row)).collect();
        let more = from.len().saturating_sub(parties.len());
        Sources::Told {
            parties,
            more: u64::try_from(more).unwrap_or(u64::MAX),
        }
    }
}

/// The last events that touched one piece, the last one first.
#[derive(Default)]
struct Touches {
    parties: Vec<Party>,
    more: bool,
}

impl Touches {
    fn into_sources(mut self) -> Sources {
        self.parties.reverse();
        Sources::LastTouches {
            parties: self.parties,
            more: self.more,
        }
    }
}

/// By the number of the piece: the last events that touched those pieces of which the rule does not
/// tell where they come from.
fn last_touches(
    pieces: &[Piece],
    order: &[&Row],
    rows: &Rows,
    rule: Rule<'_>,
) -> BTreeMap<usize, Touches> {
    let mut places: Places<Vec<usize>> = Places::default();
    let mut touches: BTreeMap<usize, Touches> = BTreeMap::new();
    for (at, piece) in pieces.iter().enumerate() {
        if piece.from.is_empty() {
            touches.insert(at, Touches::default());
            places.note(&piece.key, &mut |cell| cell.push(at));
        }
    }
    let mut open = touches.len();
    let mut looks = SOURCE_LOOKS_MAX;
    let applied = |row: &&&Row| row.fate() == Fate::Applied;
    for row in order.iter().rev().filter(applied) {
        if open == 0 {
            break;
        }
        if looks == 0 {
            for touches in touches.values_mut() {
                touches.more = true;
            }
            break;
        }
        looks -= 1;
        for key in rule.footprint(&row.event).keys() {
            places.each_overlapping(key, &mut |cell| {
                for at in cell {
                    let Some(touches) = touches.get_mut(at) else {
                        continue;
                    };
                    open -= usize::from(touches.add(row, rows));
                }
                true
            });
        }
    }
    touches
}

impl Touches {
    /// Adds an earlier event than those before. Returns whether it is now known that there are more.
    fn add(&mut self, row: &Row, rows: &Rows) -> bool {
        let is_listed = self
            .parties
            .last()
            .is_some_and(|party| party.id() == row.event.id());
        if self.more || is_listed {
            return false;
        }
        self.more = self.parties.len() == SOURCES_MAX;
        if !self.more {
            self.parties.push(rows.party(row));
        }
        self.more
    }
}

fn pieces_of(rule: Rule<'_>, state: &ErasedState) -> Vec<Piece> {
    // A state that cannot be written has no pieces to show.
    let pieces = rule.ask(|resolver| resolver.pieces(state).ok());
    pieces.flatten().unwrap_or_default()
}

/// What is told of the last events of which something is to be told.
fn last<T>(order: &[&Row], tell: impl Fn(&Row) -> Option<T>) -> Vec<T> {
    let told = order.iter().rev().filter_map(|row| tell(row));
    let mut told: Vec<T> = told.take(REFUSED_MAX).collect();
    told.reverse();
    told
}

fn refused(row: &Row, rows: &Rows) -> Option<(Party, Rejection)> {
    let why = rows.refused(row)?.clone();
    Some((rows.party(row), why))
}

fn replaced(row: &Row, rows: &Rows) -> Option<(Party, EventId)> {
    let by = rows.replaced_by(row)?;
    Some((rows.party(row), by))
}
