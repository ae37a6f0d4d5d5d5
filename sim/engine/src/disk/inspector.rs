//! Looks at the bytes that would survive a power cut now and says which records recovery would
//! keep. It knows the format from its description and shares no reader of superblock or segment
//! with the node, so that a bug there cannot hide itself.

use billing_core::FileName;
use billing_wire::{Hash, LogIndex, RecordView, RegionId};
use std::collections::BTreeMap;

const SLOT_STRIDE: usize = 4096;
const SLOT_BYTES: usize = 512;
const SEGMENT_HEADER_BYTES: usize = 80;

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
}

#[derive(Debug, Default)]
struct Segment {
    first_index: LogIndex,
    hashes: Vec<Hash>,
    read_to: usize,
}

/// Follows one disk.
#[derive(Debug, Default)]
pub struct Inspector {
    promises: BTreeMap<RegionId, Promise>,
    sequence: u64,
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
    /// A file was synced; `cut` says that what was read of this name before no longer holds.
    pub fn synced(&mut self, name: FileName, durable: &[u8], cut: bool) {
        match name {
            FileName::Superblock => self.read_superblock(durable),
            FileName::Segment { region, sequence } => {
                let segment = self.segments.entry((region, sequence)).or_default();
                if cut || durable.len() < segment.read_to {
                    *segment = Segment::default();
                }
                segment.read_on(durable);
            }
            FileName::Genesis | FileName::Ledger | FileName::LedgerAside => {}
        }
    }

    fn read_superblock(&mut self, durable: &[u8]) {
        for slot in durable.chunks(SLOT_STRIDE) {
            let Some(slot) = slot.get(..SLOT_BYTES) else { continue };
            if &slot[..8] != b"BILLSUP\x01" || half(slot, 8) != crc32c::crc32c(&slot[12..]) {
                continue;
            }
            let sequence = word(slot, 24);
            if sequence < self.sequence {
                continue;
            }
            self.sequence = sequence;
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
                };
                self.promises.insert(RegionId(entry[0]), promise);
            }
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

    /// Hash of the record at an index, if recovery would keep it.
    pub fn record_hash(&self, region: RegionId, index: LogIndex) -> Option<Hash> {
        let promise = self.promises.get(&region)?;
        if index == 0 || index > promise.durable_index {
            return None;
        }
        // Later segments hide earlier ones from their first index on.
        let range = (region, 1)..=(region, promise.tail_segment);
        let mut newest_first = self.segments.range(range).rev();
        let (_, segment) =
            newest_first.find(|(_, s)| s.first_index <= index && s.first_index > 0)?;
        segment.hashes.get((index - segment.first_index) as usize).copied()
    }
}

impl Segment {
    /// Reads the records behind what was read before; stops at the first that does not verify.
    fn read_on(&mut self, durable: &[u8]) {
        if self.read_to == 0 {
            if durable.len() < SEGMENT_HEADER_BYTES
                || half(durable, 8) != crc32c::crc32c(&durable[12..SEGMENT_HEADER_BYTES])
            {
                return;
            }
            self.first_index = word(durable, 40);
            self.read_to = SEGMENT_HEADER_BYTES;
        }
        while let Ok(length) = RecordView::length(&durable[self.read_to..]) {
            let Some(bytes) = durable.get(self.read_to..self.read_to + length) else { return };
            let Ok(view) = RecordView::decode(bytes) else { return };
            if view.header.index != self.first_index + self.hashes.len() as u64 {
                return;
            }
            self.hashes.push(view.header.hash);
            self.read_to += length;
        }
    }
}
