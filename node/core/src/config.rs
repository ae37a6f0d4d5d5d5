//! What an operator may set. Every value has a unit, a default and legal bounds.

use billing_wire::{Genesis, NodeId};
use std::sync::Arc;

/// Configuration of one node. Checked by [`Config::check`] before a node is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// The cluster.
    pub genesis: Arc<Genesis>,
    /// Stream of election timeouts: drawn anew by the shell at each start.
    pub seed: u64,
    /// Interval of [`crate::Input::Tick`] in milliseconds.
    pub tick_ms: u64,
    /// A leader shows itself every so many ticks.
    pub heartbeat_ticks: u32,
    /// A follower stands for election after 1 to 2 times so many silent ticks.
    pub election_ticks: u32,
    /// Submissions that one entry carries at most.
    pub batch_submissions_max: usize,
    /// Entries that are proposed and not yet committed, at most; beyond, writes are shed.
    pub uncommitted_entries_max: usize,
    /// Submissions that wait or are in flight on this node, at most; beyond, writes are shed.
    pub in_flight_max: usize,
    /// Bytes of records that one persist carries at most.
    pub persist_bytes_max: usize,
    /// A log segment is sealed beyond so many bytes.
    pub segment_bytes: u64,
    /// The ledger is committed to its database after so many folded submissions ...
    pub ledger_commit_submissions: usize,
    /// ... or so many milliseconds, whichever is first.
    pub ledger_commit_ms: u64,
    /// Clean ledger rows kept in memory, at most.
    pub ledger_cache_rows: usize,
    /// A write that was not answered after so many milliseconds is answered `Unknown`.
    pub write_timeout_ms: u64,
    /// A region whose log was silent for so many milliseconds while others wait for it appends
    /// `CloseTs`.
    pub close_ts_ms: u64,
    /// A region that made no other region hold its entries for so many milliseconds acknowledges
    /// them alone.
    pub geo_timeout_ms: u64,
    /// It stops doing so when another region was caught up for so many milliseconds.
    pub geo_return_ms: u64,
    /// A region whose leader was heard within so many milliseconds is not sealed.
    pub seal_silence_ms: u64,
    /// A leader whose clock is further from the majority's stops leading (billing.md §2).
    pub clock_skew_max_ms: u64,
    /// Whether refunds are paid out: the host has a payment provider.
    pub pays_refunds: bool,
    /// Whether customers are told of their invoices: the host has a mail service.
    pub sends_notices: bool,
    /// Payouts that a leader has open at the provider, at most.
    pub effects_in_flight_max: usize,
    /// The provider, or the mail service, has so many milliseconds to answer.
    pub effect_timeout_ms: u64,
    /// A payout or a notice that failed is tried again after half to all of so many milliseconds;
    /// twice as many after each further failure ...
    pub effect_retry_ms: u64,
    /// ... up to so many.
    pub effect_retry_max_ms: u64,
    /// The last life of this process ended because the disk was full: set by the shell at each
    /// start.
    pub disk_was_full: bool,
}

/// A configuration value outside its legal bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {found}: {expected} expected")]
pub struct ConfigError {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub found: u64,
    /// What is legal.
    pub expected: &'static str,
}

impl Config {
    /// The defaults for a node of a cluster.
    pub fn new(node: NodeId, genesis: Arc<Genesis>) -> Self {
        Self {
            node,
            genesis,
            seed: 0,
            tick_ms: 50,
            heartbeat_ticks: 2,
            election_ticks: 10,
            batch_submissions_max: 256,
            uncommitted_entries_max: 64,
            in_flight_max: 10_000,
            persist_bytes_max: 1 << 20,
            segment_bytes: 16 << 20,
            ledger_commit_submissions: 20_000,
            ledger_commit_ms: 10_000,
            ledger_cache_rows: 1_000_000,
            write_timeout_ms: 5_000,
            close_ts_ms: 200,
            geo_timeout_ms: 250,
            geo_return_ms: 5_000,
            seal_silence_ms: 5_000,
            clock_skew_max_ms: 500,
            pays_refunds: false,
            sends_notices: false,
            effects_in_flight_max: 16,
            effect_timeout_ms: 2_000,
            effect_retry_ms: 200,
            effect_retry_max_ms: 10_000,
            disk_was_full: false,
        }
    }

    /// The shortest silence after which a follower stands for election, in milliseconds.
    pub fn election_ms(&self) -> u64 {
        self.tick_ms * u64::from(self.election_ticks)
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first value outside its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rules: [(&'static str, u64, u64, u64, &'static str); 16] = [
            ("tick_ms", self.tick_ms, 1, 1_000, "1 to 1000"),
            ("heartbeat_ticks", self.heartbeat_ticks.into(), 1, 100, "1 to 100"),
            ("election_ticks", self.election_ticks.into(), 3, 1_000, "3 to 1000"),
            ("batch_submissions_max", self.batch_submissions_max as u64, 1, 512, "1 to 512"),
            ("uncommitted_entries_max", self.uncommitted_entries_max as u64, 1, 4_096, "1 to 4096"),
            ("in_flight_max", self.in_flight_max as u64, 1, 1_000_000, "1 to 1000000"),
            ("segment_bytes", self.segment_bytes, 4_096, 1 << 30, "4096 to 1073741824"),
            ("close_ts_ms", self.close_ts_ms, 10, 60_000, "10 to 60000"),
            ("geo_timeout_ms", self.geo_timeout_ms, 10, 60_000, "10 to 60000"),
            ("geo_return_ms", self.geo_return_ms, 10, 600_000, "10 to 600000"),
            ("seal_silence_ms", self.seal_silence_ms, 100, 600_000, "100 to 600000"),
            ("effects_in_flight_max", self.effects_in_flight_max as u64, 1, 1_024, "1 to 1024"),
            ("effect_timeout_ms", self.effect_timeout_ms, 10, 60_000, "10 to 60000"),
            ("effect_retry_ms", self.effect_retry_ms, 1, 60_000, "1 to 60000"),
            ("effect_retry_max_ms", self.effect_retry_max_ms, 1, 3_600_000, "1 to 3600000"),
            ("write_timeout_ms", self.write_timeout_ms, 100, 600_000, "100 to 600000"),
        ];
        for (key, found, low, high, expected) in rules {
            if found < low || found > high {
                return Err(ConfigError { key, found, expected });
            }
        }
        if self.election_ticks <= self.heartbeat_ticks {
            let found = self.election_ticks.into();
            let expected = "more than heartbeat_ticks";
            return Err(ConfigError { key: "election_ticks", found, expected });
        }
        Ok(())
    }
}
