//! What a scenario changes in the configuration of the nodes. Small limits are reached in a
//! minute, so seeds draw them small as well as large.

use super::Between;
use crate::seed::{Purpose, Stream};
use billing_core::Config;
use billing_shell::ScrubPace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What differs from the node's defaults; a seed draws one value for all nodes, log-scaled. The
/// bounds are those of the node's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeOverrides {
    /// Interval of ticks in milliseconds.
    pub tick_ms: Option<Between>,
    /// Ticks between two heart-beats.
    pub heartbeat_ticks: Option<Between>,
    /// Silent ticks before an election.
    pub election_ticks: Option<Between>,
    /// Submissions in one entry.
    pub batch_submissions_max: Option<Between>,
    /// Entries proposed and not yet committed.
    pub uncommitted_entries_max: Option<Between>,
    /// Submissions that wait or are in flight.
    pub in_flight_max: Option<Between>,
    /// Bytes of records in one persist.
    pub persist_bytes_max: Option<Between>,
    /// Bytes after which a log segment is sealed.
    pub segment_bytes: Option<Between>,
    /// Folded submissions after which the ledger is committed to its database.
    pub ledger_commit_submissions: Option<Between>,
    /// Milliseconds after which the ledger is committed to its database.
    pub ledger_commit_ms: Option<Between>,
    /// Clean ledger rows kept in memory.
    pub ledger_cache_rows: Option<Between>,
    /// Milliseconds after which a write is answered `Unknown`.
    pub write_timeout_ms: Option<Between>,
    /// Milliseconds that a leader's clock may be off.
    pub clock_skew_max_ms: Option<Between>,
    /// Milliseconds in which everything that a node keeps is read once to find damage.
    pub scrub_period_ms: Option<Between>,
    /// Bytes that are read so per second.
    pub scrub_bytes_per_s: Option<Between>,
}

/// A stream of its own per key: one more override does not re-roll the others.
fn draw(seed: u64, index: u64, key: Option<Between>) -> Option<u64> {
    key.map(|key| key.log_uniform(&mut Stream::indexed(seed, Purpose::Config, 100 + index)))
}

impl NodeOverrides {
    /// Writes the seed's values into a configuration: every node of the cluster gets the same.
    pub fn apply(&self, seed: u64, config: &mut Config) {
        let draw = |index, key| draw(seed, index, key);
        let whole = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let ticks = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let set = |target: &mut u64, value: Option<u64>| *target = value.unwrap_or(*target);
        let set_whole = |target: &mut usize, value: Option<u64>| {
            *target = value.map_or(*target, whole);
        };
        let set_ticks = |target: &mut u32, value: Option<u64>| {
            *target = value.map_or(*target, ticks);
        };
        set(&mut config.tick_ms, draw(0, self.tick_ms));
        set_ticks(&mut config.heartbeat_ticks, draw(1, self.heartbeat_ticks));
        set_ticks(&mut config.election_ticks, draw(2, self.election_ticks));
        set_whole(&mut config.batch_submissions_max, draw(3, self.batch_submissions_max));
        set_whole(&mut config.uncommitted_entries_max, draw(4, self.uncommitted_entries_max));
        set_whole(&mut config.in_flight_max, draw(5, self.in_flight_max));
        set_whole(&mut config.persist_bytes_max, draw(6, self.persist_bytes_max));
        set(&mut config.segment_bytes, draw(7, self.segment_bytes));
        set_whole(&mut config.ledger_commit_submissions, draw(8, self.ledger_commit_submissions));
        set(&mut config.ledger_commit_ms, draw(9, self.ledger_commit_ms));
        set_whole(&mut config.ledger_cache_rows, draw(10, self.ledger_cache_rows));
        set(&mut config.write_timeout_ms, draw(11, self.write_timeout_ms));
        set(&mut config.clock_skew_max_ms, draw(12, self.clock_skew_max_ms));
    }

    /// How fast the nodes read their disks to find damage.
    pub fn scrub_pace(&self, seed: u64) -> ScrubPace {
        let pace = ScrubPace::default();
        ScrubPace {
            period: draw(seed, 13, self.scrub_period_ms).map_or(pace.period, Duration::from_millis),
            bytes_per_s: draw(seed, 14, self.scrub_bytes_per_s).unwrap_or(pace.bytes_per_s),
        }
    }

    /// Every override with its key, in order.
    pub(super) fn all(&self) -> [(&'static str, Option<Between>); 15] {
        [
            ("tick_ms", self.tick_ms),
            ("heartbeat_ticks", self.heartbeat_ticks),
            ("election_ticks", self.election_ticks),
            ("batch_submissions_max", self.batch_submissions_max),
            ("uncommitted_entries_max", self.uncommitted_entries_max),
            ("in_flight_max", self.in_flight_max),
            ("persist_bytes_max", self.persist_bytes_max),
            ("segment_bytes", self.segment_bytes),
            ("ledger_commit_submissions", self.ledger_commit_submissions),
            ("ledger_commit_ms", self.ledger_commit_ms),
            ("ledger_cache_rows", self.ledger_cache_rows),
            ("write_timeout_ms", self.write_timeout_ms),
            ("clock_skew_max_ms", self.clock_skew_max_ms),
            ("scrub_period_ms", self.scrub_period_ms),
            ("scrub_bytes_per_s", self.scrub_bytes_per_s),
        ]
    }
}
