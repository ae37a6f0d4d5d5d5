//! Clients talk to one edge per region, and what differs from its defaults.

use super::Between;
use crate::seed::{Purpose, Stream};
use billing_edge::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What differs from the edge's defaults; a seed draws one value for all edges, log-scaled. The
/// bounds are those of the edge's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeOverrides {
    /// Requests that are open, at most.
    pub in_flight_max: Option<Between>,
    /// Requests of one client per second.
    pub client_per_s: Option<Between>,
    /// Requests of one client at once.
    pub client_burst: Option<Between>,
    /// Sendings of one request.
    pub attempts_max: Option<Between>,
    /// Retries that are saved up.
    pub retry_reserve: Option<Between>,
    /// Milliseconds between two probes of a node.
    pub probe_ms: Option<Between>,
}

impl EdgeOverrides {
    /// Every key with its override.
    pub fn all(&self) -> [(&'static str, Option<Between>); 6] {
        [
            ("in_flight_max", self.in_flight_max),
            ("client_per_s", self.client_per_s),
            ("client_burst", self.client_burst),
            ("attempts_max", self.attempts_max),
            ("retry_reserve", self.retry_reserve),
            ("probe_ms", self.probe_ms),
        ]
    }

    /// Writes the seed's values into the limits of every edge.
    pub fn apply(&self, seed: u64, limits: &mut Limits) {
        // A stream of its own per key: one more override does not re-roll the others.
        let draws = (0_u64..).zip(self.all()).map(|(place, (_, key))| {
            key.map(|k| k.log_uniform(&mut Stream::indexed(seed, Purpose::Config, 200 + place)))
        });
        let draws: Vec<Option<u64>> = draws.collect();
        let whole = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        limits.in_flight_max = draws[0].map_or(limits.in_flight_max, whole);
        limits.client_per_s = draws[1].unwrap_or(limits.client_per_s);
        limits.client_burst = draws[2].unwrap_or(limits.client_burst);
        limits.attempts_max = draws[3].map_or(limits.attempts_max, whole);
        limits.retry_reserve = draws[4].unwrap_or(limits.retry_reserve);
        limits.probe_ms = draws[5].unwrap_or(limits.probe_ms);
    }
}
