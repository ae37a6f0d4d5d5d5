//! What a leader may count on of a node that lost its disk: nothing, once it was told (D8), until
//! that node is let in again. And what the lost disk excuses from then on (D1): what was on enough
//! disks, the lost one included, when the leader was told.

use super::World;
use billing_shell::Replica;
use billing_wire::frame::FRAME_KIND_AT;
use billing_wire::{Frame, FrameKind, LogIndex, RegionId};
use bytes::Bytes;

/// A node was told by another one that that one lost its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    slot: usize,
    life: u32,
    lost: usize,
    region: RegionId,
    generation: u8,
    /// What is excused was looked at.
    is_settled: bool,
}

impl World {
    /// A frame is about to be fed to a node.
    pub(super) fn may_tell_of_loss(&mut self, slot: usize, bytes: &Bytes) {
        if bytes.get(FRAME_KIND_AT) != Some(&(FrameKind::LogEndRequest as u8)) {
            return;
        }
        let Ok(frame) = Frame::decode(bytes) else { return };
        let from = frame.header.from;
        let lost = self.machines.iter().position(|machine| machine.node == from);
        if let (Some(lost), Some(&generation @ 1..)) = (lost, frame.body.first()) {
            let (life, region) = (self.machines[slot].life, frame.header.region);
            let told = Told { slot, life, lost, region, generation, is_settled: false };
            let is_same = |known: &Told| Told { is_settled: false, ..*known } == told;
            if !self.told_of_losses.iter().any(is_same) {
                self.told_of_losses.push(told);
            }
        }
    }

    /// A node was fed: if it leads and knows of lost disks, it must count nothing of theirs.
    pub(super) fn judge_counts(&mut self, slot: usize, replica: &Replica) {
        let mut at = 0;
        while let Some(&told) = self.told_of_losses.get(at) {
            if told.slot != slot {
                at += 1;
                continue;
            }
            let lost = self.machines[told.lost].node;
            let counted = replica.node().counted(told.region, lost);
            match counted.filter(|_| told.life == self.machines[slot].life && self.is_out(&told)) {
                Some(counted) => {
                    let (now, node) = (self.now, self.machines[slot].node);
                    self.jury.counts_of_forgotten(now, node, (lost, told.region), counted);
                    if !told.is_settled && self.leads_for_certain(slot, told.region) {
                        self.settle_excuse(&told);
                        self.told_of_losses[at].is_settled = true;
                    }
                    at += 1;
                }
                None => {
                    self.told_of_losses.swap_remove(at);
                }
            }
        }
    }

    /// Whether the node that lost its disk was not let in since.
    fn is_out(&self, told: &Told) -> bool {
        let disk = self.machines[told.lost].disk();
        let promise = disk.promised().promise(told.region);
        promise.is_some_and(|promise| promise.forgotten && promise.generation == told.generation)
    }

    /// Whether no other node can lead a region log: one that was deposed counts for nobody.
    fn leads_for_certain(&self, slot: usize, region: RegionId) -> bool {
        let term = |slot: usize| {
            let disk = self.machines[slot].disk();
            disk.promised().promise(region).map_or(0, |promise| promise.term)
        };
        self.region_slots(region.0.into()).all(|other| term(other) <= term(slot))
    }

    fn settle_excuse(&mut self, told: &Told) {
        let members = self.slots_beside(told.lost);
        let hash = |slot: usize, index| self.machines[slot].disk().has_held(told.region, index);
        let lay_on_enough = |index: &LogIndex| {
            let own = hash(told.lost, *index);
            let copies = members.clone().filter(|slot| hash(*slot, *index) == own).count();
            own.is_some() && 2 * copies > members.len()
        };
        let end = self.machines[told.lost].disk().lost_end(told.region);
        let excused = (1..=end).rev().find(lay_on_enough).unwrap_or(0);
        self.machines[told.lost].disk().excuse_up_to(told.region, excused);
    }
}
