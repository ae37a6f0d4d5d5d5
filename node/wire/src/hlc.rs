//! Hybrid logical clock: 48 bits of milliseconds and a 16-bit counter, ordered as one integer
//! (Kulkarni et al., "Logical Physical Clocks", 2014).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A hybrid logical time stamp. Ordered; strictly increasing within a region log.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Hlc(pub u64);

impl Hlc {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The stamp of a millisecond with counter 0.
    pub fn from_ms(ms: u64) -> Self {
        Self(ms << 16)
    }

    /// The milliseconds since the Unix epoch.
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }

    /// The counter within the millisecond.
    pub fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The next stamp. A full counter runs into the next millisecond.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The stamp for an event at wall time `wall_ms`, above `last`: the larger of the two.
    #[must_use]
    pub fn advance(last: Self, wall_ms: u64) -> Self {
        last.next().max(Self::from_ms(wall_ms))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.counter())
    }
}
