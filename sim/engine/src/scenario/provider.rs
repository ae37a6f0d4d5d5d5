//! The payment provider of a scenario: how it answers, and how it misbehaves.

use super::Between;
use crate::seed::{Purpose, Stream};
use billsim_record::PlannedProvider;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes have refunds paid out here. Of each kind of misbehaviour half of the seeds have none, the
/// others up to the percentage given, of all calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
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
    /// Calls that are paid and never answered.
    pub answer_lost_percent: u8,
    /// Calls that are paid and answered as if they were refused.
    pub lied_percent: u8,
}

impl Default for Provider {
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

/// The stream that says how the provider of a seed misbehaves.
const STREAM: u64 = 4_000;

impl Provider {
    /// How it misbehaves in a seed.
    pub(crate) fn plan(&self, seed: u64) -> PlannedProvider {
        let mut planned = self.worst();
        for ((_, percent), index) in planned.kinds().into_iter().zip(STREAM..) {
            let mut stream = Stream::indexed(seed, Purpose::Config, index);
            *percent = match stream.below(2) {
                1 if *percent > 0 => stream.range(1, (*percent).into()) as u8,
                _ => 0,
            };
        }
        planned
    }

    /// Every kind as often as it may be.
    pub(crate) fn worst(&self) -> PlannedProvider {
        PlannedProvider {
            slow_percent: self.slow_percent,
            refused_percent: self.refused_percent,
            lost_percent: self.lost_percent,
            answer_lost_percent: self.answer_lost_percent,
            lied_percent: self.lied_percent,
        }
    }
}
