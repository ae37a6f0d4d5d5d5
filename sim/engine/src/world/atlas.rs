//! The atlas: where on which disks damage may strike, so that what was promised to survive does.
//! Of each record of a region log that any node holds durably at least one good copy stays in
//! reach, and one of the two copies of each superblock. A ledger database is made of nothing that
//! the log does not hold, so it may be damaged anywhere.
//!
//! A strike that would break this contract does not take place. It hits what the disk holds, under
//! a running node as well: that finds it when it reads it again.

use super::astray::class;
use super::machine::{Machine, Power};
use super::{Todo, World, own_stream};
use crate::disk::inspector::Placed;
use crate::disk::{DiskFaults, Harm};
use crate::seed::{Purpose, Stream};
use billing_core::FileName;
use billing_core::journal::{GENERATION_MAX, first_steps_of_lost};
use billing_wire::{LogIndex, RegionId};
use billsim_record::Fault;
use std::ops::Range;
use std::sync::Arc;

/// Where the streams of strikes begin, one for each planned fault.
const STRIKES: u64 = 5_000;
/// Each superblock file has so many slots, in pairs, so far apart in bytes.
const SLOTS: u64 = 4;
const SLOT_BYTES: u64 = 4_096;
/// What of a slot is read.
const SLOT_USED: u64 = 512;

impl World {
    /// Damage strikes, where it may. Whether it did.
    pub(super) fn damage_strikes(&mut self, number: usize) -> bool {
        let mut stream = own_stream(self.plan.seed, Purpose::Disk, STRIKES + number as u64);
        let fault = self.plan.faults[number].fault;
        let class = class(&fault);
        match fault {
            Fault::SegmentRot { node, bytes } => {
                self.rot_segment(node.slot(), (bytes.into(), class), &mut stream)
            }
            Fault::SuperblockRot { node, bytes } => {
                self.rot_superblock(node.slot(), (bytes.into(), class), &mut stream)
            }
            Fault::ReadError { node, bytes } => {
                self.refuse_to_read(node.slot(), bytes.into(), class, &mut stream)
            }
            Fault::MisdirectedRead { node } => self.misread(node.slot(), class, &mut stream),
            Fault::MisdirectedWrite { node, reach } => {
                self.machines[node.slot()].disk().send_astray(reach, class);
                false
            }
            Fault::PhantomWrite { node } => {
                self.machines[node.slot()].disk().send_astray(0, class);
                false
            }
            Fault::LedgerRot { node, bytes } => {
                let mut disk = self.machines[node.slot()].disk();
                let length = disk.durable_length(FileName::Ledger);
                let Some(range) = anywhere(length, bytes.into(), &mut stream) else { return false };
                disk.harm(FileName::Ledger, range, &Harm::drawn(bytes, &mut stream), class)
            }
            Fault::Helix { region, spread } => self.helix(region, (spread, class), &mut stream),
            _ => false,
        }
    }

