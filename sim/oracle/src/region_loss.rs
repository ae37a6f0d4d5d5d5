//! What a destroyed region took with it. At that instant the testbed knows which acknowledged
//! transaction lies on which disk; at the end each one gets its fate.
//!
//! Until the region is sealed the order does not move on behind its last final entry, so being in
//! the merged order says nothing: what counts is whether a copy of the entry lies on a disk that is
//! left. The seal's tail rule (billing.md §7) finds every committed entry that lies on a majority
//! of the nodes of one region.

use crate::catalogue::Promise;
use crate::evidence::DurableLogs;
use crate::facts::Facts;
use crate::promises::d3_exposure_is_exact::Exposed;
use crate::verdicts::Verdicts;
use billing_wire::{
    Frontier, Grade, Hash, LogIndex, NodeId, OpId, Position, RecordView, RegionId, RegionMembers,
};
use std::collections::BTreeSet;

/// A transaction as its client was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The client's session.
    pub session: u32,
    /// The best grade that any of its answers had.
    pub grade: Grade,
    /// The place that its first answer named.
    pub position: Position,
    /// When the first answer arrived, in nanoseconds.
    pub at: u64,
    /// The body that was acknowledged.
    pub(crate) fingerprint: Hash,
}

/// What became of an acknowledged transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is there.
    Kept,
    /// It went with its region; its client was told that it could.
    LostAsGraded,
    /// It is gone and must not be.
    LostOutsideItsGrade,
    /// It has its effect more than once.
    Duplicated,
}

/// An acknowledged transaction and its fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fated {
    /// Which.
    pub op_id: OpId,
    /// As its client was told.
    pub acknowledged: Acknowledgement,
    /// What became of it.
    pub fate: Fate,
}

/// A region at the instant of its destruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destruction {
    /// Which.
    pub region: RegionId,
    /// When, in nanoseconds.
    pub at: u64,
    /// Last index of its log that any node had committed.
    pub committed: LogIndex,
    /// Up to here its log lay synced on a majority of the nodes of one other region.
    pub geo_index: LogIndex,
    /// Up to here each log lay synced on a majority of its own nodes.
    pub held: Frontier,
    /// What its leader said at that instant of what it would lose; of its other nodes the one
    /// that knew most, where none led.
    pub announced: Option<Exposed>,
}

/// All that was destroyed, and the fate of every acknowledged transaction of the run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LossReport {
    /// In the order of time.
    pub destructions: Vec<Destruction>,
    /// In the order of their ids.
    pub fates: Vec<Fated>,
}

impl Destruction {
    /// Looks at the disks at that instant, while the region's own are still there.
    pub(crate) fn note(
        facts: &Facts,
        (region, at): (RegionId, u64),
        announced: Option<Exposed>,
        disks: &dyn DurableLogs,
    ) -> Self {
        let others = || facts.standing().filter(|members| members.region != region);
        let geo = others().map(|members| held_by(facts, region, members, disks)).max();
        let mut held = Frontier::default();
        for own in facts.standing().filter(|members| members.region == region) {
            for log in &facts.genesis.regions {
                held.set(log.region, held_by(facts, log.region, own, disks));
            }
        }
        let committed = facts.log(region).last_index();
        Self { region, at, committed, geo_index: geo.unwrap_or(0), held, announced }
    }
}

/// Whether the committed entry at an index lies on a majority of the nodes of another region than
/// its own, or did when that region was destroyed.
pub(crate) fn lies_elsewhere(
    facts: &Facts,
    region: RegionId,
    index: LogIndex,
    disks: &dyn DurableLogs,
) -> bool {
    let Some(hash) = facts.log(region).hash(index) else { return false };
    let holds = |node: &&NodeId| disks.record_hash(**node, region, index) == Some(*hash);
    let is_majority = |members: &RegionMembers| {
        2 * members.nodes.iter().filter(holds).count() > members.nodes.len()
    };
    let mut others = facts.standing().filter(|members| members.region != region);
    let was_held = |gone: &Destruction| gone.region != region && gone.held.of(region) >= index;
    others.any(is_majority) || facts.destructions.iter().any(was_held)
}

