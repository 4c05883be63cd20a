//! Clocks and medians.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The processor time that this process has used, all threads together.
pub(crate) fn cpu_now() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        spent.tv_sec.try_into().unwrap_or_default(),
        spent.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// Does the work and says how much processor time it took.
pub(crate) fn cpu<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = cpu_now();
    let result = work();
    (result, cpu_now().saturating_sub(began))
}

/// Does the work and says how long it took.
pub(crate) fn wall<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

/// Nanoseconds for each of so many.
pub(crate) fn ns_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count.max(1) as f64
}

/// The middle one, or of an even number the mean of the middle two.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The figure below which the given share of them lies.
pub(crate) fn quantile(figures: &[f64], share: f64) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}
