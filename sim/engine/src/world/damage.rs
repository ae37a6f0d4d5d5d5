//! What nodes make of damage: whether they found it, what they took from a damaged disk, what they
//! have after they repaired it.

use super::World;
use super::machine::Machine;
use billing_core::FileName;
use billing_shell::{Directory, Replica};
use billing_wire::RegionId;
use billsim_oracle::evidence::Tail;
use std::collections::BTreeMap;

/// A repaired node has caught up, and taken part in an election, within so many nanoseconds.
const CAUGHT_UP_NS: u64 = 2_000_000_000;

/// Damage that a node will meet when it is opened, by file.
pub(super) type ToFind = BTreeMap<FileName, &'static str>;

impl Machine {
    /// What the next opening may find: of the superblock only what is still there.
    pub(super) fn harm_to_find(&self) -> ToFind {
        let mut disk = self.disk();
        if disk.harmed.is_empty() {
            return ToFind::new();
        }
        let is_rotten = (0..4).any(|slot| !disk.is_slot_good(slot));
        let mut harmed = std::mem::take(&mut disk.harmed);
        harmed.retain(|file, _| *file != FileName::Superblock || is_rotten);
        harmed
    }
}

impl World {
    /// A node was opened: whether it noticed what was damaged.
    pub(super) fn note_damage(&mut self, slot: usize, harmed: ToFind, replica: &Replica) {
        let is_missing = self.repairs(replica);
        self.machines[slot].is_repairing = is_missing;
        if harmed.is_empty() {
            return;
        }
        let directory = crate::disk::DiskHandle::new(&self.machines[slot].disk);
        let files = directory.list().unwrap_or_default();
        for (file, kind) in harmed {
            let is_found = match file {
                FileName::Segment { .. } => is_missing,
                FileName::Ledger => files.contains(&FileName::LedgerAside),
                _ => true,
            };
            if is_found {
                self.tallies.observed(kind);
            } else if file == FileName::Ledger {
                // It may be read any time later.
                self.machines[slot].disk().harmed.insert(file, kind);
            }
        }
    }

    /// A node whose disk is damaged was opened: nothing that was promised may be forgotten (D9),
    /// and nothing that is damaged may be taken (D6).
    pub(super) fn judge_damaged(
        &mut self,
        slot: usize,
        (before, after): (&[Tail], &[Tail]),
        replica: &Replica,
    ) {
        let node = self.machines[slot].node;
        for (place, (before, after)) in before.iter().zip(after).enumerate() {
            let region = RegionId(place as u8);
            let last = replica.node().last_index(region);
            let is_known = last == before.index || replica.node().is_repairing(region);
            let (now, is_kept) = (self.now, after == before && is_known);
            self.jury.reopened_damaged(now, node, *before, (*after, last), is_kept);
            for index in 1..=last {
                let Some(record) = replica.node().record(region, index) else { continue };
                let promised = self.machines[slot].disk().inspector().record_hash(region, index);
                self.jury.taken_from_damaged(now, node, (region, index), record, promised);
            }
        }
    }

    /// Whether a node has a region log that is not whole.
    fn repairs(&self, replica: &Replica) -> bool {
        let mut regions = (0..).map(RegionId).take(self.genesis.regions.len());
        regions.any(|region| replica.node().is_repairing(region))
    }

    /// A node was fed: it may have become whole.
    pub(super) fn note_repair(&mut self, slot: usize, replica: &Replica) {
        if self.machines[slot].is_repairing && !self.repairs(replica) {
            let machine = &mut self.machines[slot];
            machine.is_repairing = false;
            machine.full_until = machine.full_until.max(self.now + CAUGHT_UP_NS);
            self.health_changes();
        }
    }

    /// At the end: what nodes fetched again is what the others have (D6).
    pub(super) fn judge_repaired(&mut self, replicas: &[Option<Replica>]) {
        for replica in replicas.iter().flatten() {
            let status = replica.status();
            if status.repaired_records == 0 {
                continue;
            }
            for (region, last) in (0..).map(RegionId).zip(status.committed.0) {
                for index in 1..=last {
                    let record = replica.node().record(region, index);
                    let bytes = record.map_or(&[][..], |bytes| &bytes[..]);
                    self.jury.repaired(self.now, status.node, (region, index), bytes);
                }
            }
        }
    }

    /// Of nodes that are to be broken, those whose disks nobody needs; another of the region in
    /// the place of one that is needed.
    pub(super) fn without_the_needed(&mut self, broken: Vec<usize>) -> Vec<usize> {
        let is_forgotten = |slot: usize| self.machines[slot].disk().inspector().is_forgotten();
        let all_know = !(0..self.machines.len()).any(is_forgotten);
        if all_know && !self.machines.iter().any(Machine::is_damaged) {
            return broken;
        }
        let size = self.machines.len() / self.available_since.len();
        let mut kept = Vec::new();
        for slot in broken {
            let mut others = self.region_slots(slot / size);
            // One that lost its disk is let in by all others, so it is the one to be broken.
            let free = match others.clone().find(|other| is_forgotten(*other)) {
                Some(forgotten) => Some(forgotten),
                None if !self.is_needed(slot) => Some(slot),
                None => others.find(|other| !self.is_needed(*other)),
            };
            self.spared += u64::from(free.is_none());
            kept.extend(free);
        }
        kept
    }
}
