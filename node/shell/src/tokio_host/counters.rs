//! What the host counts, for `/metrics`: the node itself only tells its state.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of every [`Histogram`], in microseconds.
pub const HISTOGRAM_BOUNDS_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Durations by bucket; the last bucket has no bound.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; HISTOGRAM_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let us = duration.as_micros() as u64;
        let bucket = HISTOGRAM_BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// How many fell into each bucket; not cumulative.
    pub fn counts(&self) -> [u64; HISTOGRAM_BOUNDS_US.len() + 1] {
        std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed))
    }

    /// Sum of all durations in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Relaxed)
    }
}

/// Counted since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames handed to a connection.
    pub frames_sent: AtomicU64,
    /// Frames dropped because a peer's queue was full or the peer was away.
    pub frames_dropped: AtomicU64,
    /// Frames received.
    pub frames_received: AtomicU64,
    /// Connections to peers made.
    pub connections_made: AtomicU64,
    /// How long persists took.
    pub persist: Histogram,
    /// How long ledger commits took.
    pub ledger_commit: Histogram,
    /// How often the node was dropped and opened again.
    pub halts: AtomicU64,
    /// Bytes that were read in order to find damage.
    pub scrubbed_bytes: AtomicU64,
    /// How often everything was read.
    pub scrub_passes: AtomicU64,
    /// Damaged files that were found so.
    pub scrub_findings: AtomicU64,
    /// Archives that were begun.
    pub archive_runs: AtomicU64,
    /// Those that failed, or did not get everything.
    pub archive_failures: AtomicU64,
    /// Bytes of objects that were put into the archive.
    pub archived_bytes: AtomicU64,
    /// When the archive last had everything, by its newest manifest, in ms since 1970; 0: unknown.
    pub archive_complete_ms: AtomicU64,
    /// Up to here it can be restored, in ms since 1970.
    pub archive_watermark_ms: AtomicU64,
    /// Payouts that the payment provider was asked for.
    pub payouts_called: AtomicU64,
    /// Those that it said it paid, now or before.
    pub payouts_paid: AtomicU64,
    /// Those that it refused for now.
    pub payouts_refused: AtomicU64,
    /// Those of which nobody knows.
    pub payouts_unknown: AtomicU64,
    /// Notices that the mail service was asked to send.
    pub notices_called: AtomicU64,
    /// Those that it took.
    pub notices_taken: AtomicU64,
    /// Those that it refused, or did not answer.
    pub notices_failed: AtomicU64,
    /// Requests that wait for an answer now.
    pub requests_open: AtomicU64,
}
