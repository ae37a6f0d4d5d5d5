//! Looks at the bytes that would survive a power cut now and says which records recovery would
//! keep. It knows the format from its description and shares no reader of superblock or segment
//! with the node, so that a bug there cannot hide itself.

use billing_core::FileName;
use billing_wire::{Hash, LogIndex, NodeId, RecordView, RegionId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// From one copy of the superblock to the next.
pub(super) const SLOT_STRIDE: usize = 4096;
/// Bytes of a copy.
pub(super) const SLOT_BYTES: usize = 512;
const SEGMENT_HEADER_BYTES: usize = 80;
const SEEN_AT: usize = 432;
const SEEN_MAX: usize = 10;

/// What the durable superblock says of one region log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// Raft term.
    pub term: u64,
    /// For whom the node voted; 0 for nobody.
    pub vote: u64,
    /// Last durable index.
    pub durable_index: LogIndex,
    /// Hash of the record there.
    pub last_hash: Hash,
    tail_segment: u32,
    /// The node takes no more of the incarnation: it is being sealed.
    pub fenced: bool,
    /// The node lost its disk and was not let in again.
    pub forgotten: bool,
    /// Which of its lives began so last.
    pub generation: u8,
}

#[derive(Debug, Clone, Default)]
struct Segment {
    first_index: LogIndex,
    hashes: Vec<Hash>,
    /// Where each record ends.
    ends: Vec<usize>,
    read_to: usize,
    /// Which of them were damaged since they were read.
    rotten: BTreeSet<usize>,
    /// Its header was: of what is in it, or comes into it, nothing is sure of its place.
    is_headless: bool,
}

/// A record in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The region log.
    pub region: RegionId,
    /// Its place there.
    pub index: LogIndex,
    /// The segment.
    pub file: FileName,
    /// Where in it.
    pub range: Range<u64>,
    /// No later segment hides it.
    pub is_current: bool,
    /// It stands behind all that is promised: the next superblock may promise it, and hide by it
    /// what was promised so far.
    pub is_pending: bool,
}

/// Follows one disk.
#[derive(Debug, Clone, Default)]
pub struct Inspector {
    promises: BTreeMap<RegionId, Promise>,
    sequence: u64,
    /// The highest of other nodes that this one has seen.
    seen: Vec<(u16, u64)>,
    segments: BTreeMap<(RegionId, u32), Segment>,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn half(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at) as u32
}

impl Inspector {
    /// A file was synced; from `cut` on what was read of this name before no longer holds. What
    /// stands where the disk does not give back what was written is damaged from the beginning.
    pub fn synced(
        &mut self,
        name: FileName,
        durable: &[u8],
        cut: Option<usize>,
        is_lost: &dyn Fn(&Range<usize>) -> bool,
    ) {
        match name {
            FileName::Superblock => self.read_superblock(durable),
            FileName::Segment { region, sequence } => {
                let segment = self.segments.entry((region, sequence)).or_default();
                let is_shorter = durable.len() < segment.read_to;
                if cut.is_some() || is_shorter {
                    segment.forget(cut.unwrap_or(usize::MAX).min(durable.len()));
                }
                segment.read_on(durable, is_lost);
            }
            FileName::Genesis | FileName::Ledger | FileName::LedgerAside => {}
        }
    }

    /// Reads the superblock as if for the first time; nothing changes where no copy verifies.
    pub fn read_superblock_again(&mut self, durable: &[u8]) {
        let before = std::mem::take(&mut self.sequence);
        self.read_superblock(durable);
        if self.sequence == 0 {
            self.sequence = before;
        }
    }

    fn read_superblock(&mut self, durable: &[u8]) {
        let mut newest = None;
        for slot in durable.chunks(SLOT_STRIDE) {
            let Some(slot) = slot.get(..SLOT_BYTES) else { continue };
            let sequence = slot_sequence(slot);
            if sequence >= self.sequence && is_slot_valid(slot) {
                (self.sequence, newest) = (sequence, Some(slot));
            }
        }
        if let Some(slot) = newest {
            self.read_slot(slot);
        }
    }

    fn read_slot(&mut self, slot: &[u8]) {
        let seen = slot[SEEN_AT..].chunks_exact(8).take(SEEN_MAX).map(|of| word(of, 0));
        self.seen.clear();
        self.seen.extend(seen.map(|word| (word as u16, word >> 16)));
        self.promises.clear();
        for entry in slot[32..].chunks_exact(80).take(usize::from(slot[13])) {
            let mut last_hash = [0; 32];
            last_hash.copy_from_slice(&entry[40..72]);
            let promise = Promise {
                term: word(entry, 8),
                vote: word(entry, 16),
                durable_index: word(entry, 32),
                last_hash,
                tail_segment: word(entry, 72) as u32,
                fenced: entry[1] != 0,
                forgotten: entry[2] != 0,
                generation: entry[3],
            };
            self.promises.insert(RegionId(entry[0]), promise);
        }
    }

