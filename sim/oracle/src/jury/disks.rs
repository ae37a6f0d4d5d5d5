//! What becomes of disks and of nodes that are opened from them: failed syncs, superblocks,
//! recoveries, damage and its repair.

use super::Jury;
use crate::evidence::{Restoration, Tail};
use crate::promises::{
    d6_bad_bytes_stay_out, d8_votes_are_durable, d9_recovery_keeps_the_tail,
    d11_restore_is_the_prefix,
};
use billing_wire::{Hash, LogIndex, NodeId, RegionId};

impl Jury {
    /// A granted vote leaves a node that lost its disk and was not let in again (D8).
    pub fn vote_of_forgotten(&mut self, at: u64, node: NodeId) {
        d8_votes_are_durable::of_forgotten(&mut self.verdicts, at, node);
    }

    /// A leader was told that a node lost its disk, which was not let in again since: up to
    /// `counted` the leader counts its copy of a region log (D8).
    pub fn counts_of_forgotten(
        &mut self,
        at: u64,
        leader: NodeId,
        lost: (NodeId, RegionId),
        counted: LogIndex,
    ) {
        d8_votes_are_durable::counted(&mut self.verdicts, at, leader, lost, counted);
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

    /// A node has read its disk through and found it whole; `left` is what is damaged there (D6).
    pub fn scrubbed(&mut self, at: u64, node: NodeId, left: Option<String>) {
        d6_bad_bytes_stay_out::scrubbed(&mut self.verdicts, at, node, left);
    }

    /// An archive was read (D11): whether any of its objects was harmed, and why a restore to its
    /// end is refused, if it is.
    pub fn archive_read(&mut self, at: u64, is_harmed: bool, refused: Option<&str>) {
        d11_restore_is_the_prefix::read(&mut self.verdicts, at, is_harmed, refused);
    }

    /// An archive was restored as far as it is whole (D11).
    pub fn restored(&mut self, at: u64, restoration: &Restoration) {
        d11_restore_is_the_prefix::restored(&self.facts, &mut self.verdicts, at, restoration);
    }

    /// It was not (D11).
    pub fn restore_failed(&mut self, at: u64, error: &str) {
        d11_restore_is_the_prefix::failed(&mut self.verdicts, at, error);
    }

    /// Whether an archive lacks what its node knew before the bound, and is called late (D11).
    pub fn archive_age(&mut self, at: u64, is_behind: bool, says_late: bool) {
        d11_restore_is_the_prefix::age(&mut self.verdicts, at, is_behind, says_late);
    }

    /// State hashes of a restore and of a live node at the same frontier (D11).
    pub fn restored_beside(&mut self, at: u64, restored: u128, live: u128) {
        d11_restore_is_the_prefix::beside(&mut self.verdicts, at, restored, live);
    }

    /// A node that repaired its log holds this at a committed place, in the end, and another node
    /// that (D6).
    pub fn repaired_beside(
        &mut self,
        at: u64,
        node: NodeId,
        place: (RegionId, LogIndex),
        record: &[u8],
        other: &[u8],
    ) {
        d6_bad_bytes_stay_out::beside(&mut self.verdicts, at, node, place, record == other);
    }

    /// A node that repaired its log holds this at a place, as soon as it has and in the end (D6).
    pub fn repaired(&mut self, at: u64, node: NodeId, place: (RegionId, LogIndex), record: &[u8]) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        d6_bad_bytes_stay_out::repaired(facts, verdicts, at, node, place, record);
    }
}
