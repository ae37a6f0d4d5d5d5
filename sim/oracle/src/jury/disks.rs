//! What becomes of disks and of nodes that are opened from them: failed syncs, superblocks,
//! recoveries, damage and its repair.

use super::Jury;
use crate::evidence::Tail;
use crate::promises::{d6_bad_bytes_stay_out, d8_votes_are_durable, d9_recovery_keeps_the_tail};
use billing_wire::{Hash, LogIndex, NodeId, RegionId};

impl Jury {
    /// A granted vote leaves a node that lost its disk and was not let in again (D8).
    pub fn vote_of_forgotten(&mut self, at: u64, node: NodeId) {
        d8_votes_are_durable::of_forgotten(&mut self.verdicts, at, node);
    }

    /// A node lost its disk; it comes back as another one under its name (D8).
    pub fn wiped(&mut self, node: NodeId) {
        self.failed_syncs.reopened(node);
    }

    /// A sync failed on a node; from here on it must not acknowledge before it re-opened (D10).
    pub fn sync_failed(&mut self, _at: u64, node: NodeId) {
        self.failed_syncs.failed(node);
    }

    /// A node was opened from its disk: its log must end exactly where the durable tail of the
    /// crash image ended (D9), and it must fold again from what it kept.
    pub fn reopened(&mut self, at: u64, node: NodeId, _region: RegionId, disk: Tail, log: Tail) {
        self.failed_syncs.reopened(node);
        d9_recovery_keeps_the_tail::reopened(&mut self.verdicts, at, node, disk, log);
    }

    /// A node made a superblock durable; `unkept` is a record that it promises and that is not on
    /// the disk (D9): a power cut now would leave a node that must take it for damaged.
    pub fn superblock_synced(
        &mut self,
        at: u64,
        node: NodeId,
        unkept: Option<(RegionId, LogIndex)>,
    ) {
        d9_recovery_keeps_the_tail::superblock_synced(&mut self.verdicts, at, node, unkept);
    }

    /// A node was opened from a damaged disk, whose durable tail was `before`; `after` is what its
    /// disk promises now, and its last index. `is_kept`: nothing was cut, and what is missing is
    /// known to be (D9).
    pub fn reopened_damaged(
        &mut self,
        at: u64,
        node: NodeId,
        before: Tail,
        after: (Tail, LogIndex),
        is_kept: bool,
    ) {
        self.failed_syncs.reopened(node);
        let verdicts = &mut self.verdicts;
        d9_recovery_keeps_the_tail::reopened_damaged(verdicts, at, node, before, after, is_kept);
    }

    /// A node was opened from a damaged disk with this record, of which the disk once held the one
    /// with that hash (D6).
    pub fn taken_from_damaged(
        &mut self,
        at: u64,
        node: NodeId,
        place: (RegionId, LogIndex),
        record: &[u8],
        promised: Option<Hash>,
    ) {
        d6_bad_bytes_stay_out::taken(&mut self.verdicts, at, node, place, record, promised);
    }

    /// A node that repaired its log holds this at a committed place, in the end (D6).
    pub fn repaired(&mut self, at: u64, node: NodeId, place: (RegionId, LogIndex), record: &[u8]) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        d6_bad_bytes_stay_out::repaired(facts, verdicts, at, node, place, record);
    }
}