    /// Sequence of the durable superblock.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The highest sequence of another node that this one will remember after a power cut.
    pub fn seen_of(&self, node: NodeId) -> u64 {
        let seen = self.seen.iter().rfind(|(of, _)| *of == node.0);
        seen.map_or(0, |(_, sequence)| *sequence)
    }

    /// Whether any segment holds that record, hidden by a later one or not.
    pub fn has_anywhere(&self, region: RegionId, index: LogIndex, hash: Hash) -> bool {
        let mut segments = self.segments.range((region, 0)..=(region, u32::MAX));
        segments.any(|(_, segment)| {
            let place = index.checked_sub(segment.first_index);
            place.is_some_and(|place| segment.hashes.get(place as usize) == Some(&hash))
        })
    }

    /// A record that was damaged is whole.
    pub fn cure(&mut self, placed: &Placed) {
        if let FileName::Segment { region, sequence } = placed.file
            && let Some(segment) = self.segments.get_mut(&(region, sequence))
        {
            segment.rotten.remove(&((placed.index - segment.first_index) as usize));
        }
    }

    /// What the durable superblock says of a region log.
    pub fn promise(&self, region: RegionId) -> Option<&Promise> {
        self.promises.get(&region)
    }

    /// The first region log whose last durable record, as the superblock says, is not there.
    pub fn unkept(&self) -> Option<(RegionId, LogIndex)> {
        let is_unkept = |(region, promise): &(&RegionId, &Promise)| {
            promise.durable_index > 0
                && self.record_hash(**region, promise.durable_index) != Some(promise.last_hash)
        };
        let (region, promise) = self.promises.iter().find(is_unkept)?;
        Some((*region, promise.durable_index))
    }

    /// Whether the node lost its disk and was not let in again everywhere.
    pub fn is_forgotten(&self) -> bool {
        self.promises.values().any(|promise| promise.forgotten)
    }

    /// The last durable record of each region log.
    pub fn ends(&self) -> impl Iterator<Item = (RegionId, LogIndex)> {
        self.promises.iter().map(|(region, promise)| (*region, promise.durable_index))
    }

    /// Hash of the record at an index, if recovery would keep it.
    pub fn record_hash(&self, region: RegionId, index: LogIndex) -> Option<Hash> {
        let (_, segment) = self.find(region, index)?;
        segment.hashes.get((index - segment.first_index) as usize).copied()
    }

    /// The segment that says what stands at an index that was promised.
    fn find(&self, region: RegionId, index: LogIndex) -> Option<(u32, &Segment)> {
        let promise = self.promises.get(&region)?;
        if index == 0 || index > promise.durable_index {
            return None;
        }
        // Later segments hide earlier ones from their first index on.
        let range = (region, 1)..=(region, promise.tail_segment);
        let mut newest_first = self.segments.range(range).rev();
        let of = |(_, s): &(_, &Segment)| s.first_index <= index && s.first_index > 0;
        newest_first.find(of).map(|((_, sequence), segment)| (*sequence, segment))
    }

    /// Whether a record is there and was not damaged since.
    pub fn is_good(&self, region: RegionId, index: LogIndex) -> bool {
        self.find(region, index).is_some_and(|(_, segment)| {
            let place = (index - segment.first_index) as usize;
            place < segment.hashes.len() && !segment.rotten.contains(&place)
        })
    }

    /// Records that were promised and are damaged.
    pub fn rotten(&self) -> Vec<(RegionId, LogIndex)> {
        let mut rotten = Vec::new();
        for ((region, sequence), segment) in &self.segments {
            for place in &segment.rotten {
                let index = segment.first_index + *place as u64;
                if self.find(*region, index).is_some_and(|(found, _)| found == *sequence) {
                    rotten.push((*region, index));
                }
            }
        }
        rotten
    }

    /// Records that were promised and were damaged, with their places.
    pub fn rotten_records(&self) -> Vec<Placed> {
        let mut rotten = Vec::new();
        for ((region, sequence), segment) in &self.segments {
            if !segment.rotten.is_empty() {
                let records = self.placed(*region, *sequence, segment).into_iter();
                let place = |placed: &Placed| (placed.index - segment.first_index) as usize;
                rotten
                    .extend(records.filter(|p| p.is_current && segment.rotten.contains(&place(p))));
            }
        }
        rotten
    }

    /// The records of a region log, in all of its segments.
    pub fn records_of(&self, region: RegionId) -> impl Iterator<Item = Placed> {
        let segments = self.segments.range((region, 0)..=(region, u32::MAX));
        segments.flat_map(|((region, sequence), segment)| self.placed(*region, *sequence, segment))
    }

