//! The hybrid logical clock of a region log's leader: each stamp is above the last entry of the
//! log, committed or not, and of what its sessions have seen, and as near to the wall clock as
//! that allows.
//!
//! Source: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots" (2014), §3.

use crate::canary;
use crate::time::Wall;
use billing_wire::Hlc;

/// Stamps entries.
#[derive(Debug, Default)]
pub struct HybridClock {
    last_own: Hlc,
    told: Hlc,
}

impl HybridClock {
    /// A session has seen this stamp: no later one of this clock is below it.
    pub fn hear(&mut self, stamp: Hlc) {
        self.told = self.told.max(stamp);
    }

    /// The highest stamp that a session has seen.
    pub fn told(&self) -> Hlc {
        self.told
    }

    /// The stamp of the entry that follows the one stamped `last_of_log`.
    pub fn stamp(&mut self, last_of_log: Hlc, wall: Wall) -> Hlc {
        let last = if canary!("hlc-not-above-log") { self.last_own } else { last_of_log };
        let ahead_ms = if canary!("stamps-ahead-of-the-clock") { 400 } else { 0 };
        self.last_own = Hlc::advance(last, wall.ms() + ahead_ms);
        self.last_own
    }
}

#[cfg(test)]
mod tests {
    use super::HybridClock;
    use crate::time::Wall;
    use billing_wire::Hlc;

    #[test]
    fn a_stamp_is_above_the_log_whatever_the_wall_clock_says() {
        let mut clock = HybridClock::default();
        let far_ahead = Hlc::from_ms(5_000);
        assert_eq!(clock.stamp(far_ahead, Wall(1_000_000_000)), far_ahead.next());
        assert_eq!(clock.stamp(far_ahead, Wall(6_000_000_000)), Hlc::from_ms(6_000));
    }
}
