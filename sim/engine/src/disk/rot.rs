//! Blocks of a file that damage has changed. They are rotten until they are as they were before,
//! for a bit that flips twice does no harm, or until they are written as a whole.

use std::collections::BTreeMap;
use std::ops::Range;

/// Damage is remembered in units of so many bytes.
pub(super) const BLOCK: usize = 4096;

/// The struck blocks of a file, as they were before.
#[derive(Debug, Default)]
pub(super) struct Rot(BTreeMap<usize, Vec<u8>>);

impl Rot {
    /// Damage is about to strike what is durable there.
    pub(super) fn strikes(&mut self, durable: &[u8], range: &Range<usize>) {
        for block in range.start / BLOCK..=(range.end - 1) / BLOCK {
            let end = ((block + 1) * BLOCK).min(durable.len());
            self.0.entry(block).or_insert_with(|| durable[block * BLOCK..end].to_vec());
        }
    }

    /// A write became durable.
    pub(super) fn written(&mut self, range: &Range<usize>) {
        let whole = range.start.div_ceil(BLOCK)..range.end / BLOCK;
        self.0.retain(|block, _| !whole.contains(block));
    }

    /// The file became so long.
    pub(super) fn cut(&mut self, length: usize) {
        self.0.retain(|block, _| *block < length.div_ceil(BLOCK));
    }

    /// Which blocks are rotten, given what is durable.
    pub(super) fn blocks(&self, durable: &[u8]) -> Vec<usize> {
        let differs = |(block, before): &(&usize, &Vec<u8>)| {
            durable.chunks(BLOCK).nth(**block).is_some_and(|now| now != before.as_slice())
        };
        self.0.iter().filter(differs).map(|(block, _)| *block).collect()
    }
}
