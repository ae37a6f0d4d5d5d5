//! All oracles together: the engine (or the judge of a real run) tells them what happens, they
//! say which promise broke and how many comparisons they made.

use crate::history::Event;
use billing_wire::{
    Frontier, Genesis, Hash, Hlc, LogIndex, NodeId, OutcomeChain, Receipt, RegionId,
};
use std::collections::BTreeMap;

/// A promise that broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Id of the invariant (`D2`).
    pub oracle: &'static str,
    /// The promise in billing words.
    pub promise: &'static str,
    /// Place and shape without numbers, for grouping (`"answer of grade region, 1 of 3 disks"`).
    pub shape: String,
    /// What was seen, with names and numbers.
    pub detail: String,
    /// The operation, where there is one.
    pub transaction: Option<String>,
    /// When it was seen, in nanoseconds.
    pub at: u64,
}

/// What the oracles came to.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// In the order in which they were seen.
    pub violations: Vec<Violation>,
    /// Comparisons per oracle id.
    pub comparisons: BTreeMap<&'static str, u64>,
}

/// The bytes that would survive a power cut now, parsed by the simulator's own inspector.
pub trait DurableLogs {
    /// Hash of the durable record of a region log at an index on a node's disk, where *durable*
    /// means that recovery would keep it: record synced, and covered by a synced superblock.
    fn record_hash(&self, node: NodeId, region: RegionId, index: LogIndex) -> Option<Hash>;
}

/// Last durable entry of a node's disk at a crash, or of its log after recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its index; 0 for an empty log.
    pub index: LogIndex,
    /// Its hash.
    pub hash: Hash,
}

/// A node at quiescence.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// The node.
    pub node: NodeId,
    /// Folded entries per region.
    pub folded: Frontier,
    /// Committed entries per region.
    pub committed: Frontier,
    /// Finality watermark.
    pub watermark: Hlc,
    /// Chain over everything folded.
    pub outcome_chain: OutcomeChain,
    /// Order-free hash over all ledger rows.
    pub state_hash: u128,
    /// State hash and chain that the node's own fold gives over its log from the start.
    pub refolded: Option<(u128, OutcomeChain)>,
    /// State hash after dropping the database and rebuilding it from the log.
    pub rebuilt: Option<(u128, OutcomeChain)>,
}

/// Every oracle, fed with what happens.
#[derive(Debug)]
pub struct Jury {}

impl Jury {
    /// A jury for one cluster.
    pub fn new(_genesis: &Genesis) -> Self {
        todo!()
    }

    /// A client sent something or has its answer.
    pub fn client(&mut self, _event: &Event) {
        todo!()
    }

    /// A node's commit index passed this record; the bytes are those of its disk.
    pub fn committed(&mut self, _at: u64, _node: NodeId, _record: &[u8]) {
        todo!()
    }

    /// A node has folded up to here. `incarnation` counts the node's starts.
    pub fn folded(
        &mut self,
        _at: u64,
        _node: NodeId,
        _incarnation: u32,
        _frontier: &Frontier,
        _watermark: Hlc,
        _chain: OutcomeChain,
    ) {
        todo!()
    }

    /// An acknowledgement leaves a node for a client (D1).
    pub fn acknowledgement_leaves(
        &mut self,
        _at: u64,
        _node: NodeId,
        _receipt: &Receipt,
        _disks: &dyn DurableLogs,
    ) {
        todo!()
    }

    /// A granted vote leaves a node: term and candidate must be in its durable superblock.
    pub fn vote_leaves(
        &mut self,
        _at: u64,
        _node: NodeId,
        _granted: (u64, NodeId),
        _durable: Option<(u64, NodeId)>,
    ) {
        todo!()
    }

    /// A sync failed on a node; from here on it must not acknowledge before it re-opened (D10).
    pub fn sync_failed(&mut self, _at: u64, _node: NodeId) {
        todo!()
    }

    /// A node was opened from its disk: its log must end exactly where the durable tail of the
    /// crash image ended (D9), and it must fold again from what it kept.
    pub fn reopened(
        &mut self,
        _at: u64,
        _node: NodeId,
        _region: RegionId,
        _disk: Tail,
        _log: Tail,
    ) {
        todo!()
    }

    /// Everything is healed and settled (C1, D2, D4, D7, O4, O6, A9, I1, L5, L8 ...).
    pub fn quiescent(&mut self, _at: u64, _nodes: &[NodeView]) {
        todo!()
    }

    /// Violations so far, without ending the trial: the engine stops at the first.
    pub fn first_violation(&self) -> Option<&Violation> {
        todo!()
    }

    /// The end.
    pub fn finish(self) -> Judgement {
        todo!()
    }
}
