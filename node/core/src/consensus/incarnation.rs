//! What happens to a region log when its region is sealed (billing.md §7): this node takes no more
//! of the incarnation, adopts the chain as it was sealed, and begins the next incarnation behind
//! it: a new group with the same members, all of which have the same log, all of it committed.
//! Until its region is let in again that group does nothing.

use super::region_log::{RegionLog, group};
use super::window::Slot;
use super::{Consensus, Sink};
use crate::io::Role;
use billing_wire::{Hlc, Incarnation, LogIndex};
use bytes::Bytes;
use raft::eraftpb::HardState;

/// An adopted chain that is not known to be durable yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adopted {
    /// Its last entry.
    end: LogIndex,
    /// It is in the persist that runs.
    is_persisting: bool,
}

impl RegionLog {
    /// The incarnation of the region whose entries this node takes.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether this node has promised to take no more of the incarnation.
    pub fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// Whether the incarnation is sealed or not let in yet, or the log is damaged.
    pub(super) fn is_out(&self) -> bool {
        self.fenced || self.is_dormant || self.is_damaged()
    }

    /// Takes no more of this incarnation, whoever asks. A promise once it is durable.
    pub fn fence<S: Sink>(&mut self, sink: &mut S) {
        if self.fenced {
            return;
        }
        self.fenced = true;
        sink.fence(self.region);
        if self.role() == Role::Leader {
            self.step_down();
        }
    }

    /// Leaves the incarnation behind: of the log its first `kept` records stay, `rest` follows
    /// them, and all of that is committed once it is durable. Returns the records that were left
    /// out.
    ///
    /// # Panics
    /// When the chain does not hold together, or `next` is not a later incarnation.
    pub fn reincarnate<S: Sink>(
        &mut self,
        kept: LogIndex,
        rest: Vec<Slot>,
        next: Incarnation,
        sink: &mut S,
    ) -> Vec<Bytes> {
        assert!(next > self.incarnation, "{next:?} comes after {:?}", self.incarnation);
        let (behind, term) = match self.give_up_damage() {
            Some((behind, state)) => (behind, state.term.max(self.raft.raft.term)),
            None => (Vec::new(), self.raft.raft.term),
        };
        let window = self.raft.mut_store();
        let mut left_out = window.split_off(kept);
        let kept_hash = window.last().map_or([0; 32], |last| last.hash);
        sink.reincarnate(self.region, next, (kept, kept_hash));
        for slot in rest {
            sink.append(&slot.header, &slot.bytes);
            window.push(slot);
        }
        let end = window.last_index();
        let is_left_out = |slot: &Slot| {
            window.get(slot.header.index).is_none_or(|own| own.header.hash != slot.header.hash)
        };
        left_out.extend(behind.into_iter().filter(is_left_out));
        // A vote of the old group must not be mistaken for one of the new group, and no entry of
        // the new group may have a lower term than one of the chain, which this node need not have
        // known before: a log is up to date by its last term (Raft, §5.4.1).
        let term = term.max(window.last().map_or(0, |last| last.term)) + 1;
        sink.hard_state(self.region, term, 0);
        sink.commit(self.region, end);
        let hard_state = HardState { term, vote: 0, commit: end, ..HardState::default() };
        let window = window.reincarnated(next, hard_state);
        self.raft = group(self.config, end, window);
        self.incarnation = next;
        self.waiting.clear();
        (self.handed_over, self.persisting) = (0, None);
        self.committed = self.committed.min(kept);
        self.adopted = Some(Adopted { end, is_persisting: false });
        (self.fenced, self.is_dormant) = (false, true);
        self.note_role();
        self.stand_in_turn();
        left_out.into_iter().map(|slot| slot.bytes).collect()
    }

    /// The region was let in again: the group of its new incarnation begins to work. Nothing of
    /// it is stamped at or below `floor`.
    pub fn wake(&mut self, floor: Hlc) {
        self.is_dormant = false;
        self.raft.mut_store().raise_floor(floor);
    }

    /// Whether the group waits for its region to be let in.
    pub fn is_dormant(&self) -> bool {
        self.is_dormant
    }

    /// Whether an adopted chain is not durable yet.
    pub fn is_adopting(&self) -> bool {
        self.adopted.is_some()
    }

    pub(super) fn adoption_persists(&mut self) {
        if let Some(adopted) = &mut self.adopted {
            adopted.is_persisting = true;
        }
    }

    pub(super) fn adoption_persisted(&mut self) {
        if let Some(Adopted { end, is_persisting: true }) = self.adopted {
            self.committed = end;
            self.adopted = None;
        }
    }
}
