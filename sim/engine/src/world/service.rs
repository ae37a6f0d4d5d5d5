//! A service outside of every region, as nodes meet it: how long a call takes, and what becomes of
//! it on the way. What it does when it is asked is the payment provider's, and the mail service's,
//! own.

use crate::scenario::{self, Between};
use crate::seed::Stream;
use billsim_record::PlannedService;

/// Latencies and misbehaviour of a service.
#[derive(Debug)]
pub(super) struct Service {
    stream: Stream,
    manners: PlannedService,
    latency_ns: (u64, u64),
    slow_ns: (u64, u64),
}

/// What becomes of a call that has arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lot {
    /// It is refused, and nothing is done.
    pub(super) is_refused: bool,
    /// It is not answered.
    pub(super) is_mute: bool,
    /// It is answered as if it were refused.
    pub(super) is_lie: bool,
}

impl Service {
    /// A service of a scenario, with what it does wrong in this run.
    pub(super) fn new(
        settings: &scenario::Service,
        manners: PlannedService,
        stream: Stream,
    ) -> Self {
        let nanoseconds = |ms: Between| (ms.min * 1_000_000, ms.max * 1_000_000);
        let (latency_ns, slow_ns) =
            (nanoseconds(settings.latency_ms), nanoseconds(settings.slow_ms));
        Self { stream, manners, latency_ns, slow_ns }
    }

    /// Whether something that happens to so many of a hundred calls happens to this one.
    fn happens(&mut self, percent: u8) -> bool {
        self.stream.below(100) < u64::from(percent)
    }

    /// When a call that is made now arrives; `None`: never.
    pub(super) fn arrival(&mut self, now: u64) -> Option<u64> {
        // As many draws for each call, whatever becomes of it.
        let (is_lost, is_slow) =
            (self.happens(self.manners.lost_percent), self.happens(self.manners.slow_percent));
        let (low, high) = if is_slow { self.slow_ns } else { self.latency_ns };
        let takes = self.stream.range(low, high);
        (!is_lost).then_some(now + takes)
    }

    /// What becomes of a call that arrives.
    pub(super) fn lot(&mut self) -> Lot {
        Lot {
            is_refused: self.happens(self.manners.refused_percent),
            is_mute: self.happens(self.manners.answer_lost_percent),
            is_lie: self.happens(self.manners.lied_percent),
        }
    }

    /// When an answer that leaves now is there.
    pub(super) fn answer_at(&mut self, now: u64) -> u64 {
        let (low, high) = self.latency_ns;
        now + self.stream.range(low, high)
    }

    /// From here on it does what it is asked for and says so.
    pub(super) fn calm(&mut self) {
        self.manners = PlannedService::default();
    }
}
