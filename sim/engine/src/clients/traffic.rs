//! When operations arrive: an open loop with independent arrivals (Poisson), so that an outage
//! is not answered by less demand, with times of another rate.

use super::Population;
use crate::scenario::{Bursts, Load, Spike};
use crate::seed::Stream;

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;

/// Something is promised of spikes up to ten times the usual load; what is drawn as ten times lies
/// between eight and twelve.
const SPIKE_MAX: u64 = 12;

/// The arrivals of a run.
#[derive(Debug)]
pub(super) struct Traffic {
    stream: Stream,
    /// Next arrival in nanoseconds; `u64::MAX` when stopped.
    next: u64,
    /// When the rate changes, in nanoseconds.
    change: u64,
    /// Mean time between two arrivals now, in nanoseconds.
    gap: u64,
    usual_gap: u64,
    /// Nanoseconds of gap times writes per second: reads arrive besides writes.
    unit: u64,
    in_burst: bool,
    bursts: Option<Bursts>,
    /// Mean time between two bursts, in nanoseconds.
    burst_gap: u64,
    /// A rate of its own from one time to another, in nanoseconds.
    spike: Option<Surge>,
}

/// A time of another rate, drawn.
#[derive(Debug, Clone, Copy)]
struct Surge {
    from: u64,
    until: u64,
    gap: u64,
}

impl Surge {
    fn draw(spike: &Spike, unit: u64, stream: &mut Stream) -> Self {
        let from = spike.at_ms.uniform(stream) * 1_000_000;
        let until = from + spike.duration_ms.log_uniform(stream) * 1_000_000;
        let gap = (unit / spike.transactions_per_s.log_uniform(stream)).max(1);
        Self { from, until, gap }
    }
}

impl Population {
    /// From when until when more arrives than usual, in nanoseconds, if that is drawn, and if it
    /// is no more than a cluster is made for.
    pub fn spike(&self) -> Option<(u64, u64)> {
        let usual_gap = self.traffic.usual_gap;
        let spike = self.traffic.spike.filter(|spike| spike.gap * SPIKE_MAX >= usual_gap);
        spike.map(|spike| (spike.from, spike.until))
    }
}

impl Traffic {
    /// `spikes` is a stream of its own, so that a spike leaves the other arrivals where they are.
    pub(super) fn new(load: &Load, mut stream: Stream, mut spikes: Stream) -> Self {
        let mix = &load.mix;
        let writes = [mix.open_account, mix.payment, mix.meter_read, mix.adjustment, mix.reversal];
        let reads = [mix.balance, mix.history, mix.operation, mix.trial_balance];
        let writes: u64 = writes.iter().map(|w| u64::from(*w)).sum();
        let all: u64 = writes + reads.iter().map(|w| u64::from(*w)).sum::<u64>();
        let unit = SECOND_NS * writes / all;
        let usual_gap = (unit / load.transactions_per_s.log_uniform(&mut stream)).max(1);
        let mut traffic = Self {
            stream,
            next: 0,
            change: u64::MAX,
            gap: usual_gap,
            usual_gap,
            unit,
            in_burst: false,
            bursts: load.bursts.clone(),
            burst_gap: 0,
            spike: load.spike.as_ref().map(|spike| Surge::draw(spike, unit, &mut spikes)),
        };
        if let Some(bursts) = &load.bursts {
            traffic.burst_gap = MINUTE_NS / bursts.per_minute.log_uniform(&mut traffic.stream);
            traffic.change = traffic.stream.exponential(traffic.burst_gap);
        }
        traffic.advance();
        traffic
    }

    /// When the next operation arrives, in nanoseconds.
    pub(super) fn next_arrival(&self) -> u64 {
        self.next
    }

    /// Draws the arrival after the next.
    pub(super) fn advance(&mut self) {
        let mut from = self.next;
        loop {
            if let Some(spike) = self.spike.filter(|spike| from < spike.until) {
                let is_on = from >= spike.from;
                let gap = if is_on { spike.gap } else { self.gap };
                let change = if is_on { spike.until } else { spike.from.min(self.change) };
                let next = from + self.stream.exponential(gap);
                if next < change {
                    self.next = next;
                    return;
                }
                from = change;
                if is_on {
                    // A burst that began meanwhile begins now.
                    self.change = self.change.max(from);
                } else if change < spike.from {
                    self.change_rate();
                }
                continue;
            }
            let next = from + self.stream.exponential(self.gap);
            if next < self.change {
                self.next = next;
                return;
            }
            // Arrivals are independent: from a change on they are drawn at the new rate.
            from = self.change;
            self.change_rate();
        }
    }

    /// Nothing arrives any more.
    pub(super) fn stop(&mut self) {
        self.next = u64::MAX;
    }

    fn change_rate(&mut self) {
        let Some(bursts) = &self.bursts else { return };
        self.in_burst = !self.in_burst;
        let lasts = if self.in_burst {
            let rate = bursts.transactions_per_s.log_uniform(&mut self.stream);
            self.gap = (self.unit / rate).max(1);
            bursts.duration_ms.log_uniform(&mut self.stream) * 1_000_000
        } else {
            self.gap = self.usual_gap;
            self.stream.exponential(self.burst_gap)
        };
        self.change += lasts.max(1);
    }
}
