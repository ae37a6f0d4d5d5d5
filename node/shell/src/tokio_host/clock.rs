//! The two clocks of a real machine, read together.

use billing_core::{Monotonic, Now, Wall};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Reads both clocks; the monotonic one counts from the making of this value.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the host, which reads clocks")]
    #[expect(clippy::new_without_default, reason = "a default that reads a clock would surprise")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks. A wall clock before 1970 reads as 0.
    #[expect(clippy::disallowed_methods, reason = "this is the host, which reads clocks")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            monotonic: Monotonic(self.start.elapsed().as_nanos() as u64),
            wall: Wall(wall.as_nanos() as u64),
        }
    }
}
