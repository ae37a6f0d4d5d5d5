//! O8: what a node shows as final lies on the disks of another region. Looked at once per entry,
//! when the first node folds it for good; answers are looked at by D1. And an answer that says
//! final is about an entry whose place in the merged order nothing can change any more.

use crate::catalogue::Promise;
use crate::evidence::DurableLogs;
use crate::facts::Facts;
use crate::region_loss::lies_elsewhere;
use crate::verdicts::Verdicts;
use billing_wire::{Frontier, Grade, NodeId, Receipt};

pub(crate) const WORDS: &str = "what is final survives the loss of any one region";

/// How far each log was looked at.
#[derive(Debug, Default)]
pub(crate) struct Finals {
    looked_at: Frontier,
}

impl Finals {
    /// A node has folded up to here for good.
    pub(crate) fn folded(
        &mut self,
        facts: &Facts,
        verdicts: &mut Verdicts,
        at: u64,
        node: NodeId,
        frontier: &Frontier,
        disks: &dyn DurableLogs,
    ) {
        if facts.genesis.regions.len() == 1 {
            return;
        }
        for region in facts.genesis.regions.iter().map(|members| members.region) {
            let index = frontier.of(region);
            if index <= self.looked_at.of(region) || facts.log(region).hash(index).is_none() {
                continue;
            }
            self.looked_at.set(region, index);
            let hlc = facts.log(region).stamp(index);
            let holds = facts.finality.is_of_one_region(region, hlc)
                || lies_elsewhere(facts, region, index, disks);
            verdicts.check(Promise::O8, at, None, holds, || {
                let shape = "final and on the disks of one region only".to_owned();
                (shape, format!("node {node}: entry {index} of region {region} is final"))
            });
        }
    }
}

/// An acknowledgement leaves a node.
pub(crate) fn acknowledgement(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    receipt: &Receipt,
) {
    if facts.genesis.regions.len() == 1 || receipt.grade != Grade::Final {
        return;
    }
    let has_place = facts.finality.has_place(&receipt.position);
    verdicts.check(Promise::O8, at, Some(receipt.op_id), has_place, || {
        let shape = "called final while its place may change".to_owned();
        (shape, format!("node {node} acknowledges {}", receipt.position))
    });
}
