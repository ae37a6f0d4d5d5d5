//! Sectors of a file that damage has changed. They are rotten until they are as they were before,
//! for a bit that flips twice does no harm, or until they are written as a whole: by a write that
//! endured, or by that part of one which a power cut let through.

use super::astray::SECTOR;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Damage is told in units of so many bytes.
pub(super) const BLOCK: usize = 4096;

/// The struck sectors of a file, as they were before.
#[derive(Debug, Default)]
pub(super) struct Rot(BTreeMap<usize, Vec<u8>>);

impl Rot {
    /// Damage is about to strike what is durable there.
    pub(super) fn strikes(&mut self, durable: &[u8], range: &Range<usize>) {
        for sector in range.start / SECTOR..=(range.end - 1) / SECTOR {
            let end = ((sector + 1) * SECTOR).min(durable.len());
            self.0.entry(sector).or_insert_with(|| durable[sector * SECTOR..end].to_vec());
        }
    }

    /// A stretch was written and is durable.
    pub(super) fn written(&mut self, range: &Range<usize>) {
        let whole = range.start.div_ceil(SECTOR)..range.end / SECTOR;
        self.0.retain(|sector, _| !whole.contains(sector));
    }

    /// The file became so long.
    pub(super) fn cut(&mut self, length: usize) {
        self.0.retain(|sector, _| *sector < length.div_ceil(SECTOR));
    }

    /// Which blocks are rotten, given what is durable.
    pub(super) fn blocks(&self, durable: &[u8]) -> Vec<usize> {
        let differs = |(sector, before): &(&usize, &Vec<u8>)| {
            durable.chunks(SECTOR).nth(**sector).is_some_and(|now| now != before.as_slice())
        };
        let blocks = self.0.iter().filter(differs).map(|(sector, _)| sector * SECTOR / BLOCK);
        blocks.collect::<BTreeSet<usize>>().into_iter().collect()
    }
}
