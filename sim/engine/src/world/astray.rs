//! Disks that do something else than they were asked, where the atlas lets them: what was promised
//! to survive does. A disk that lies or becomes what it was may go beyond any promise: what its
//! node forgot, no other may have seen. Then the run ends, and says so.

use super::atlas::anywhere;
use super::machine::Power;
use super::{Todo, World, own_stream};
use crate::disk::Written;
use crate::seed::{Purpose, Stream};
use billing_core::FileName;
use billsim_record::Fault;
use std::ops::Range;

/// Where the streams of writes that go astray begin, one for each machine.
const ASTRAY: u64 = 9_000;
/// Pages that are read in the place of others.
const PAGE: u64 = 4_096;
const SECTOR: u64 = 512;

impl World {
    /// A part of what a node keeps cannot be read any more. Whether there is any.
    pub(super) fn refuse_to_read(
        &mut self,
        slot: usize,
        bytes: u64,
        class: &'static str,
        stream: &mut Stream,
    ) -> bool {
        let mut files = self.machines[slot].disk().segments();
        files.extend([FileName::Superblock, FileName::Ledger]);
        let file = *stream.pick(&files);
        let length = self.machines[slot].disk().durable_length(file);
        let Some(mut range) = anywhere(length, bytes, stream) else { return false };
        if file == FileName::Superblock {
            let copy = range.start / PAGE * PAGE;
            range = copy..copy + SECTOR;
        }
        range = range.start / SECTOR * SECTOR..range.end.next_multiple_of(SECTOR).min(length);
        self.may_strike(slot, file, &range) && self.machines[slot].disk().refuse(file, range, class)
    }

    /// Reads of a page give another one. Whether they do.
    pub(super) fn misread(
        &mut self,
        slot: usize,
        class: &'static str,
        stream: &mut Stream,
    ) -> bool {
        let mut files = self.machines[slot].disk().segments();
        files.push(FileName::Ledger);
        let file = *stream.pick(&files);
        let pages = self.machines[slot].disk().durable_length(file) / PAGE;
        if pages < 2 {
            return false;
        }
        let (page, other) = (stream.below(pages), stream.below(pages));
        let range = page * PAGE..(page + 1) * PAGE;
        self.may_strike(slot, file, &range)
            && self.machines[slot].disk().misread(file, (range.start, other * PAGE), PAGE, class)
    }

    /// Whether every record and superblock that a stretch holds has another good copy.
    fn may_strike(&self, slot: usize, file: FileName, range: &Range<u64>) -> bool {
        match file {
            FileName::Segment { .. } => self.is_fair(slot, file, range),
            FileName::Superblock => {
                let disk = self.machines[slot].disk();
                let (first, end) = (range.start / PAGE, range.end.div_ceil(PAGE));
                end <= first + 1 && (first..end).all(|copy| disk.is_slot_good((copy ^ 1) as usize))
            }
            _ => true,
        }
    }

    /// A persist is done, and its node was not told yet: one of its writes may go astray.
    pub(super) fn lead_astray(&mut self, slot: usize) {
        let written = self.machines[slot].disk().take_written();
        let Some((reach, class, writes)) = written else { return };
        let (seed, life) = (self.plan.seed, u64::from(self.machines[slot].life));
        let mut stream = own_stream(seed, Purpose::Disk, ASTRAY + (life << 8) + slot as u64);
        let written = stream.pick(&writes);
        let landing = self.landing(slot, reach, written, &mut stream);
        let is_fair = self.may_strike(slot, written.file, &written.range)
            && landing.as_ref().is_none_or(|(file, range)| self.may_strike(slot, *file, range));
        if !is_fair {
            return;
        }
        let Written { file, range, bytes, before } = written;
        let mut disk = self.machines[slot].disk();
        let mut any = disk.misplace(*file, range.clone(), before, class);
        if let Some((file, range)) = landing {
            any |= disk.misplace(file, range, bytes, class);
        }
        disk.went_astray();
        drop(disk);
        if any {
            self.tallies.fired(class);
        }
    }

    /// Where a write lands.
    fn landing(
        &self,
        slot: usize,
        reach: u8,
        written: &Written,
        stream: &mut Stream,
    ) -> Option<(FileName, Range<u64>)> {
        let disk = self.machines[slot].disk();
        let mut file = written.file;
        if reach == 0 {
            return None;
        }
        if reach == 3 {
            let mut files = disk.segments();
            files.extend([FileName::Superblock, FileName::Ledger]);
            files.retain(|other| *other != file);
            file = *stream.pick(&files);
        }
        let length = disk.durable_length(file);
        let from = match reach {
            1 => written.range.start + SECTOR,
            _ => stream.below(length.div_ceil(SECTOR).max(1)) * SECTOR,
        };
        let end = (from + written.bytes.len() as u64).min(length);
        // A copy of the superblock is a sector, with nothing behind it up to the next one.
        let end = if file == FileName::Superblock { end.min(from + SECTOR) } else { end };
        (from < end).then_some((file, from..end))
    }

