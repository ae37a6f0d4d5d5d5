//! What a destroyed region took with it. At that instant the testbed knows which acknowledged
//! transaction lies on which disk; at the end each one gets its fate.
//!
//! Until the region is sealed the order does not move on behind its last final entry, so being in
//! the merged order says nothing: what counts is whether a copy of the entry lies on a disk that is
//! left. The seal's tail rule (billing.md §7) finds every committed entry that lies on a majority
//! of the nodes of one region.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::jury::DurableLogs;
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
    pub(crate) fn note(facts: &Facts, region: RegionId, at: u64, disks: &dyn DurableLogs) -> Self {
        let others = || facts.standing().filter(|members| members.region != region);
        let geo = others().map(|members| held_by(facts, region, members, disks)).max();
        let mut held = Frontier::default();
        for own in facts.standing().filter(|members| members.region == region) {
            for log in &facts.genesis.regions {
                held.set(log.region, held_by(facts, log.region, own, disks));
            }
        }
        let committed = facts.log(region).last_index();
        Self { region, at, committed, geo_index: geo.unwrap_or(0), held }
    }
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
    reached.get(members.nodes.len() / 2).copied().unwrap_or(0)
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
    for (op_id, known) in &facts.operations {
        let Some(acknowledged) = known.acknowledged else { continue };
        let is_kept = kept.contains(&(*op_id, acknowledged.fingerprint));
        let could_go = facts.destructions.iter().any(|gone| {
            gone.region == acknowledged.position.region
                && acknowledged.grade == Grade::Region
                && acknowledged.position.index > gone.geo_index
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
        fates.push(Fated { op_id: *op_id, acknowledged, fate });
    }
    fates
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
