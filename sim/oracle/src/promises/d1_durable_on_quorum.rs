//! D1: looked at on the disks at the instant at which the acknowledgement leaves its node.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::jury::DurableLogs;
use crate::verdicts::Verdicts;
use billing_wire::{NodeId, Receipt};

pub(crate) const WORDS: &str =
    "when a write is acknowledged, its entry is on the disks of a majority of its region";

pub(crate) fn acknowledgement(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    receipt: &Receipt,
    disks: &dyn DurableLogs,
) {
    let (region, index) = (receipt.position.region, receipt.position.index);
    let operation = Some(receipt.op_id);
    // A follower hands on what the leader told it, so its own commit index may be behind; the
    // leader's is not.
    let reached = facts.log(region).last_index();
    let is_committed = verdicts.check(Promise::D1, at, operation, index <= reached, || {
        let shape = "answer before its entry was committed".to_owned();
        (shape, format!("node {node} answers for index {index}, committed is {reached}"))
    });
    let members = facts.genesis.regions.iter().find(|members| members.region == region);
    let (true, Some(members)) = (is_committed, members) else { return };
    let hash = facts.log(region).hash(index);
    let holds = |node: &&NodeId| disks.record_hash(**node, region, index).as_ref() == hash;
    let copies = members.nodes.iter().filter(holds).count();
    let majority = members.nodes.len() / 2 + 1;
    verdicts.check(Promise::D1, at, operation, hash.is_some() && copies >= majority, || {
        let voters = members.nodes.len();
        let shape = format!("{:?} answer with {copies} of {voters} disks", receipt.grade);
        (shape, format!("node {node} acknowledges {}: durable on {copies} disks", receipt.position))
    });
}
