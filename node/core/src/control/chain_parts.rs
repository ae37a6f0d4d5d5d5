//! Ends of lost logs, as they were logged before the seals that name them. Kept for as long as the
//! node lives: they are short, and a node that starts again reads them from the log again.

use crate::sometimes;
use billing_wire::{ChainPart, LogIndex, SealedChain};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// The ends that were logged so far, by their chain and the records before them.
#[derive(Debug, Default)]
pub(super) struct ChainParts {
    ends: BTreeMap<(SealedChain, LogIndex), BytesMut>,
}

impl ChainParts {
    /// Takes the next piece of an end. Two leaders that logged the same end logged the same bytes.
    pub(super) fn note(&mut self, part: &ChainPart) {
        let end = self.ends.entry((part.chain, part.kept)).or_default();
        if part.offset == end.len() as u64 {
            end.extend_from_slice(&part.bytes);
        } else {
            sometimes!("chain-end-logged-twice");
        }
    }

    /// The ends of a chain: how many of its records are before each, and its bytes.
    pub(super) fn of(&self, chain: &SealedChain) -> impl Iterator<Item = (LogIndex, Bytes)> {
        let range = (*chain, 0)..=(*chain, LogIndex::MAX);
        self.ends.range(range).map(|((_, kept), end)| (*kept, end.clone().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{Incarnation, RegionId};

    fn chain(last_index: LogIndex) -> SealedChain {
        let (region, incarnation) = (RegionId(1), Incarnation(0));
        SealedChain { region, incarnation, last_index, last_hash: [4; 32] }
    }

    fn ends(parts: &ChainParts, of: SealedChain) -> Vec<(LogIndex, Vec<u8>)> {
        parts.of(&of).map(|(kept, bytes)| (kept, bytes.to_vec())).collect()
    }

    #[test]
    fn pieces_follow_one_another_and_a_repeated_one_changes_nothing() {
        let mut parts = ChainParts::default();
        let mut note = |last_index, kept, offset, bytes: &[u8]| {
            let bytes = bytes.to_vec();
            parts.note(&ChainPart { chain: chain(last_index), kept, offset, bytes });
        };
        note(9, 5, 0, b"ab");
        note(9, 5, 0, b"ab");
        note(9, 5, 2, b"c");
        note(9, 7, 0, b"c");
        note(8, 5, 0, b"ab");
        let expected = vec![(5, b"abc".to_vec()), (7, b"c".to_vec())];
        assert_eq!(ends(&parts, chain(9)), expected);
        assert_eq!(ends(&parts, chain(8)), vec![(5, b"ab".to_vec())]);
        assert_eq!(ends(&parts, chain(7)), vec![]);
    }
}
