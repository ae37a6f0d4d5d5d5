//! The circuit breaker of one node: closed while it serves, open while it is left alone, half open
//! while a single request tries it. What opens it is failure seen in passing, or a probe; what lets
//! it be tried again is a probe that proves that its log can commit.
//!
//! Source: M. Nygard, "Release It!" (2nd ed., 2018), "Circuit Breaker".

use crate::config::Limits;
use billing_core::{Monotonic, sometimes};

/// Whether requests go to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They do.
    Closed,
    /// None does until a probe says that it can serve, and not before this time.
    Open {
        /// The earliest time.
        until: Monotonic,
    },
    /// One may; whether it is under way.
    HalfOpen {
        /// The trial is under way.
        is_tried: bool,
    },
}

/// The breaker of one node.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    state: State,
    /// Failures in a row.
    failures: u32,
    /// How often it opened since it was last closed.
    times: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, failures: 0, times: 0 }
    }
}

impl Breaker {
    /// Whether requests go to the node.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the next request may.
    pub fn lets_through(&self) -> bool {
        matches!(self.state, State::Closed | State::HalfOpen { is_tried: false })
    }

    /// Whether the node is left alone.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// A request goes to the node.
    pub fn sent(&mut self) {
        if let State::HalfOpen { is_tried } = &mut self.state {
            *is_tried = true;
        }
    }

    /// The node answered a request.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        if let State::HalfOpen { .. } = self.state {
            sometimes!("node-readmitted");
            (self.state, self.times) = (State::Closed, 0);
        }
    }

    /// The node failed a request. Whether that ejected it.
    pub fn failed(&mut self, now: Monotonic, limits: &Limits) -> bool {
        self.failures += 1;
        let is_trial = matches!(self.state, State::HalfOpen { .. });
        (is_trial || self.failures >= limits.failures_max) && self.open(now, limits)
    }

    /// A trial ended without telling anything: the next one may.
    pub fn untried(&mut self) {
        if let State::HalfOpen { is_tried } = &mut self.state {
            *is_tried = false;
        }
    }

    /// The node is ejected, if it is not already.
    pub fn open(&mut self, now: Monotonic, limits: &Limits) -> bool {
        if self.is_open() {
            return false;
        }
        sometimes!("breaker-open");
        if self.state == State::Closed {
            sometimes!("node-ejected");
        }
        let dwell = (limits.open_first_ms << self.times.min(16)).min(limits.open_max_ms);
        self.state = State::Open { until: now.plus_ms(dwell) };
        self.times += 1;
        self.failures = 0;
        true
    }

    /// The node proved that it can serve.
    pub fn proved(&mut self, now: Monotonic) {
        if let State::Open { until } = self.state
            && now >= until
        {
            sometimes!("breaker-half-open");
            self.state = State::HalfOpen { is_tried: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, State};
    use crate::config::Limits;
    use billing_core::Monotonic;

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms * 1_000_000)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_a_proven_trial_closes_it() {
        let (limits, mut breaker) = (Limits::default(), Breaker::default());
        assert!(!breaker.failed(at(0), &limits) && !breaker.failed(at(0), &limits));
        breaker.succeeded();
        assert!(!breaker.failed(at(0), &limits) && !breaker.failed(at(0), &limits));
        assert!(breaker.failed(at(0), &limits) && !breaker.lets_through());
        breaker.proved(at(999));
        assert!(!breaker.lets_through(), "too early");
        breaker.proved(at(1_000));
        assert!(breaker.lets_through());
        breaker.sent();
        assert!(!breaker.lets_through(), "one trial at a time");
        breaker.succeeded();
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn a_failed_trial_doubles_the_time_alone_up_to_the_bound() {
        let (limits, mut breaker) = (Limits::default(), Breaker::default());
        breaker.open(at(0), &limits);
        let mut now = 0;
        for dwell in [1_000, 2_000, 4_000, 8_000, 8_000] {
            assert_eq!(breaker.state(), State::Open { until: at(now + dwell) });
            now += dwell;
            breaker.proved(at(now));
            breaker.sent();
            assert!(breaker.failed(at(now), &limits), "one failed trial is enough");
        }
    }
}
