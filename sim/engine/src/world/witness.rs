//! What the world remembers for those who tell of it later: what clients did and were told, and
//! what a node lost. It changes nothing, and costs nothing where nobody asked.

use super::World;
use crate::clients::Population;
use billing_shell::Replica;
use billing_wire::{LogIndex, NodeId, RegionId};
use billsim_oracle::Event;
use billsim_oracle::evidence::Tail;
use billsim_oracle::history::History;

/// Entries of a region log that were durable on a node's disk, and not in its log after it was
/// opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostEntries {
    /// The region log.
    pub(crate) region: RegionId,
    /// They begin behind this index,
    pub(crate) kept: LogIndex,
    /// and end with this one.
    pub(crate) durable: LogIndex,
}

impl World {
    /// A node was opened from its disk, which ended like this, region by region.
    pub(super) fn judge_recovery(&mut self, node: NodeId, disk: &[Tail], replica: &Replica) {
        for (region, disk) in (0..).map(RegionId).zip(disk.iter().copied()) {
            let log = log_tail(replica, region);
            let (kept, durable) = (log.index, disk.index);
            if kept < durable {
                self.lost_entries.get_or_insert(LostEntries { region, kept, durable });
            }
            self.jury.reopened(self.now, node, region, disk, log);
        }
    }

    /// A persist is done: what its superblock promises must be on the disk.
    pub(super) fn disk_advances(&mut self, slot: usize) {
        let machine = &self.machines[slot];
        let mut disk = machine.disk();
        disk.advance(self.now);
        self.jury.superblock_synced(self.now, machine.node, disk.unkept.take());
        drop(disk);
        self.lead_astray(slot);
    }

    /// What the first node to lose durable entries lost.
    pub(crate) fn lost_entries(&self) -> Option<LostEntries> {
        self.lost_entries
    }

    /// Keeps what clients do and are told from here on.
    pub fn keep_history(&mut self) {
        self.history = Some(History::new());
    }

    /// What was kept.
    pub fn take_history(&mut self) -> Option<History> {
        self.history.take()
    }

    /// A client did something, or was told.
    pub(super) fn note_history(&mut self, event: &Event) {
        self.jury.client(event);
        self.outages.note(event);
        self.custody_of_client(event);
        self.tell_client(event);
        if let Some(history) = &mut self.history {
            history.push(event.clone());
        }
    }

    /// The clients.
    pub fn clients(&self) -> &Population {
        &self.clients
    }
}

fn log_tail(replica: &Replica, region: RegionId) -> Tail {
    let index = replica.node().last_index(region);
    let hash = replica
        .node()
        .record(region, index)
        .and_then(|record| billing_wire::RecordView::decode(record).ok())
        .map_or([0; 32], |view| view.header.hash);
    Tail { index, hash }
}
