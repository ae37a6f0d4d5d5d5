//! What the oracles are shown of disks and nodes, and what they say of it.

use billing_wire::{
    AccountId, Frontier, Hash, Hlc, LogIndex, NodeId, OpId, OutcomeChain, Query, QueryResult,
    RegionId,
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
    /// How long each client behind an edge waited after its region was gone, in nanoseconds.
    pub waited: Vec<u64>,
    /// What followed each cut between regions that were whole, in order.
    pub reunions: Vec<Reunion>,
    /// What regions did while they were cut off from each other.
    pub apart: Apart,
}

/// Regions that hear each other again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reunion {
    /// How long they had not, in nanoseconds.
    pub apart_ns: u64,
    /// After so many nanoseconds every node had one order again of all that was logged before.
    pub caught_up_ns: u64,
    /// No region changed its leader since the cut began.
    pub leaders_stand: bool,
}

/// What regions did alone, all of them being whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apart {
    /// Payments per region that were owed success.
    pub payments: Vec<u64>,
    /// Payments that more than one region acknowledged meanwhile.
    pub paid_in_two_regions: u64,
}

/// The bytes that would survive a power cut now, parsed by the simulator's own inspector.
pub trait DurableLogs {
    /// Hash of the durable record of a region log at an index on a node's disk, where *durable*
    /// means that recovery would keep it: record synced, and covered by a synced superblock.
    fn record_hash(&self, node: NodeId, region: RegionId, index: LogIndex) -> Option<Hash>;
}

/// A payout as a node asks for it, and as the bank is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payout {
    /// What the bank knows it by.
    pub key: OpId,
    /// The refund.
    pub refund: OpId,
    /// Whose it is.
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
}

/// Last durable entry of a node's disk at a crash, or of its log after recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its index; 0 for an empty log.
    pub index: LogIndex,
    /// Its hash.
    pub hash: Hash,
}

/// What the nodes that live at quiescence would answer.
pub trait Books {
    /// A node's answer now; `None`: it has none.
    fn answer(&self, node: NodeId, query: &Query) -> Option<QueryResult>;
}

/// A ledger in three integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerView {
    /// Order-free hash over all rows.
    pub state_hash: u128,
    /// Chain over everything folded.
    pub outcome_chain: OutcomeChain,
    /// Finality watermark.
    pub watermark: Hlc,
}

/// An archive that was restored.
#[derive(Debug, Clone, Copy)]
pub struct Restoration {
    /// Up to here everything was to be restored.
    pub claimed: Hlc,
    /// What was restored.
    pub frontier: Frontier,
    /// Chain over everything restored.
    pub outcome_chain: OutcomeChain,
    /// Order-free hash over all rows.
    pub state_hash: u128,
    /// Sum over the general ledger.
    pub balance: i128,
    /// What a node has that was opened there.
    pub opened: LedgerView,
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
    /// Its ledger.
    pub ledger: LedgerView,
    /// What the node's own fold gives over its log from the start.
    pub refolded: Option<LedgerView>,
    /// What its database gives with the rest of the log; or why it is not to be believed.
    pub resumed: Option<Result<LedgerView, String>>,
    /// What the node's own merge and fold gives where its logs arrive in other orders.
    pub rearranged: Vec<LedgerView>,
    /// What another node has whose database was dropped and rebuilt from the log.
    pub rebuilt: Option<LedgerView>,
}