    /// A disk's syncs begin to lie: one at a time in a region, while all of its nodes are whole.
    pub(super) fn begins_to_lie(&mut self, slot: usize) -> bool {
        let is_honest = |other: usize| {
            let machine = &self.machines[other];
            let forgot = self.forgot(other);
            let disk = machine.disk();
            machine.power == Power::Up
                && !machine.is_repairing
                && !disk.lies()
                && !disk.lacks()
                && !forgot
        };
        let may = self.slots_beside(slot).all(is_honest);
        if may {
            self.machines[slot].disk().lie(true);
        }
        may
    }

    /// A node's disk becomes what it was when the fault began: where all that it held is elsewhere,
    /// and every other node of its region will tell it that it forgot something.
    pub(super) fn roll_back(&mut self, slot: usize) -> Option<Todo> {
        let sequence = self.machines[slot].disk().image_sequence()?;
        if self.machines[slot].power == Power::Down
            || self.machines[slot].disk().inspector().is_forgotten()
            || !self.may_be_wiped(slot)
            || !self.is_known_beyond(slot, sequence, true)
        {
            return None;
        }
        let now = self.now;
        let mut disk = self.machines[slot].disk();
        disk.power_cut(now);
        disk.roll_back();
        // An image from before the node was let in says so itself: nobody needs to tell it.
        let must_be_told = !disk.inspector().is_forgotten();
        drop(disk);
        let machine = &mut self.machines[slot];
        machine.lost_power = true;
        machine.set_back = must_be_told.then_some("rollback");
        self.jury.wiped(self.machines[slot].node);
        let back_at = now + self.process.range(100_000_000, 5_000_000_000);
        Some(self.dies(slot, "rollback", back_at))
    }

    /// Whether the others of a node's region know of a later superblock than that one, and will not
    /// forget it: all of them, or one.
    fn is_known_beyond(&self, slot: usize, sequence: u64, all: bool) -> bool {
        let node = self.machines[slot].node;
        let mut others = self.slots_beside(slot).filter(|other| *other != slot);
        let knows = |other: usize| self.machines[other].disk().inspector().seen_of(node) > sequence;
        if all { others.all(knows) } else { others.any(knows) }
    }

    /// Whether a node forgot what it promised and was not let in again, or will be told that it
    /// did, because its disk is an older one than another node of its region has seen.
    pub(super) fn forgot(&self, slot: usize) -> bool {
        let disk = self.machines[slot].disk();
        let (sequence, forgot) = (disk.inspector().sequence(), disk.inspector().is_forgotten());
        drop(disk);
        forgot || self.is_known_beyond(slot, sequence, false)
    }

    /// A node was opened: an older superblock than it once had must be known to the others.
    pub(super) fn note_setback(&mut self, slot: usize) {
        let mut disk = self.machines[slot].disk();
        let setback = disk.take_setback();
        let (sequence, is_forgotten) = (disk.promised().sequence(), disk.promised().is_forgotten());
        drop(disk);
        if setback.is_some() && !is_forgotten {
            self.machines[slot].set_back.get_or_insert("lying-sync");
        }
        if setback.is_some() && !is_forgotten && !self.is_known_beyond(slot, sequence, true) {
            self.beyond =
                Some("a disk became older, and not every other node has seen the difference");
        }
    }

    /// Why nothing is promised any more.
    pub fn beyond(&self) -> Option<&'static str> {
        self.beyond
    }

    /// A node found out that it forgot something.
    pub(super) fn note_forgot(&mut self, slot: usize) {
        if let Some(kind) = self.machines[slot].set_back.take() {
            self.tallies.observed(kind);
        }
    }
}

/// What a fault of that strength is called beside its kind in the effect ledger.
pub(super) fn class(fault: &Fault) -> &'static str {
    match *fault {
        Fault::SegmentRot { bytes: 0, .. } => "segment-rot: one bit",
        Fault::SegmentRot { bytes: ..=512, .. } => "segment-rot: up to a sector",
        Fault::SegmentRot { bytes: ..=4_096, .. } => "segment-rot: up to a page",
        Fault::SegmentRot { bytes: ..=65_536, .. } => "segment-rot: an extent",
        Fault::SegmentRot { .. } => "segment-rot: a whole file",
        Fault::SuperblockRot { bytes: 0, .. } => "superblock-rot: one bit",
        Fault::SuperblockRot { .. } => "superblock-rot: up to a sector",
        Fault::LedgerRot { bytes: 0, .. } => "ledger-rot: one bit",
        Fault::LedgerRot { bytes: ..=4_096, .. } => "ledger-rot: up to a page",
        Fault::LedgerRot { bytes: ..=65_536, .. } => "ledger-rot: an extent",
        Fault::LedgerRot { .. } => "ledger-rot: up to a whole file",
        Fault::Helix { spread: true, .. } => "helix: copies on all nodes",
        Fault::Helix { spread: false, .. } => "helix: copies on one node",
        Fault::ReadError { bytes: ..=512, .. } => "read-error: a sector",
        Fault::ReadError { bytes: ..=4_096, .. } => "read-error: up to a page",
        Fault::ReadError { .. } => "read-error: an extent",
        Fault::MisdirectedWrite { reach: 1, .. } => "misdirected-write: next sector",
        Fault::MisdirectedWrite { reach: 2, .. } => "misdirected-write: same file",
        Fault::MisdirectedWrite { .. } => "misdirected-write: another file",
        ref other => other.kind(),
    }
}
