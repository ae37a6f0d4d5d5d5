//! Two clocks that must not be mixed up: both come from the host, neither is read here.

/// A monotonic clock in nanoseconds from an arbitrary start; for intervals and time-outs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// This time plus some milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0 + ms * 1_000_000)
    }

    /// Milliseconds from `earlier` until now; 0 when `earlier` is later.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}

/// A wall clock in nanoseconds since the Unix epoch; may be wrong, may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

impl Wall {
    /// Milliseconds since the Unix epoch.
    pub fn ms(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// Both clocks of a node at the moment of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For intervals.
    pub monotonic: Monotonic,
    /// For stamps.
    pub wall: Wall,
}