    fn rot_segment(
        &mut self,
        slot: usize,
        (bytes, class): (u64, &'static str),
        stream: &mut Stream,
    ) -> bool {
        let (file, range) = {
            let disk = self.machines[slot].disk();
            let segments = disk.segments();
            if segments.is_empty() {
                return false;
            }
            let file = *stream.pick(&segments);
            match anywhere(disk.durable_length(file), bytes, stream) {
                Some(range) => (file, range),
                None => return false,
            }
        };
        let harm = Harm::drawn(bytes as u32, stream);
        self.strike_segment(slot, file, range, (&harm, class))
    }

    /// Damages a part of a segment, unless it holds the last good copy of something.
    fn strike_segment(
        &mut self,
        slot: usize,
        file: FileName,
        range: Range<u64>,
        (harm, kind): (&Harm, &'static str),
    ) -> bool {
        self.is_fair(slot, file, &range) && self.machines[slot].disk().harm(file, range, harm, kind)
    }

    /// Whether a strike leaves a good copy of each record, or nothing is promised. What a node is
    /// about to promise may be the copy that hides the good one: it is left alone.
    pub(super) fn is_fair(&self, slot: usize, file: FileName, range: &Range<u64>) -> bool {
        let hit = self.machines[slot].disk().inspector().records_in(file, range);
        let promises = self.machines[slot].power != Power::Down;
        let is_fair = |placed: &Placed| match (placed.is_current, placed.is_pending && promises) {
            (_, true) => false,
            (true, false) => self.has_other_good_copy(slot, placed.region, placed.index),
            (false, false) => true,
        };
        self.is_unrestricted || hit.iter().all(is_fair)
    }

    /// Whether another disk than that one has a good copy of a record.
    fn has_other_good_copy(&self, slot: usize, region: RegionId, index: LogIndex) -> bool {
        let own = self.machines[slot].disk().inspector().record_hash(region, index);
        let others = self.machines.iter().enumerate().filter(|(other, _)| *other != slot);
        let mut standing = others.filter(|(_, machine)| !machine.is_destroyed);
        standing.any(|(_, machine)| {
            let disk = machine.disk();
            let has_it = disk.inspector().record_hash(region, index) == own;
            has_it && disk.inspector().is_good(region, index)
        })
    }

    /// Whether a node holds the only good copy of something that is damaged elsewhere.
    pub(super) fn is_needed(&self, slot: usize) -> bool {
        let others = self.machines.iter().enumerate().filter(|(other, _)| *other != slot);
        others.into_iter().any(|(other, machine)| {
            let rotten = machine.disk().lacking();
            rotten.into_iter().any(|(region, index)| {
                // What stands there on another disk need not be the same: this one may have been
                // the only one that had it yet, and a leader that has nobody else beside it cannot
                // show that it was never acknowledged.
                let pin = machine.disk().pin_of(region, index);
                let has_it = |third: &Machine| {
                    let disk = third.disk();
                    let is_same = pin.is_some_and(|(at, hash)| {
                        disk.inspector().record_hash(region, at) == Some(hash)
                    });
                    is_same && disk.inspector().is_good(region, index)
                };
                let mut third = self.machines.iter().enumerate();
                !third.any(|(third, machine)| {
                    third != slot && third != other && !machine.is_destroyed && has_it(machine)
                })
            })
        })
    }

    /// Whether a disk may be lost: what it holds is elsewhere, too, and no other node of its region
    /// waits to be let in, or is damaged.
    pub(super) fn may_be_wiped(&self, slot: usize) -> bool {
        if self.is_unrestricted {
            return true;
        }
        let alone = self
            .slots_beside(slot)
            .all(|other| !self.forgot(other) && !self.machines[other].is_damaged());
        let ends: Vec<_> = self.machines[slot].disk().inspector().ends().collect();
        let mut all =
            ends.into_iter().flat_map(|(region, end)| (1..=end).map(move |i| (region, i)));
        alone && all.all(|(region, index)| self.has_other_good_copy(slot, region, index))
    }

    /// A node's directory is gone; it comes back with one that says so.
    pub(super) fn wipe(&mut self, slot: usize, back_at: u64) -> Todo {
        if self.machines[slot].power == Power::Down || !self.may_be_wiped(slot) {
            return Todo::Nothing;
        }
        self.lose_disk(slot);
        self.dies(slot, "wipe", back_at)
    }

    /// Whether a region may lose its disks: every disk of the cluster is whole and its node let in,
    /// no region is sealed or about to be, and what the region has committed is on two disks of
    /// another one. Two regions out at once is more than is promised.
    pub(super) fn may_lose_disks(&self, region: RegionId) -> bool {
        let is_well = |(slot, machine): (usize, &Machine)| {
            !self.forgot(slot) && !machine.is_destroyed && !machine.is_damaged()
        };
        let nothing_else = self.destroyed.is_empty() && !self.is_a_region_out();
        let committed = self.machines.iter().map(|machine| machine.told.of(region)).max();
        let has_all = |slot: &usize| {
            let disk = self.machines[*slot].disk();
            let inspector = disk.inspector();
            (1..=committed.unwrap_or(0)).all(|index| inspector.is_good(region, index))
        };
        let is_elsewhere = self.regions().any(|other| {
            RegionId(other as u8) != region && self.region_slots(other).filter(has_all).count() > 1
        });
        nothing_else && self.machines.iter().enumerate().all(is_well) && is_elsewhere
    }

    /// A machine without power has another, empty disk, which says that the node lost its own.
    pub(super) fn lose_disk(&mut self, slot: usize) {
        let genesis = Arc::clone(&self.genesis);
        let machine = &mut self.machines[slot];
        machine.wipes = (machine.wipes + 1).min(GENERATION_MAX);
        let steps = first_steps_of_lost(&genesis, machine.node, machine.wipes);
        let mut disk = machine.disk();
        disk.lose();
        disk.faults = DiskFaults::default();
        disk.run_now(&steps).expect("no fault is armed on a new disk");
        drop(disk);
        machine.lost_power = true;
        machine.set_back = None;
        self.jury.wiped(machine.node);
    }

    fn rot_superblock(
        &mut self,
        slot: usize,
        (bytes, class): (u64, &'static str),
        stream: &mut Stream,
    ) -> bool {
        let is_fair = |good: bool| good || self.is_unrestricted;
        let mut disk = self.machines[slot].disk();
        let place = stream.below(SLOTS);
        let (length, harm) = (bytes.clamp(1, SLOT_USED), Harm::drawn(bytes as u32, stream));
        let from = place * SLOT_BYTES + stream.below(SLOT_USED - length + 1);
        // The other copy of the same superblock.
        is_fair(disk.is_slot_good((place ^ 1) as usize))
            && disk.harm(FileName::Superblock, from..from + length, &harm, class)
    }

    /// Damages the disks of a region together: each record of its log stays good on one node, all
    /// of them on the same or, spread, on one that is drawn for each.
    fn helix(
        &mut self,
        region: u8,
        (spread, class): (bool, &'static str),
        stream: &mut Stream,
    ) -> bool {
        let slots = self.region_slots(region.into());
        // Small enough to hit single records, too.
        let harm = Harm::drawn(SLOT_USED as u32, stream);
        let mut strikes = Vec::new();
        for slot in slots.clone() {
            let disk = self.machines[slot].disk();
            strikes.extend(disk.inspector().records_of(RegionId(region)).map(|p| (slot, p)));
        }
        // In order of records, so that each has its good copy before the next is struck.
        strikes.sort_by_key(|(slot, placed): &(usize, Placed)| (placed.index, *slot));
        let mut drawn = || slots.start + stream.below(slots.len() as u64) as usize;
        let (mut keeper, mut of, mut any) = (drawn(), 0, false);
        for (slot, placed) in strikes {
            if spread && placed.index != of {
                (of, keeper) = (placed.index, drawn());
            }
            if slot != keeper || self.is_unrestricted {
                any |= self.strike_segment(slot, placed.file, placed.range, (&harm, class));
            }
        }
        any
    }
}

/// A stretch of so many bytes anywhere in a file; all of it, where it is shorter.
pub(super) fn anywhere(file_length: u64, bytes: u64, stream: &mut Stream) -> Option<Range<u64>> {
    let length = bytes.max(1).min(file_length);
    (length > 0).then(|| {
        let from = stream.below(file_length - length + 1);
        from..from + length
    })
}
