//! What damage does to bytes that were durable: a bit flips, or a stretch becomes noise, zeros, or
//! what stands elsewhere on the disk.

use super::Disk;
use super::inspector::is_slot_valid;
use crate::seed::Stream;
use billing_core::FileName;
use billing_wire::{Hash, LogIndex, RegionId};
use std::ops::Range;

/// A kind of damage.
#[derive(Debug, Clone)]
pub enum Harm {
    /// One bit of the stretch.
    Bit(u8),
    /// All of it is zeros.
    Zeros,
    /// All of it is this noise, over and over.
    Noise([u8; 8]),
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
        self.files.get(&file).map_or(0, |file| file.durable().len() as u64)
    }

    /// Every segment.
    pub fn segments(&self) -> Vec<FileName> {
        let is_segment = |name: &&FileName| matches!(name, FileName::Segment { .. });
        self.files.keys().filter(is_segment).copied().collect()
    }

    /// Whether a slot of the superblock holds one that verifies.
    pub fn is_slot_good(&self, slot: usize) -> bool {
        let Some(file) = self.files.get(&FileName::Superblock) else { return false };
        file.durable().chunks(4_096).nth(slot).is_some_and(is_slot_valid)
    }

    /// The disk is gone. What it had held is remembered for [`Self::has_held`].
    pub fn lose(&mut self) {
        self.lost = Some(std::mem::take(&mut self.inspector));
        self.destroy();
    }

    /// Hash of a record that the disk holds, or held before it was lost.
    pub fn has_held(&self, region: RegionId, index: LogIndex) -> Option<Hash> {
        let before = || self.lost.as_ref()?.record_hash(region, index);
        self.inspector.record_hash(region, index).or_else(before)
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
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use super::Harm;
    use crate::seed::{Purpose, Stream};

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
