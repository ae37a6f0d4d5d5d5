//! D6: what a node takes from a damaged disk is what was promised, and verifies to the last bit;
//! what it fetched in the place of the rest is what the others have. Nothing damaged stays on a
//! disk that a node has read through since damage struck last.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{Hash, LogIndex, NodeId, Position, RecordView, RegionId};

pub(crate) const WORDS: &str =
    "no damaged record is booked, served or passed on; what is repaired is as the others have it";

/// A record's hash, if it verifies.
fn verified(record: &[u8]) -> Option<Hash> {
    let view = RecordView::decode(record).ok()?;
    view.verify_hash().then_some(view.header.hash)
}

/// A node was opened from a damaged disk with this record in its log.
pub(crate) fn taken(
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    (region, index): (RegionId, LogIndex),
    record: &[u8],
    promised: Option<Hash>,
) {
    let found = verified(record);
    verdicts.check(Promise::D6, at, None, found.is_some() && found == promised, || {
        let shape = match found {
            None => "a damaged record was taken",
            Some(_) => "a record was taken that was not promised",
        };
        (shape.to_owned(), format!("node {node}: record {index} of region {region}"))
    });
}

/// A node that repaired its log has the same bytes at a committed place as another node, or not.
pub(crate) fn beside(
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    (region, index): (RegionId, LogIndex),
    is_same: bool,
) {
    verdicts.check(Promise::D6, at, None, is_same, || {
        let shape = "what was repaired differs from another node's".to_owned();
        (shape, format!("node {node}: record {index} of region {region}"))
    });
}

/// A node that repaired its log has this at a place; if that is committed it must be the same.
/// What an earlier leader appended there, and no majority took, may stand there until the present
/// one overwrites it, and with the same stamp: leaders whose clocks are behind the log both stamp
/// the next that there is.
pub(crate) fn repaired(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    (region, index): (RegionId, LogIndex),
    record: &[u8],
) {
    let found = verified(record);
    let is_same = || {
        let Ok(view) = RecordView::decode(record) else { return false };
        let hlc = view.header.hlc;
        let known = facts.committed_hash(&Position { hlc, region, index, ..Position::default() });
        let log = facts.log(region);
        let is_overtaken = || log.stamp(index) == hlc && log.term(index) > Some(view.header.term);
        known.is_none() || known == found || is_overtaken()
    };
    verdicts.check(Promise::D6, at, None, found.is_some() && is_same(), || {
        let shape = "what was repaired is not what the others have".to_owned();
        (shape, format!("node {node}: record {index} of region {region}"))
    });
}

/// A node has read its disk through, and found nothing.
pub(crate) fn scrubbed(verdicts: &mut Verdicts, at: u64, node: NodeId, left: Option<String>) {
    verdicts.check(Promise::D6, at, None, left.is_none(), || {
        let shape = "damage stays on a disk that was read through".to_owned();
        (shape, format!("node {node}: {}", left.unwrap_or_default()))
    });
}
