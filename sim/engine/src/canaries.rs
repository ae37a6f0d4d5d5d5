//! Planted bugs: those of the node, one of the testbed itself, and which one is selected for this
//! process.

use billing_core::canary;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Makes the same seed another run each time: the check of determinism must see it.
const COUNTER: (&str, &str) = (
    "process-wide-counter",
    "the testbed counts over all runs of a process and lets that move an answer",
);
/// An answer in so many is moved.
const MOVED_EVERY: u64 = 1_009;
/// By so many nanoseconds.
const MOVED_BY_NS: u64 = 1_000_000;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static COUNTED: AtomicU64 = AtomicU64::new(0);

/// Planted bugs of the node: name of each, and the bug in words.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
    canary::CATALOGUE.iter().copied()
}

/// Planted bugs of the testbed itself, which no oracle is about.
pub fn of_testbed() -> impl Iterator<Item = (&'static str, &'static str)> {
    [COUNTER].into_iter()
}

/// Selects one, or none. `false`: there is no such canary.
pub fn select(name: Option<&str>) -> bool {
    IS_COUNTING.store(name == Some(COUNTER.0), Ordering::Relaxed);
    let place = name.and_then(|name| canary::CATALOGUE.iter().position(|it| it.0 == name));
    canary::select(place);
    name.is_none() || place.is_some() || name == Some(COUNTER.0)
}

/// By how much an answer is moved: never, unless that bug is selected.
pub(crate) fn moved_by_ns() -> u64 {
    let is_moved = IS_COUNTING.load(Ordering::Relaxed)
        && COUNTED.fetch_add(1, Ordering::Relaxed).is_multiple_of(MOVED_EVERY);
    if is_moved { MOVED_BY_NS } else { 0 }
}
