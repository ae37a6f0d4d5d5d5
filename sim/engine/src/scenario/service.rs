//! The payment provider of a scenario, and its mail service: how they answer, and how they
//! misbehave.

use super::Between;
use crate::seed::{Purpose, Stream};
use billsim_record::PlannedService;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes have refunds paid out here, or customers told of their invoices. Of each kind of
/// misbehaviour half of the seeds have none, the others up to the percentage given, of all calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// One-way latency of a call, in milliseconds; 1 to 60000.
    pub latency_ms: Between,
    /// The same of a slow one.
    pub slow_ms: Between,
    /// Calls that are slow.
    pub slow_percent: u8,
    /// Calls that are refused for now.
    pub refused_percent: u8,
    /// Calls that never arrive.
    pub lost_percent: u8,
    /// Calls that are carried out and never answered.
    pub answer_lost_percent: u8,
    /// Calls that are carried out and answered as if they were refused.
    pub lied_percent: u8,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            latency_ms: Between { min: 5, max: 80 },
            slow_ms: Between { min: 500, max: 8_000 },
            slow_percent: 0,
            refused_percent: 0,
            lost_percent: 0,
            answer_lost_percent: 0,
            lied_percent: 0,
        }
    }
}

/// The streams that say how the payment provider of a seed misbehaves, one after the other per
/// kind.
pub(crate) const STREAMS_OF_PROVIDER: u64 = 4_000;
/// The same of the mail service.
pub(crate) const STREAMS_OF_MAIL: u64 = 4_100;

impl Service {
    /// How it misbehaves in a seed, as these streams say.
    pub(crate) fn plan(&self, seed: u64, streams: u64) -> PlannedService {
        let mut planned = self.worst();
        for ((_, percent), index) in planned.kinds().into_iter().zip(streams..) {
            let mut stream = Stream::indexed(seed, Purpose::Config, index);
            *percent = match stream.below(2) {
                1 if *percent > 0 => stream.range(1, (*percent).into()) as u8,
                _ => 0,
            };
        }
        planned
    }

    /// Every kind as often as it may be.
    pub(crate) fn worst(&self) -> PlannedService {
        PlannedService {
            slow_percent: self.slow_percent,
            refused_percent: self.refused_percent,
            lost_percent: self.lost_percent,
            answer_lost_percent: self.answer_lost_percent,
            lied_percent: self.lied_percent,
        }
    }
}
