//! The end of a lost log goes through the log that seals it. The copy that the tail rule picks may
//! lie on one disk, and a seal that names records which nobody has would stop finality for good. So
//! before the seal its leader logs every record that is not known to lie on a majority of each
//! region that is left: what only one disk held is then as durable as the seal itself.
//!
//! What is known to lie there is what a node reports: all of the chain, if its copy ends where the
//! chain ends; else what it knows to be committed, for committed prefixes of copies of one log are
//! equal and the longest copy in Raft's sense begins with them (Raft, §5.4.3).

use super::Node;
use super::chain_records::{follows, holds, next_slot};
use crate::consensus::Slot;
use crate::sometimes;
use billing_wire::limits::CHAIN_PART_BYTES_MAX;
use billing_wire::{ChainPart, Control, LogIndex, SealedChain};
use bytes::Bytes;

impl Node {
    /// Logs the records of a chain behind its first `kept`; this node has them.
    pub(super) fn log_chain_end(&mut self, chain: &SealedChain, kept: LogIndex) {
        if kept >= chain.last_index {
            return;
        }
        sometimes!("chain-end-logged");
        let records = (kept + 1..=chain.last_index).filter_map(|index| self.slot_of(chain, index));
        let end: Vec<u8> = records.flat_map(|slot| slot.bytes.iter().copied()).collect();
        for (place, piece) in end.chunks(CHAIN_PART_BYTES_MAX).enumerate() {
            let offset = (place * CHAIN_PART_BYTES_MAX) as u64;
            let bytes = piece.to_vec();
            let part = ChainPart { chain: *chain, kept, offset, bytes };
            self.to_log.push_back(Control::ChainPart(part));
        }
    }

    /// The end of a sealed chain as it was logged, behind what the own copy has of it.
    pub(super) fn logged_end(&self, chain: &SealedChain) -> Option<(LogIndex, Vec<Slot>)> {
        let mut ends = self.seals.ends_of(chain);
        ends.find_map(|(kept, bytes)| Some((kept, self.join(chain, kept, &bytes)?)))
    }

    /// The records in `bytes`, which follow the own copy's first `kept`; `None` when they do not
    /// make up the chain.
    fn join(&self, chain: &SealedChain, kept: LogIndex, bytes: &Bytes) -> Option<Vec<Slot>> {
        let window = self.logs[usize::from(chain.region.0)].window();
        let (mut at, mut rest) = (0, Vec::new());
        while at < bytes.len() {
            let index = kept + rest.len() as u64 + 1;
            let slot = next_slot(bytes, &mut at, chain, index)?;
            let before = rest.last().or_else(|| window.get(index - 1));
            if !follows(&slot, before) {
                return None;
            }
            rest.push(slot);
        }
        holds(rest.last(), chain).then_some(rest)
    }
}