/// Up to here a region log lies synced on a majority of a region's nodes.
fn held_by(
    facts: &Facts,
    region: RegionId,
    members: &RegionMembers,
    disks: &dyn DurableLogs,
) -> LogIndex {
    let log = facts.log(region);
    let copy = |node: &NodeId| {
        let holds = |index: &LogIndex| {
            disks.record_hash(*node, region, *index).is_some_and(|h| log.hash(*index) == Some(&h))
        };
        (1..=log.last_index()).rev().find(holds).unwrap_or(0)
    };
    let mut reached: Vec<LogIndex> = members.nodes.iter().map(copy).collect();
    reached.sort_unstable_by(|a, b| b.cmp(a));
    let mut held = reached.get(members.nodes.len() / 2).copied().unwrap_or(0);
    // What was acknowledged here before anybody knew it to be committed counts as well.
    while held >= log.last_index() && is_same_on_majority(region, held + 1, members, disks) {
        held += 1;
    }
    held
}

/// Whether a majority of a region's nodes has one and the same record there.
fn is_same_on_majority(
    region: RegionId,
    index: LogIndex,
    members: &RegionMembers,
    disks: &dyn DurableLogs,
) -> bool {
    let copies: Vec<Option<Hash>> =
        members.nodes.iter().map(|node| disks.record_hash(*node, region, index)).collect();
    let count = |hash: &Hash| copies.iter().flatten().filter(|copy| *copy == hash).count();
    copies.iter().flatten().any(|hash| 2 * count(hash) > copies.len())
}

/// The fate of every acknowledged transaction; each that is lost outside its grade breaks D2.
pub(crate) fn fates(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    disks: &dyn DurableLogs,
) -> Vec<Fated> {
    let kept = kept(facts, disks);
    let mut fates = Vec::new();
    let bodies = facts.operations.iter().flat_map(|(op_id, known)| {
        known.acknowledged.iter().map(move |acknowledged| (op_id, *acknowledged))
    });
    for (op_id, acknowledged) in bodies {
        let is_kept = kept.contains(&(*op_id, acknowledged.fingerprint));
        let could_go = facts.destructions.iter().any(|gone| {
            gone.region == acknowledged.position.region
                && acknowledged.grade == Grade::Region
                && facts
                    .index_in_present_log(*op_id, &acknowledged.position)
                    .is_none_or(|index| index > gone.geo_index)
        });
        let fate = match (is_kept, could_go) {
            (true, _) if verdicts.accuses("I1", *op_id) => Fate::Duplicated,
            (true, _) => Fate::Kept,
            (false, true) => Fate::LostAsGraded,
            (false, false) => Fate::LostOutsideItsGrade,
        };
        verdicts.check(Promise::D2, at, Some(*op_id), is_kept || could_go, || {
            let Acknowledgement { grade, position, .. } = acknowledged;
            let shape = format!("{grade:?} transaction lost with its region");
            (shape, format!("acknowledged at {position}; no disk that is left has it"))
        });
        if fate == Fate::LostAsGraded {
            was_announced(facts, verdicts, at, *op_id, &acknowledged);
        }
        fates.push(Fated { op_id: *op_id, acknowledged, fate });
    }
    fates
}

/// What is lost with a region was announced by its exposure (D3).
fn was_announced(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    lost: &Acknowledgement,
) {
    let of_region = |gone: &&Destruction| gone.region == lost.position.region;
    let words = facts.destructions.iter().find(of_region).and_then(|gone| gone.announced);
    let Some(word) = words else { return };
    // What a seal left out and nobody has logged again is no part of the log that is exposed.
    let Some(index) = facts.index_in_present_log(op_id, &lost.position) else { return };
    let holds = index > word.safe_up_to();
    verdicts.check(Promise::D3, at, Some(op_id), holds, || {
        let shape = "lost with its region and not in its exposure".to_owned();
        let (said, of) = (word.exposure, word.committed);
        (shape, format!("{}: the region announced {said} of {of} entries", lost.position))
    });
}

/// Every submission of which a committed copy is left: in the log of a region that stands, or on
/// a disk that does.
fn kept(facts: &Facts, disks: &dyn DurableLogs) -> BTreeSet<(OpId, Hash)> {
    let mut kept = BTreeSet::new();
    for members in &facts.genesis.regions {
        let region = members.region;
        let stands = !facts.is_destroyed(region);
        let log = facts.log(region);
        for (bytes, index) in log.records().iter().zip(1..) {
            let is_left = || {
                let nodes = facts.standing().flat_map(|members| &members.nodes);
                let mut copies = nodes.map(|node| disks.record_hash(*node, region, index));
                copies.any(|copy| copy.is_some() && copy.as_ref() == log.hash(index))
            };
            if let Ok(view) = RecordView::decode(bytes)
                && (stands || is_left())
            {
                let submissions = view.submissions().flatten();
                kept.extend(submissions.map(|one| (one.op_id, one.fingerprint)));
            }
        }
    }
    kept
}
