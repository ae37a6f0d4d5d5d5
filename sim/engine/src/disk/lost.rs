//! What injected faults took from a disk: what an acknowledgement may have counted on, although it
//! is not there any more. Such an excuse ends. Once the leader of a log was told of the loss it
//! counts the copy no more, so only what was on enough disks at that instant is excused; and when
//! the node is let in again its disk must hold everything itself.

use super::Disk;
use super::inspector::Inspector;
use billing_wire::{Hash, LogIndex, RegionId};
use std::collections::BTreeMap;

/// Disks that were, and how far each log of theirs still excuses.
#[derive(Debug, Default)]
pub(super) struct Lost {
    disks: Vec<Inspector>,
    /// To the end, where nothing is said.
    bounds: BTreeMap<RegionId, LogIndex>,
}

impl Lost {
    /// A fault takes this.
    pub(super) fn take(&mut self, disk: Inspector) {
        let is_over = |region: &RegionId| self.bounds.get(region) == Some(&0);
        self.disks.retain(|disk| !disk.ends().all(|(region, _)| is_over(&region)));
        self.bounds.clear();
        self.disks.push(disk);
    }

    fn record_hash(&self, region: RegionId, index: LogIndex) -> Option<Hash> {
        let bound = self.bounds.get(&region).copied().unwrap_or(LogIndex::MAX);
        let mut newest_first = self.disks.iter().rev().filter(|_| index <= bound);
        newest_first.find_map(|disk| disk.record_hash(region, index))
    }

    fn end(&self, region: RegionId) -> LogIndex {
        let ends = self.disks.iter().flat_map(Inspector::ends);
        ends.filter(|(of, _)| *of == region).map(|(_, end)| end).max().unwrap_or(0)
    }
}

impl Disk {
    /// Hash of a record that the disk holds, or held before an injected fault took it away that
    /// may still be an excuse.
    pub fn has_held(&self, region: RegionId, index: LogIndex) -> Option<Hash> {
        let before = || self.lost.record_hash(region, index);
        self.promised().record_hash(region, index).or_else(before)
    }

    /// Last index of a log that a fault took away; 0: none did.
    pub fn lost_end(&self, region: RegionId) -> LogIndex {
        self.lost.end(region)
    }

    /// From now on a loss excuses nothing of a log beyond an index; what ended before stays so.
    pub fn excuse_up_to(&mut self, region: RegionId, index: LogIndex) {
        let bound = self.lost.bounds.entry(region).or_insert(index);
        *bound = index.min(*bound);
    }
}
