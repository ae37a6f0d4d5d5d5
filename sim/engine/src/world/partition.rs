//! Cuts between regions that are all whole: the condition under which each of them owes its
//! clients success by itself (L3), and all of them one order soon after (L4).
//!
//! A window counts only while nothing else is wrong anywhere; the first other fault, death or seal
//! ends it, and what was to be judged behind it is not compared.

use super::{Phase, World};
use billsim_record::Fault;

const MS: u64 = 1_000_000;
/// What struck before a cut is over this long after it ended: a region may have to elect first
/// (L1), in nanoseconds.
const SETTLES_NS: u64 = 3_000 * MS;
/// From the end of `geo_timeout` until every node knows that its region serves alone: ticks and a
/// round within the region, in nanoseconds.
const MARGIN_NS: u64 = 250 * MS;

/// Regions that do not hear each other.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Since when, while any cut is in force.
    since: Option<u64>,
    /// The regions have been whole for the whole of it.
    is_clean: bool,
    /// From here on each region owes success.
    owes_from: Option<u64>,
}

impl World {
    /// Something else than a cut between regions begins or ends.
    pub(super) fn note_trouble_of(&mut self, fault: &Fault) {
        if !matches!(fault, Fault::RegionCut { .. }) {
            self.note_trouble();
        }
    }

    /// Something else than a cut between regions went wrong or came right.
    pub(super) fn note_trouble(&mut self) {
        self.trouble_at = self.now;
        self.partition.is_clean = false;
        self.close_partition();
        self.jury.disturbed(self.now);
    }

    /// A cut began or ended.
    pub(super) fn watch_partition(&mut self) {
        match (self.partition.since, self.is_cut()) {
            (None, true) => {
                self.jury.disturbed(self.now);
                self.jury.parted();
                let is_clean = self.is_whole() && self.settled_at() <= self.now;
                let geo_timeout_ns = self.machines[0].config().geo_timeout_ms * MS;
                let owes_from = is_clean.then_some(self.now + geo_timeout_ns + MARGIN_NS);
                self.partition = Partition { since: Some(self.now), is_clean, owes_from };
            }
            (Some(since), false) => {
                self.close_partition();
                self.partition.since = None;
                if self.partition.is_clean && self.is_whole() {
                    self.jury.reunited(self.now, self.now - since);
                }
            }
            _ => {}
        }
    }

    fn close_partition(&mut self) {
        if let Some(from) = self.partition.owes_from.take()
            && from < self.now
        {
            self.jury.partition_window(from, self.now);
        }
    }

    fn is_cut(&self) -> bool {
        self.cuts_in_force().next().is_some()
    }

    fn cuts_in_force(&self) -> impl Iterator<Item = &Fault> {
        let planned = self.plan.faults.iter().zip(&self.in_force);
        let in_force = planned.filter(|(_, in_force)| **in_force);
        let faults = in_force.map(|(planned, _)| &planned.fault);
        faults.filter(|fault| matches!(fault, Fault::RegionCut { .. }))
    }

    /// Since when what struck before has been over.
    fn settled_at(&self) -> u64 {
        (self.trouble_at + SETTLES_NS).max(self.links.late_until())
    }

    /// Every node of every region runs, and no fault is in force but cuts between regions.
    fn is_whole(&self) -> bool {
        let in_force = self.in_force.iter().filter(|in_force| **in_force).count();
        self.phase == Phase::Safety
            && self.sealed.is_empty()
            && self.destroyed.is_empty()
            && in_force == self.cuts_in_force().count()
            && self
                .machines
                .iter()
                .all(|machine| machine.is_running() && machine.stopping.is_none())
    }
}
