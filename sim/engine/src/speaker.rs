//! Who is being run on this thread, and at what simulated time: for the stamps of the nodes' own
//! logs.

use std::cell::Cell;

thread_local! {
    static NOW: Cell<(u64, Option<usize>)> = const { Cell::new((0, None)) };
}

/// A machine's node is about to run at a simulated time in nanoseconds.
pub(crate) fn set(at: u64, slot: Option<usize>) {
    NOW.set((at, slot));
}

/// Simulated time in nanoseconds, and the machine whose node runs.
pub fn now() -> (u64, Option<usize>) {
    NOW.get()
}
