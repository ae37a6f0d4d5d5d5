//! What damage does to bytes that were durable: a bit flips, or a stretch becomes noise, zeros, or
//! what stands elsewhere on the disk.

use super::Disk;
use super::astray::Astray;
use super::inspector::{
    Inspector, Placed, SLOT_BYTES, SLOT_STRIDE, is_header_valid, is_slot_valid, slot_sequence,
};
use crate::seed::Stream;
use billing_core::FileName;
use billing_wire::RecordView;
use std::ops::Range;

/// Copies of the superblock.
const SLOTS: usize = 4;
/// Blocks of the ledger database's file that its opening checks: its own, and redb's.
const LEDGER_HEADERS: [usize; 2] = [0, 2];

/// A kind of damage.
#[derive(Debug, Clone)]
pub enum Harm {
    /// One bit of the stretch.
    Bit(u8),
    /// All of it is zeros.
    Zeros,
    /// All of it is this noise, over and over.
    Noise([u8; 8]),
    /// It begins with these bytes.
    Bytes(Vec<u8>),
}

impl Harm {
    /// Damage of so many bytes; 0 for a bit.
    pub fn drawn(bytes: u32, stream: &mut Stream) -> Self {
        match (bytes, stream.below(3)) {
            (0, lot) => Self::Bit(1 << (2 * lot)),
            (_, 0) => Self::Zeros,
            _ => Self::Noise(stream.next_u64().to_le_bytes()),
        }
    }

    /// Damages bytes; whether that changed them.
    pub(super) fn strike(&self, bytes: &mut [u8]) -> bool {
        let before = bytes.to_vec();
        match self {
            Self::Bit(bit) => bytes.iter_mut().take(1).for_each(|byte| *byte ^= bit),
            Self::Zeros => bytes.fill(0),
            Self::Bytes(other) => {
                let length = other.len().min(bytes.len());
                bytes[..length].copy_from_slice(&other[..length]);
            }
            Self::Noise(noise) => {
                bytes.iter_mut().zip(noise.iter().cycle()).for_each(|(byte, n)| *byte = *n);
            }
        }
        before != bytes
    }
}

impl Disk {
    /// Length of a file as it would survive a power cut; 0 for none.
    pub fn durable_length(&self, file: FileName) -> u64 {
        self.files.get(&file).map_or(0, |file| file.durable_length() as u64)
    }

    /// Every segment.
    pub fn segments(&self) -> Vec<FileName> {
        let is_segment = |name: &&FileName| matches!(name, FileName::Segment { .. });
        self.files.keys().filter(is_segment).copied().collect()
    }

    /// Whether a slot of the superblock holds one that verifies and is no older than the copy
    /// beside it.
    pub fn is_slot_good(&self, slot: usize) -> bool {
        let own = self.slot_sequence(slot);
        own.is_some() && own >= self.slot_sequence(slot ^ 1)
    }

    /// What the disk promised, where faults took both copies of a superblock since it was written:
    /// whoever reads it cannot tell which was the last one.
    pub fn promise_in_doubt(&self) -> Option<Inspector> {
        let is_gone = |slot| self.slot_sequence(slot).is_none();
        let is_pair_gone = (0..SLOTS).step_by(2).any(|slot| is_gone(slot) && is_gone(slot + 1));
        (is_pair_gone && self.inspector.sequence() > 1).then(|| self.promised().clone())
    }

    /// The node has read that it does not know any more what it promised.
    pub fn forgot_promise(&mut self, promised: Inspector) {
        self.lost.take(promised);
    }

    fn slot_sequence(&self, slot: usize) -> Option<u64> {
        let file = self.files.get(&FileName::Superblock)?;
        let at = slot * SLOT_STRIDE;
        let durable = file.durable();
        let bytes = durable.get(at..)?;
        let is_read = !file.is_refused(&(at..at + SLOT_BYTES));
        (is_read && is_slot_valid(bytes)).then(|| slot_sequence(bytes))
    }

    /// Something damaged that the disk holds and that counts: a record that was promised, a copy of
    /// the superblock, a block of the ledger database. What stands in that one's first two blocks
    /// is checked by whoever opens it.
    pub fn damage_left(&self) -> Option<String> {
        let mut rotten = self.inspector.rotten_records().into_iter();
        let record = rotten.find(|placed| !self.is_whole(placed) && !self.is_elsewhere(placed));
        let record = record.map(|p| format!("record {} of region {}", p.index, p.region));
        let copy = || (0..SLOTS).find(|slot| !self.is_slot_good(*slot));
        let copy = || copy().map(|slot| format!("copy {} of the superblock", slot + 1));
        let block = || {
            let ledger = self.files.get(&FileName::Ledger)?;
            ledger.damaged_blocks().into_iter().find(|block| !LEDGER_HEADERS.contains(block))
        };
        let block = || block().map(|block| format!("block {block} of the ledger database"));
        record.or_else(copy).or_else(block)
    }

