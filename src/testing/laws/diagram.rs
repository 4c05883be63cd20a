//! A history drawn as text: time runs down, one lane per replica, arrows for what was seen.
//!
//! Knows histories and nothing of rules.

use std::fmt::Write as _;

use super::history::{History, letter};

/// Columns from one lane to the next.
const LANE: usize = 6;

/// Draws a history. An arrow leads from the lane of what was seen to who saw it, with the number of
/// the event.
pub(super) fn draw(history: &History) -> String {
    let mut writers: Vec<usize> = history.steps.iter().map(|step| step.writer).collect();
    writers.sort_unstable();
    writers.dedup();
    let lane = |writer: usize| {
        writers
            .iter()
            .position(|other| *other == writer)
            .unwrap_or(0)
    };
    let lanes = writers.len();
    let mut text = String::from("   ");
    for writer in &writers {
        let _ = write!(text, "{:LANE$}", letter(*writer));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (at, step) in history.steps.iter().enumerate() {
        let own = lane(step.writer);
        for head in history.heads(at) {
            let from = lane(history.steps[head].writer);
            if from != own {
                row(&mut text, &arrow(lanes, from, own, head + 1), "");
            }
        }
        let number = (at + 1).to_string();
        let mut cells = bars(lanes);
        put(&mut cells, own * LANE, &number);
        row(&mut text, &cells, &step.word.text);
    }
    text
}

fn row(text: &mut String, lanes: &[char], said: &str) {
    let lanes: String = lanes.iter().collect();
    let line = format!("   {lanes}  {said}");
    text.push_str(line.trim_end());
    text.push('\n');
}

fn bars(lanes: usize) -> Vec<char> {
    let mut line = vec![' '; lanes * LANE];
    for lane in 0..lanes {
        line[lane * LANE] = '|';
    }
    line
}

fn arrow(lanes: usize, from: usize, to: usize, number: usize) -> Vec<char> {
    let mut line = bars(lanes);
    let (left, right) = (from.min(to) * LANE, from.max(to) * LANE);
    for cell in &mut line[left + 1..right] {
        *cell = '-';
    }
    let number = number.to_string();
    if from < to {
        put(&mut line, right - 1, ">");
        put(&mut line, left + 2, &number);
    } else {
        put(&mut line, left + 1, "<");
        put(&mut line, right - 1 - number.len(), &number);
    }
    line
}

fn put(line: &mut [char], at: usize, text: &str) {
    for (cell, letter) in line.iter_mut().skip(at).zip(text.chars()) {
        *cell = letter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_drawn_with_a_lane_per_replica_and_arrows_for_what_was_seen() {
        let history = History::new()
            .event("A", [], "01")
            .event("B", [], "02")
            .event("B", [1], "03")
            .event("A", [3], "04");
        let expected = [
            "   A     B",
            "   1     |       1",
            "   |     2       2",
            "   |-1-->|",
            "   |     3       3",
            "   |<--3-|",
            "   4     |       4",
        ];
        let drawn = draw(&history);
        assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
    }
}
