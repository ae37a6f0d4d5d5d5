//! What nodes make of damage: whether they found it, what they took from a damaged disk, what they
//! have after they repaired it.

use super::World;
use super::machine::Machine;
use billing_core::{FileName, Node, Status};
use billing_shell::{Directory, Replica};
use billing_wire::{Hash, LogIndex, RecordView, RegionId};
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
        if is_missing && self.machines[slot].disk().take_found_lie() {
            self.tallies.observed("lying-sync");
        }
        self.machines[slot].is_repairing = is_missing;
        self.machines[slot].repairing = self.repairing(replica).collect();
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
            self.machines[slot].has_refilled |= is_found && file == FileName::Ledger;
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
                let promised = self.promised(slot, (region, index), record, replica.node());
                self.jury.taken_from_damaged(now, node, (region, index), record, promised);
            }
        }
    }

    /// What a disk promised at a place. What stands before a hole is not certain before that is
    /// filled: where the segment that replaced it lost its header, it may be what was replaced.
    fn promised(
        &self,
        slot: usize,
        (region, index): (RegionId, LogIndex),
        record: &[u8],
        node: &Node,
    ) -> Option<Hash> {
        let disk = self.machines[slot].disk();
        let found = RecordView::decode(record).ok().map(|view| view.header.hash);
        let was_there = |hash: &Hash| disk.promised().has_anywhere(region, index, *hash);
        let replaced = found.filter(|hash| node.is_repairing(region) && was_there(hash));
        replaced.or_else(|| disk.promised().record_hash(region, index))
    }

    /// Whether a node has a region log that is not whole.
    fn repairs(&self, replica: &Replica) -> bool {
        self.repairing(replica).next().is_some()
    }

    /// The region logs of a node that are not whole.
    fn repairing(&self, replica: &Replica) -> impl Iterator<Item = RegionId> {
        let regions = (0..).map(RegionId).take(self.genesis.regions.len());
        regions.filter(|region| replica.node().is_repairing(*region))
    }

    /// A node was fed: it may have become whole. Before anything is made of what it fetched, that
    /// must be what the others have (D6).
    pub(super) fn note_repair(&mut self, slot: usize, replica: &Replica) {
        if !self.machines[slot].is_repairing {
            return;
        }
        let node = replica.node();
        let whole: Vec<RegionId> = self.machines[slot]
            .repairing
            .extract_if(.., |region| !node.is_repairing(*region))
            .collect();
        for region in whole {
            if self.machines[slot].set_back.is_none() {
                self.machines[slot].disk().excuse_up_to(region, 0);
            }
            for index in 1..=node.last_index(region) {
                let bytes = node.record(region, index).map_or(&[][..], |bytes| &bytes[..]);
                self.jury.repaired(self.now, node.id(), (region, index), bytes);
            }
        }
        if !self.repairs(replica) {
            let machine = &mut self.machines[slot];
            machine.is_repairing = false;
            machine.full_until = machine.full_until.max(self.now + CAUGHT_UP_NS);
            self.health_changes();
        }
    }

    /// At the end: what nodes fetched again is what the others have, byte for byte (D6).
    pub(super) fn judge_repaired(&mut self, replicas: &[Option<Replica>]) {
        let alive: Vec<(&Replica, Status)> =
            replicas.iter().flatten().map(|replica| (replica, replica.status())).collect();
        for (replica, status) in &alive {
            if status.repaired_records == 0 {
                continue;
            }
            for (region, last) in (0..).map(RegionId).zip(status.committed.0) {
                for index in 1..=last {
                    let record = replica.node().record(region, index);
                    let bytes = record.map_or(&[][..], |bytes| &bytes[..]);
                    let place = (region, index);
                    self.jury.repaired(self.now, status.node, place, bytes);
                    let has_it = |(_, other): &&(&Replica, Status)| {
                        other.node != status.node && other.committed.of(region) >= index
                    };
                    let mut others = alive.iter().filter(has_it);
                    let other = others.find_map(|(other, _)| other.node().record(region, index));
                    if let Some(other) = other {
                        self.jury.repaired_beside(self.now, status.node, place, bytes, other);
                    }
                }
            }
        }
    }

    /// Of nodes that are to be broken, those whose disks nobody needs; another of the region in
    /// the place of one that is needed.
    pub(super) fn without_the_needed(&mut self, broken: Vec<usize>) -> Vec<usize> {
        let is_forgotten = |slot: usize| {
            let machine = &self.machines[slot];
            let knows = machine.set_back.is_some() || machine.disk().promised().is_forgotten();
            // One that has not been opened since will be told.
            knows || self.forgot(slot)
        };
        let forgotten: Vec<bool> = (0..self.machines.len()).map(is_forgotten).collect();
        if !forgotten.contains(&true) && !self.machines.iter().any(Machine::is_damaged) {
            return broken;
        }
        let mut kept = Vec::new();
        for slot in broken {
            let mut others = self.slots_beside(slot);
            // One that lost its disk is let in by all others, so it is the one to be broken.
            let free = match others.clone().find(|other| forgotten[*other]) {
                found @ Some(_) => found,
                None if !self.is_needed(slot) => Some(slot),
                None => others.find(|other| !self.is_needed(*other)),
            };
            self.spared += u64::from(free.is_none());
            kept.extend(free);
        }
        kept
    }
}