    /// Whether a record that was struck is there after all, in a segment that says what it is: a
    /// bit that flips twice does no harm.
    pub(super) fn is_whole(&self, placed: &Placed) -> bool {
        let Some(file) = self.files.get(&placed.file) else { return false };
        let range = placed.range.start as usize..placed.range.end as usize;
        let durable = file.durable();
        let Some(bytes) = durable.get(range.clone()) else { return false };
        !file.is_refused(&range)
            && is_header_valid(&durable)
            && RecordView::decode(bytes).is_ok_and(|view| {
                let promised = self.inspector.record_hash(placed.region, placed.index);
                view.verify_hash() && promised == Some(view.header.hash)
            })
    }

    /// Whether a segment of its log holds that record anywhere: a write that landed in the wrong
    /// place is as good as one in the right place, and recovery finds it.
    fn is_elsewhere(&self, placed: &Placed) -> bool {
        let promised = self.inspector.record_hash(placed.region, placed.index);
        let is_it = |bytes: &[u8]| {
            RecordView::decode(bytes).is_ok_and(|view| Some(view.header.hash) == promised)
        };
        self.files.iter().any(|(name, file)| {
            let is_of_log =
                matches!(name, FileName::Segment { region, .. } if *region == placed.region);
            let durable = file.durable();
            is_of_log
                && (0..durable.len()).any(|at| {
                    let length = RecordView::length(&durable[at..]).unwrap_or(usize::MAX);
                    durable.get(at..at.saturating_add(length)).is_some_and(is_it)
                })
        })
    }

    /// The disk is gone. What it had held is remembered.
    pub fn lose(&mut self) {
        let lost = std::mem::take(&mut self.inspector);
        self.lost.take(self.astray.claimed.take().map_or(lost, |claimed| *claimed));
        self.astray = Astray::default();
        self.destroy();
    }

    /// A fault of that kind damages what the disk holds of a file. Whether anything changed.
    pub fn harm(
        &mut self,
        name: FileName,
        range: Range<u64>,
        harm: &Harm,
        kind: &'static str,
    ) -> bool {
        let Some(file) = self.files.get_mut(&name) else { return false };
        let is_changed = file.harm(range.start as usize..range.end as usize, harm);
        if is_changed {
            self.harmed.insert(name, kind);
            self.inspector.note_rot(name, &range);
            self.promise_struck(name);
        }
        is_changed
    }

    /// Damage struck a file. A superblock that nobody was told of may go with it: what the disk
    /// promised is then what the copies that are left say.
    pub(super) fn promise_struck(&mut self, name: FileName) {
        if name != FileName::Superblock || !self.is_unpromised {
            return;
        }
        let file = &self.files[&name];
        let mut durable = file.durable().into_owned();
        for (slot, copy) in durable.chunks_mut(SLOT_STRIDE).enumerate() {
            let at = slot * SLOT_STRIDE;
            if file.is_refused(&(at..at + SLOT_BYTES)) {
                copy.fill(0);
            }
        }
        self.inspector.read_superblock_again(&durable);
    }
}

#[cfg(test)]
mod tests {
    use super::{Harm, SLOT_STRIDE, SLOTS};
    use crate::disk::{Disk, DiskTiming};
    use crate::seed::{Purpose, Stream};
    use billing_core::journal::{Writer, first_steps, recover};
    use billing_core::{DiskStep, FileName};
    use billing_wire::{
        ClusterId, Genesis, Incarnation, NodeId, Record, RecordHeader, RegionId, RegionMembers,
    };

    const NODE: NodeId = NodeId(1);
    const REGION: RegionId = RegionId(0);

    /// A writer of a new directory on a new disk.
    fn new_log() -> (Disk, Writer) {
        let nodes = vec![NODE, NodeId(2), NodeId(3)];
        let name = "east".to_owned();
        let east = RegionMembers { region: REGION, name, incarnation: Incarnation(0), nodes };
        let (cluster, regions) = (ClusterId(7), vec![east]);
        let genesis = Genesis { cluster, currency: *b"EUR", secret: [1; 32], regions };
        let steps = first_steps(&genesis, NODE);
        let timing = DiskTiming { write_ns: (10, 100), sync_ns: (100, 1_000) };
        let mut disk = Disk::new(timing, Stream::new(1, Purpose::Disk));
        disk.run_now(&steps).expect("no fault is armed");
        let image =
            disk.list().into_iter().map(|name| (name, disk.files[&name].durable().into_owned()));
        let (found, steps) = recover(&genesis, NODE, image.collect()).expect("it is whole");
        disk.run_now(&steps).expect("no fault is armed");
        let tails = [found.logs[0].tail];
        (disk, Writer::new(cluster, 4_096, found.superblock, &tails))
    }

    fn append(disk: &mut Disk, writer: &mut Writer, last: &mut Option<RecordHeader>) {
        let header = RecordHeader::derived_noop(REGION, Incarnation(0), 1, last.as_ref());
        let mut record = Record { header, submissions: Vec::new() };
        let bytes = record.encode().into();
        writer.append(&record.header, &bytes);
        disk.run_now(&writer.take_steps()).expect("no fault is armed");
        *last = Some(record.header);
    }

