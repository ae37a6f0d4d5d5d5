//! When a healthy majority is connected: the condition under which the cluster owes its clients
//! success (L1).

use super::machine::{Machine, Power};
use super::{Phase, World};
use crate::disk::DiskFaults;
use billing_wire::RegionId;
use std::ops::Range;

impl World {
    /// Faults, machines or the phase may have changed: availability is looked at again with the
    /// next event. A look at each event would cost a tenth of a run.
    pub(super) fn health_changes(&mut self) {
        self.look_at_health_at = 0;
    }

    /// Follows where a healthy majority is connected; tells the oracles when it was.
    pub(super) fn watch_availability(&mut self) {
        if self.now < self.look_at_health_at {
            return;
        }
        self.look_at_health_at = self.health_changes_by_itself();
        for region in self.regions() {
            let well = self.well_slots(region);
            let is_one_lost = self.well_slots[region].iter().any(|slot| !well.contains(slot));
            match (self.available_since[region], well.is_empty()) {
                (None, false) => self.available_since[region] = Some(self.now),
                (Some(_), true) => self.close_availability_of(region),
                (Some(_), false) if is_one_lost => {
                    self.jury.node_lost(RegionId(region as u8), self.now);
                }
                _ => {}
            }
            self.well_slots[region] = well;
        }
    }

    /// The run ends now.
    pub fn close_availability(&mut self) {
        for region in self.regions() {
            self.close_availability_of(region);
        }
    }

    fn close_availability_of(&mut self, region: usize) {
        if let Some(since) = self.available_since[region].take() {
            self.jury.availability_window(RegionId(region as u8), since, self.now);
        }
    }

    /// A majority of the region is well, nobody is half well, and its links are clean and carry
    /// nothing from when they were not: what a dead leader said long ago holds up an election.
    /// Only while there is load: in the later phases a few clients finish what is left, each at
    /// its pace. What happens between regions is no excuse. Returns who is well; nobody where it
    /// is no majority.
    fn well_slots(&self, region: usize) -> Vec<usize> {
        let is_sealed = self.sealed.contains(&RegionId(region as u8));
        let is_drained = || self.links.are_drained(self.now, region);
        if self.phase != Phase::Safety || is_sealed || !is_drained() {
            return Vec::new();
        }
        let mut well = Vec::new();
        let slots = self.region_slots(region);
        let size = slots.len();
        for slot in slots {
            let machine = &self.machines[slot];
            match machine.power {
                // The others have to do without it from the moment that it is asked to stop.
                Power::Up if machine.stopping.is_some() => {}
                // A node whose disk stands still counts as a node that is down.
                // A disk that was found full keeps its node apart for a while.
                Power::Up if machine.full_until > self.now => return Vec::new(),
                Power::Up if machine.is_repairing => return Vec::new(),
                // So does one whose disk still works at what began while it was slow.
                Power::Up if is_well(machine) => {
                    if machine.disk().is_free_from() <= self.now {
                        well.push(slot);
                    }
                }
                Power::Up => return Vec::new(),
                Power::Down | Power::Paused(_) => {}
            }
        }
        if 2 * well.len() > size { well } else { Vec::new() }
    }

    /// When something ends next that ends by itself: late frames on clean links, a disk's stall and
    /// what it holds up.
    fn health_changes_by_itself(&self) -> u64 {
        let disks = || self.machines.iter().map(Machine::disk);
        let stalls = disks().map(|disk| disk.faults.stalled_until);
        let stalls = stalls.chain(disks().map(|disk| disk.held_up_until));
        let full = self.machines.iter().map(|machine| machine.full_until);
        let ends = stalls.chain(full).chain(self.links.late_on_clean());
        ends.filter(|end| *end > self.now).min().unwrap_or(u64::MAX)
    }

    /// The numbers of the regions.
    pub(super) fn regions(&self) -> Range<usize> {
        0..self.available_since.len()
    }

    /// The slots of a region's machines.
    pub(super) fn region_slots(&self, region: usize) -> Range<usize> {
        let size = self.region_size();
        region * size..(region + 1) * size
    }

    /// The slots of all machines of a machine's region, its own among them.
    pub(super) fn slots_beside(&self, slot: usize) -> Range<usize> {
        self.region_slots(slot / self.region_size())
    }

    /// Machines of each region.
    fn region_size(&self) -> usize {
        self.machines.len() / self.available_since.len()
    }
}

fn is_well(machine: &Machine) -> bool {
    let DiskFaults {
        write_fails,
        sync_fails,
        slow,
        region_slow,
        stalled_until: _,
        power_cut_at,
        bytes_left,
    } = machine.disk().faults;
    machine.isolated == 0
        && machine.client_cuts == 0
        && machine.clock.is_true()
        && bytes_left.is_none()
        && write_fails + sync_fails + slow + region_slow + power_cut_at == 0
}
