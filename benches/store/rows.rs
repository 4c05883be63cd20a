//! What is printed.

use std::fs;
use std::time::{Duration, Instant};

/// Rows of figures, each a name and values with their units.
pub(super) struct Rows {
    json: bool,
    objects: Vec<serde_json::Value>,
}

impl Rows {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            objects: Vec::new(),
        }
    }

    pub(super) fn title(&self, text: &str) {
        if !self.json {
            println!("\n{text}");
        }
    }

    /// One row; a value is a name, a number and how many digits after the point are worth telling.
    pub(super) fn row(&mut self, what: &str, values: &[(&str, f64, usize)]) {
        if !self.json {
            let cells = values.iter().map(|(name, value, digits)| {
                let number = grouped(*value, *digits);
                format!("{number:>12} {name}")
            });
            println!("  {what:<34}{}", cells.collect::<Vec<_>>().join("  "));
        }
        let mut object = serde_json::Map::new();
        object.insert("what".into(), what.into());
        for (name, value, _) in values {
            object.insert((*name).into(), (*value).into());
        }
        self.objects.push(object.into());
    }

    pub(super) fn finish(self) {
        if self.json {
            println!("{}", serde_json::Value::from(self.objects));
        }
    }
}

fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if rest.is_empty() {
        out
    } else {
        format!("{out}.{rest}")
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = now();
    let result = work();
    (result, began.elapsed())
}

/// Nanoseconds that the threads of this process have been computing, as Linux tells; else 0. What
/// else the machine does hardly shows in it.
pub(super) fn computed() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let spent = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum()
}