    #[test]
    fn of_a_segment_without_its_header_nothing_is_sure_whenever_it_came_there() {
        let (mut disk, mut writer) = new_log();
        let mut last = None;
        append(&mut disk, &mut writer, &mut last);
        assert!(!disk.lacks());
        let name = FileName::Segment { region: REGION, sequence: 1 };
        assert!(disk.harm(name, 0..9, &Harm::Zeros, "segment-rot"));
        assert_eq!(disk.lacking(), [(REGION, 1)]);
        append(&mut disk, &mut writer, &mut last);
        assert_eq!(disk.lacking(), [(REGION, 1), (REGION, 2)]);
    }

    #[test]
    fn a_record_is_pending_until_a_superblock_promises_it() {
        let (mut disk, mut writer) = new_log();
        let mut record = {
            let header = RecordHeader::derived_noop(REGION, Incarnation(0), 1, None);
            Record { header, submissions: Vec::new() }
        };
        let bytes = record.encode().into();
        writer.append(&record.header, &bytes);
        let steps = writer.take_steps();
        let promises = |step: &DiskStep| step.file() == FileName::Superblock;
        let promised_from = steps.iter().position(promises).expect("it is promised");
        let state = |disk: &Disk| {
            let placed: Vec<_> = disk.inspector().records_of(REGION).collect();
            placed.iter().map(|p| (p.index, p.is_current, p.is_pending)).collect::<Vec<_>>()
        };
        disk.run_now(&steps[..promised_from]).expect("no fault is armed");
        assert_eq!(state(&disk), [(1, false, true)]);
        disk.run_now(&steps[promised_from..]).expect("no fault is armed");
        assert_eq!(state(&disk), [(1, true, false)]);
    }

    /// Two copies at a time are written and synced together, so a power cut may let one through.
    fn one_copy_let_through(seed: u64) -> (Disk, u64, usize) {
        let (mut disk, mut writer) = new_log();
        append(&mut disk, &mut writer, &mut None);
        writer.hard_state(REGION, 1, u64::from(NODE.0));
        let steps = writer.take_steps();
        let (_, written) = steps.split_last().expect("the last one syncs");
        disk.run_now(written).expect("no fault is armed");
        disk.stream = Stream::new(seed, Purpose::Disk);
        let promised = disk.inspector().sequence();
        disk.power_cut(0);
        let mut later = (0..SLOTS).filter(|slot| disk.slot_sequence(*slot) > Some(promised));
        match (later.next(), later.next()) {
            (Some(slot), None) => (disk, promised, slot),
            _ => one_copy_let_through(seed + 1),
        }
    }

    #[test]
    fn a_superblock_that_nobody_was_told_of_may_go() {
        for is_opened in [false, true] {
            for is_refused in [false, true] {
                let (mut disk, promised, slot) = one_copy_let_through(1);
                assert_eq!(disk.inspector().sequence(), promised + 1);
                if is_opened {
                    disk.opened();
                }
                let at = (slot * SLOT_STRIDE) as u64;
                if is_refused {
                    assert!(disk.refuse(FileName::Superblock, at..at + 512, "read-error"));
                } else {
                    let (range, harm) = (at + 40..at + 41, Harm::Bit(1));
                    assert!(disk.harm(FileName::Superblock, range, &harm, "superblock-rot"));
                }
                // What a node has read it may have told.
                let left = if is_opened { promised + 1 } else { promised };
                assert_eq!(disk.inspector().sequence(), left);
                assert!(disk.inspector().promise(REGION).is_some());
            }
        }
    }

    #[test]
    fn what_comes_into_a_sector_that_is_not_given_back_is_damaged_from_the_beginning() {
        let (mut disk, mut writer) = new_log();
        let mut last = None;
        (1..=4).for_each(|_| append(&mut disk, &mut writer, &mut last));
        // The fourth reaches into the second sector, the ninth out of it.
        let name = FileName::Segment { region: REGION, sequence: 1 };
        assert!(disk.refuse(name, 512..513, "read-error"));
        assert_eq!(disk.lacking(), [(REGION, 4)]);
        (5..=10).for_each(|_| append(&mut disk, &mut writer, &mut last));
        let lacking = (4..=9).map(|index| (REGION, index));
        assert_eq!(disk.lacking(), lacking.collect::<Vec<_>>());
        assert!(disk.inspector().is_good(REGION, 10));
    }

    #[test]
    fn damage_changes_bytes_or_says_that_it_did_not() {
        let mut stream = Stream::new(3, Purpose::Disk);
        for size in [0, 1, 512] {
            for _ in 0..20 {
                let mut bytes = vec![7; 600];
                assert!(Harm::drawn(size, &mut stream).strike(&mut bytes[..size.max(1) as usize]));
                assert!(bytes[512..].iter().all(|byte| *byte == 7));
            }
        }
        assert!(!Harm::Zeros.strike(&mut [0; 9]));
    }
}
