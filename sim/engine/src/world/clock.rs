//! A node's wall clock: true time with an offset, a drift and a freeze. Its monotonic clock is
//! true.

use billing_core::Wall;

/// Simulated time 0 as a wall clock shows it: 2026-01-01, in nanoseconds since 1970.
const START_NS: u64 = 1_767_225_600_000_000_000;

/// A wall clock that may be wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock {
    offset_ns: i64,
    drift_ppm: i32,
    drift_since: u64,
    frozen_at: Option<u64>,
}

impl WallClock {
    /// What it shows at a simulated time.
    pub fn shows(&self, now: u64) -> Wall {
        let now = self.frozen_at.unwrap_or(now);
        let ran = now.saturating_sub(self.drift_since) as i64;
        let drifted = ran / 1_000_000 * i64::from(self.drift_ppm);
        Wall((START_NS + now).saturating_add_signed(self.offset_ns + drifted))
    }

    /// Whether it shows true time.
    pub fn is_true(&self) -> bool {
        self.offset_ns == 0 && self.drift_ppm == 0 && self.frozen_at.is_none()
    }

    /// Puts it off by so many milliseconds.
    pub fn set_offset(&mut self, offset_ms: i64) {
        self.offset_ns = offset_ms * 1_000_000;
    }

    /// Makes it run fast or slow from now on.
    pub fn set_drift(&mut self, now: u64, ppm: i32) {
        (self.drift_ppm, self.drift_since) = (ppm, now);
    }

    /// Makes it stand still.
    pub fn freeze(&mut self, now: u64) {
        self.frozen_at = Some(now);
    }

    /// Lets it show true time again.
    pub fn correct(&mut self) {
        *self = Self::default();
    }
}

impl super::World {
    /// A clock is about to be set: from now on they differ.
    pub(super) fn set_clocks(&mut self) {
        self.tell_clocks();
        self.clocks_were_set = true;
    }

    /// Tells the oracles the highest time that a clock shows now: before one is set, and before
    /// stamps are judged by it. As long as none was set they all show the same.
    pub(super) fn tell_clocks(&mut self) {
        let clocks = self.machines.iter().map(|machine| &machine.clock);
        let highest = if self.clocks_were_set {
            clocks.map(|clock| clock.shows(self.now)).max()
        } else {
            clocks.map(|clock| clock.shows(self.now)).next()
        };
        self.jury.clock_shows(highest.map_or(0, Wall::ms));
    }
}

#[cfg(test)]
mod tests {
    use super::{START_NS, WallClock};

    #[test]
    fn each_fault_shows_and_ends() {
        let mut clock = WallClock::default();
        assert_eq!(clock.shows(7).0, START_NS + 7);
        clock.set_offset(-2);
        assert_eq!(clock.shows(3_000_000).0, START_NS + 1_000_000);
        clock.set_drift(0, 1_000);
        assert_eq!(clock.shows(1_000_000_000).0, START_NS + 1_000_000_000 - 2_000_000 + 1_000_000);
        clock.correct();
        clock.freeze(5);
        assert_eq!(clock.shows(99).0, START_NS + 5);
        assert!(!clock.is_true());
        clock.correct();
        assert!(clock.is_true());
    }
}
