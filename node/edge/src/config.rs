//! What an edge knows of its cluster, and every bound of its behaviour with its unit.

use billing_wire::{Genesis, NodeId, RegionId};
use thiserror::Error;

/// Nodes that an edge can tell apart: five regions of seven.
pub const NODES_MAX: usize = 35;
/// Sendings of one request, at most, whatever is configured.
pub const ATTEMPTS_MAX: usize = 8;

/// A region and its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The region.
    pub region: RegionId,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
}

/// How the nearest region is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Nearest {
    /// The first of the sites.
    #[default]
    Configured,
    /// The one whose probes are answered soonest; the order of the sites decides a tie.
    Measured,
}

/// Every bound. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests that are open, at most: P0 may use all of it.
    pub in_flight_max: usize,
    /// Share of it, in percent, beyond which P1 is shed.
    pub second_percent: usize,
    /// Share of it, in percent, beyond which P2 is shed.
    pub third_percent: usize,
    /// Requests of one client per second, in the long run.
    pub client_per_s: u64,
    /// Requests of one client at once.
    pub client_burst: u64,
    /// Clients that are told apart; further ones share one bucket.
    pub clients_max: usize,
    /// Sendings of one request, at most.
    pub attempts_max: usize,
    /// A node that was silent for so long is ejected, and the request is sent elsewhere.
    pub answer_ms: u64,
    /// As `answer_ms`, for a write that waits for a grade; nobody is ejected for it.
    pub patient_answer_ms: u64,
    /// A request that was not answered after so long is answered by the edge itself.
    pub request_ms: u64,
    /// Longest pause before the first retry; it doubles with each further one ...
    pub backoff_first_ms: u64,
    /// ... up to this.
    pub backoff_max_ms: u64,
    /// Retries that each request earns, in percent.
    pub retry_percent: u64,
    /// Retries that are saved up, at most; a fresh edge has them.
    pub retry_reserve: u64,
    /// Retries that are earned per second without any request.
    pub retry_per_s: u64,
    /// Failures in a row after which a node is ejected.
    pub failures_max: u32,
    /// How long an ejected node is left alone at first; it doubles with each failed trial ...
    pub open_first_ms: u64,
    /// ... up to this.
    pub open_max_ms: u64,
    /// Interval of the probes of a node.
    pub probe_ms: u64,
    /// Interval of the probes of an ejected node.
    pub probe_ejected_ms: u64,
    /// A probe that was not answered after so long has failed.
    pub probe_answer_ms: u64,
}

/// A bound outside what is legal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value is out of range.
    #[error("{key} = {found}: {low} to {high} expected")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        found: u64,
        /// The least legal value.
        low: u64,
        /// The greatest legal value.
        high: u64,
    },
    /// There is nobody to send requests to.
    #[error("{found} nodes: 1 to 35 expected")]
    Nodes {
        /// How many there are.
        found: usize,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_max: 4_096,
            second_percent: 80,
            third_percent: 50,
            client_per_s: 500,
            client_burst: 1_000,
            clients_max: 65_536,
            attempts_max: 6,
            answer_ms: 1_000,
            patient_answer_ms: 6_000,
            request_ms: 10_000,
            backoff_first_ms: 25,
            backoff_max_ms: 1_000,
            retry_percent: 20,
            retry_reserve: 100,
            retry_per_s: 10,
            failures_max: 3,
            open_first_ms: 1_000,
            open_max_ms: 8_000,
            probe_ms: 5_000,
            probe_ejected_ms: 1_000,
            probe_answer_ms: 1_000,
        }
    }
}

impl Limits {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first value outside its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rules: [(&'static str, u64, u64, u64); 19] = [
            ("in_flight_max", self.in_flight_max as u64, 1, 65_536),
            ("second_percent", self.second_percent as u64, 1, 100),
            ("third_percent", self.third_percent as u64, 1, 100),
            ("client_per_s", self.client_per_s, 1, 1_000_000),
            ("client_burst", self.client_burst, 1, 1_000_000),
            ("clients_max", self.clients_max as u64, 1, 1 << 24),
            ("attempts_max", self.attempts_max as u64, 1, ATTEMPTS_MAX as u64),
            ("answer_ms", self.answer_ms, 10, 600_000),
            ("patient_answer_ms", self.patient_answer_ms, 10, 600_000),
            ("request_ms", self.request_ms, 10, 600_000),
            ("backoff_first_ms", self.backoff_first_ms, 1, 60_000),
            ("backoff_max_ms", self.backoff_max_ms, 1, 60_000),
            ("retry_percent", self.retry_percent, 0, 100),
            ("retry_reserve", self.retry_reserve, 0, 1_000_000),
            ("retry_per_s", self.retry_per_s, 0, 1_000_000),
            ("failures_max", self.failures_max.into(), 1, 1_000),
            ("open_first_ms", self.open_first_ms, 1, 600_000),
            ("open_max_ms", self.open_max_ms, 1, 600_000),
            ("probe_ms", self.probe_ms, 10, 600_000),
        ];
        let probes = [
            ("probe_ejected_ms", self.probe_ejected_ms, 10, 600_000),
            ("probe_answer_ms", self.probe_answer_ms, 10, 600_000),
        ];
        for (key, found, low, high) in rules.into_iter().chain(probes) {
            if found < low || found > high {
                return Err(ConfigError::OutOfRange { key, found, low, high });
            }
        }
        Ok(())
    }
}

impl Site {
    /// The regions of a cluster, `home` first, then in the cluster's order.
    pub fn of(genesis: &Genesis, home: RegionId) -> Vec<Self> {
        let (near, far): (Vec<_>, Vec<_>) =
            genesis.regions.iter().partition(|members| members.region == home);
        let site = |members: &billing_wire::RegionMembers| Self {
            region: members.region,
            nodes: members.nodes.clone(),
        };
        near.into_iter().chain(far).map(site).collect()
    }
}
