//! What a node says of itself: for metrics, `status`, and the oracles. Nothing decides by it.

use super::Node;
use crate::consensus::{Consensus, RegionLog};
use crate::io::Status;
use billing_wire::{Frontier, RegionId};

/// What has happened to the node since it was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Records that were fetched because they were damaged.
    pub(super) repaired_records: u64,
    /// Frames that were dropped.
    pub(super) frames_refused: u64,
}

impl Node {
    /// How far the fold is; cheaper than [`Node::status`].
    pub fn folded(&self) -> Frontier {
        self.ledger.frontier()
    }

    /// Committed entries per region.
    pub fn committed(&self) -> Frontier {
        let mut committed = Frontier::default();
        for (log, place) in self.logs.iter().zip(0..) {
            committed.set(RegionId(place), log.committed());
        }
        committed
    }

    /// Whether something that a client submitted is committed and not final yet.
    fn is_unfinal(&self) -> bool {
        let watermark = self.ledger.watermark();
        self.custodies.iter().any(|custody| custody.last_submissions > watermark)
    }

    /// What the node says of itself.
    pub fn status(&self) -> Status {
        let own = self.own_log();
        let folded = self.ledger.frontier();
        let last_folded = own.window().get(self.ledger.shown().of(self.region));
        Status {
            node: self.config.node,
            role: own.role(),
            leader: own.leader(),
            term: own.term(),
            last_index: own.window().last_index(),
            durable_index: self.writer.durable_index(self.region),
            missing_records: self.logs.iter().map(RegionLog::missing).sum(),
            repaired_records: self.counts.repaired_records,
            frames_refused: self.counts.frames_refused,
            committed: self.committed(),
            is_unfinal: self.is_unfinal(),
            mode: self.custodies[usize::from(self.region.0)].mode,
            exposure: self.exposure(),
            orphans: self.orphans.len() as u64,
            unsealed_promises: self.logs.iter().filter(|log| log.is_fenced()).count() as u64,
            geo_index: self.geo_index(),
            folded,
            folded_term: last_folded.map_or(0, |last| last.header.term),
            watermark: self.ledger.watermark(),
            outcome_chain: self.ledger.outcome_chain(),
            state_hash: self.ledger.state_hash(),
        }
    }
}
