//! Time that passes, and waiting for something with a limit.

use billing_shell::tokio_host::Clock;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at whether something has happened.
const POLL: Duration = Duration::from_millis(10);

/// Counts from its making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Clock);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Clock::new())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds())
    }

    pub(crate) fn nanoseconds(&self) -> u64 {
        self.0.now().monotonic.0
    }
}

/// Looks again and again until there is something.
///
/// # Panics
/// When there is nothing after `limit`; says what was waited for.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(stopwatch.elapsed() < limit, "waited {limit:?} for {what}");
        sleep(POLL);
    }
}