    fn placed(&self, region: RegionId, sequence: u32, segment: &Segment) -> Vec<Placed> {
        let file = FileName::Segment { region, sequence };
        let promised = self.promises.get(&region);
        let promised = promised.map(|promise| (promise.tail_segment, promise.durable_index));
        let mut from = SEGMENT_HEADER_BYTES;
        let place = |(index, end): (LogIndex, &usize)| {
            let range = from as u64..*end as u64;
            from = *end;
            let is_current = self.find(region, index).is_some_and(|(found, _)| found == sequence);
            let is_pending = promised
                .is_some_and(|(tail, last)| sequence > tail || sequence == tail && index > last);
            Placed { region, index, file, range, is_current, is_pending }
        };
        (segment.first_index..).zip(&segment.ends).map(place).collect()
    }

    /// The records that damage of a segment hits; without its header none is sure of its place.
    pub fn records_in(&self, file: FileName, range: &Range<u64>) -> Vec<Placed> {
        let FileName::Segment { region, sequence } = file else { return Vec::new() };
        let Some(segment) = self.segments.get(&(region, sequence)) else { return Vec::new() };
        let mut records = self.placed(region, sequence, segment);
        if range.start >= SEGMENT_HEADER_BYTES as u64 {
            let is_hit = |at: &Range<u64>| at.start < range.end && range.start < at.end;
            records.retain(|placed| is_hit(&placed.range));
        }
        records
    }

    /// A file was damaged. What was read of it before stays known: it is what was promised.
    pub fn note_rot(&mut self, file: FileName, range: &Range<u64>) {
        let hit = self.records_in(file, range);
        let FileName::Segment { region, sequence } = file else { return };
        let Some(segment) = self.segments.get_mut(&(region, sequence)) else { return };
        let first = segment.first_index;
        segment.is_headless |= segment.read_to > 0 && range.start < SEGMENT_HEADER_BYTES as u64;
        segment.rotten.extend(hit.iter().map(|placed| (placed.index - first) as usize));
    }

    /// A file was removed: another one may get its name.
    pub fn forget(&mut self, file: FileName) {
        if let FileName::Segment { region, sequence } = file {
            self.segments.remove(&(region, sequence));
        }
    }

    /// Everything will be read again, but for segments that were damaged since they were read.
    pub fn begin_again(&mut self) {
        self.promises.clear();
        self.sequence = 0;
        self.segments.retain(|_, segment| segment.is_harmed());
    }
}

/// Whether a segment begins with a header that verifies.
pub fn is_header_valid(segment: &[u8]) -> bool {
    segment.len() >= SEGMENT_HEADER_BYTES
        && half(segment, 8) == crc32c::crc32c(&segment[12..SEGMENT_HEADER_BYTES])
}

/// Sequence of the superblock in a slot that verifies.
pub fn slot_sequence(slot: &[u8]) -> u64 {
    word(slot, 24)
}

/// Whether a slot of the superblock file holds one that verifies.
pub fn is_slot_valid(slot: &[u8]) -> bool {
    let slot = slot.get(..SLOT_BYTES);
    slot.is_some_and(|slot| {
        &slot[..8] == b"BILLSUP\x01" && half(slot, 8) == crc32c::crc32c(&slot[12..])
    })
}

impl Segment {
    /// Whether it was damaged since it was read.
    fn is_harmed(&self) -> bool {
        self.is_headless || !self.rotten.is_empty()
    }

    /// Up to here the file is as it was. Of one that was damaged what lay there is still known.
    fn forget(&mut self, length: usize) {
        if !self.is_harmed() {
            *self = Self::default();
            return;
        }
        let kept = self.ends.iter().take_while(|end| **end <= length).count();
        self.ends.truncate(kept);
        self.hashes.truncate(kept);
        self.rotten.retain(|place| *place < kept);
        self.read_to = self.ends.last().map_or(SEGMENT_HEADER_BYTES, |end| *end);
    }

    /// Reads the records behind what was read before; stops at the first that does not verify.
    fn read_on(&mut self, durable: &[u8], is_lost: &dyn Fn(&Range<usize>) -> bool) {
        if self.read_to == 0 {
            if !is_header_valid(durable) {
                return;
            }
            self.first_index = word(durable, 40);
            self.read_to = SEGMENT_HEADER_BYTES;
            self.is_headless |= is_lost(&(0..SEGMENT_HEADER_BYTES));
        }
        while let Ok(length) = RecordView::length(&durable[self.read_to..]) {
            let Some(bytes) = durable.get(self.read_to..self.read_to + length) else { return };
            let Ok(view) = RecordView::decode(bytes) else { return };
            if view.header.index != self.first_index + self.hashes.len() as u64 {
                return;
            }
            if self.is_headless || is_lost(&(self.read_to..self.read_to + length)) {
                self.rotten.insert(self.hashes.len());
            }
            self.hashes.push(view.header.hash);
            self.read_to += length;
            self.ends.push(self.read_to);
        }
    }
}
