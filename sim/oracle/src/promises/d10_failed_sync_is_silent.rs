//! D10: after a failed sync the page cache may lie, so a node says nothing more until it has
//! opened its disk anew.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use billing_wire::{NodeId, OpId};
use std::collections::BTreeSet;

pub(crate) const WORDS: &str =
    "after a failed sync a node acknowledges nothing before it has read its disk again";

/// Nodes whose disk failed to sync since they were opened.
#[derive(Debug, Default)]
pub(crate) struct FailedSyncs {
    failed: BTreeSet<NodeId>,
}

impl FailedSyncs {
    pub(crate) fn failed(&mut self, node: NodeId) {
        self.failed.insert(node);
    }

    pub(crate) fn reopened(&mut self, node: NodeId) {
        self.failed.remove(&node);
    }

    /// An acknowledgement or a vote leaves.
    pub(crate) fn leaves(
        &self,
        verdicts: &mut Verdicts,
        at: u64,
        node: NodeId,
        operation: Option<OpId>,
    ) {
        let silent = !self.failed.contains(&node);
        verdicts.check(Promise::D10, at, operation, silent, || {
            let what = if operation.is_some() { "acknowledgement" } else { "vote" };
            let detail = format!("node {node} sends it and has not re-opened its disk");
            (format!("{what} after a failed sync"), detail)
        });
    }
}
