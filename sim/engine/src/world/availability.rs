//! When a healthy majority is connected: the condition under which the cluster owes its clients
//! success (L1).

use super::machine::{Machine, Power};
use super::port::REGION;
use super::{Phase, World};
use crate::disk::DiskFaults;

impl World {
    /// Follows whether a healthy majority is connected; tells the oracles when it was.
    pub(super) fn watch_availability(&mut self) {
        match (self.available_since, self.is_available()) {
            (None, true) => self.available_since = Some(self.now),
            (Some(_), false) => self.close_availability(),
            _ => {}
        }
    }

    /// The condition ends now, or the run does.
    pub fn close_availability(&mut self) {
        if let Some(since) = self.available_since.take() {
            self.jury.availability_window(REGION, since, self.now);
        }
    }

    /// A majority is well, nobody is half well, and the links are clean and carry nothing from
    /// when they were not: what a dead leader said long ago holds up an election. Only while
    /// there is load: in the later phases a few clients finish what is left, each at its pace.
    fn is_available(&self) -> bool {
        if self.phase != Phase::Safety || !self.links.are_drained(self.now) {
            return false;
        }
        let mut well = 0;
        for machine in &self.machines {
            match machine.power {
                // A node whose disk stands still counts as a node that is down.
                Power::Up if is_well(machine) => {
                    well += usize::from(machine.disk().faults.stalled_until <= self.now);
                }
                Power::Up => return false,
                Power::Down | Power::Paused(_) => {}
            }
        }
        2 * well > self.machines.len()
    }
}

fn is_well(machine: &Machine) -> bool {
    let DiskFaults { write_fails, sync_fails, slow, stalled_until: _, power_cut_at } =
        machine.disk().faults;
    machine.isolated == 0
        && machine.client_cuts == 0
        && machine.clock.is_true()
        && write_fails + sync_fails + slow + power_cut_at == 0
}
