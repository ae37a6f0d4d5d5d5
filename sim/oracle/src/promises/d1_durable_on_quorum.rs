//! D1: looked at on the disks at the instant at which the acknowledgement leaves its node.

use crate::catalogue::Promise;
use crate::evidence::DurableLogs;
use crate::facts::Facts;
use crate::region_loss::lies_elsewhere;
use crate::verdicts::Verdicts;
use billing_wire::{Grade, NodeId, Receipt, RegionMembers};

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
    let hash = facts.committed_hash(&receipt.position);
    verdicts.check(Promise::D1, at, operation, hash.is_some(), || {
        let reached = facts.log(region).last_index();
        let shape = "answer before its entry was committed".to_owned();
        (shape, format!("node {node} answers for index {index}, committed is {reached}"))
    });
    let Some(hash) = hash else { return };
    // What a sealed region had is where its chain was found; the seal's own rules speak for it, and
    // these again for what the region logs when it is back.
    if !facts.is_of_present_log(&receipt.position, &hash) {
        return;
    }
    let copies = |members: &RegionMembers| {
        let holds = |node: &&NodeId| disks.record_hash(**node, region, index) == Some(hash);
        let majority = members.nodes.len() / 2 + 1;
        (members.nodes.iter().filter(holds).count(), majority)
    };
    // What a destroyed region held is no more; what is left of it is for the verdict at the end.
    for members in facts.standing().filter(|members| members.region == region) {
        let (found, majority) = copies(members);
        verdicts.check(Promise::D1, at, operation, found >= majority, || {
            let voters = members.nodes.len();
            let shape = format!("{:?} answer with {found} of {voters} disks", receipt.grade);
            let place = receipt.position;
            (shape, format!("node {node} acknowledges {place}: durable on {found} disks"))
        });
    }
    if facts.genesis.regions.len() == 1 || receipt.grade == Grade::Region {
        return;
    }
    // With one region left, final means that the place is.
    let is_of_one_region = facts.finality.is_of_one_region(region, receipt.position.hlc);
    if is_of_one_region && receipt.grade == Grade::Final {
        return;
    }
    let is_geo = lies_elsewhere(facts, region, index, disks);
    verdicts.check(Promise::D1, at, operation, is_geo, || {
        let shape = format!("{:?} answer and no other region holds it", receipt.grade);
        (shape, format!("node {node} acknowledges {}", receipt.position))
    });
}
