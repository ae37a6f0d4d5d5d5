//! The log as the consensus library reads it: every record of the region log, in memory. Reading
//! old records back from the journal comes with log archiving; until then a node's memory grows
//! with its log (README, "Limits").

use billing_wire::{Hlc, Incarnation, LogIndex, RecordHeader, RecordKind, RecordView, RegionId};
use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::storage::{GetEntriesContext, RaftState, Storage};
use raft::{Error, StorageError};

/// A record and its decoded header.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The fixed part.
    pub header: RecordHeader,
    /// The encoded record.
    pub bytes: Bytes,
}

impl Slot {
    /// The record, which was verified when it came in.
    pub fn view(&self) -> RecordView<'_> {
        RecordView::of_verified(self.header, &self.bytes)
    }
}

/// Every record of one region log from index 1.
#[derive(Debug)]
pub struct LogWindow {
    region: RegionId,
    incarnation: Incarnation,
    /// Nothing that the library makes is stamped at or below it.
    floor: Hlc,
    slots: Vec<Slot>,
    hard_state: HardState,
    members: ConfState,
}

impl LogWindow {
    /// A log over verified records.
    ///
    /// # Panics
    /// When a record does not decode: recovery has verified each.
    pub fn new(
        region: RegionId,
        incarnation: Incarnation,
        records: Vec<Bytes>,
        hard_state: HardState,
        members: ConfState,
    ) -> Self {
        let slot = |bytes: Bytes| {
            let header = RecordHeader::read(&bytes).expect("recovery verified it");
            Slot { header, bytes }
        };
        let slots = records.into_iter().map(slot).collect();
        Self { region, incarnation, floor: Hlc::ZERO, slots, hard_state, members }
    }

    /// An incarnation of this log, as it stands, and its state in consensus.
    pub(super) fn reincarnated(&mut self, incarnation: Incarnation, hard_state: HardState) -> Self {
        let slots = std::mem::take(&mut self.slots);
        let (region, members) = (self.region, self.members.clone());
        Self { region, incarnation, floor: Hlc::ZERO, slots, hard_state, members }
    }

    /// Takes off what lies behind the first `kept` records.
    pub(super) fn split_off(&mut self, kept: LogIndex) -> Vec<Slot> {
        self.slots.split_off((kept as usize).min(self.slots.len()))
    }

    /// Takes a verified record of the chain that is adopted.
    ///
    /// # Panics
    /// When it does not follow the last one.
    pub(super) fn push(&mut self, slot: Slot) {
        let prev_hash = self.last().map_or([0; 32], |last| last.hash);
        assert_eq!(slot.header.prev_hash, prev_hash, "the adopted chain holds together");
        self.slots.push(slot);
    }

    /// Nothing that the library makes from here on is stamped at or below `floor`.
    pub(super) fn raise_floor(&mut self, floor: Hlc) {
        self.floor = floor;
    }

    /// The slot of an entry that follows `prev`.
    pub(super) fn slot_behind(&self, entry: &Entry, prev: Option<&RecordHeader>) -> Slot {
        slot_of(self.region, self.incarnation, self.floor, entry, prev)
    }

    /// Header of the last record.
    pub fn last(&self) -> Option<&RecordHeader> {
        self.slots.last().map(|slot| &slot.header)
    }

    /// Last index; 0 when empty.
    pub fn last_index(&self) -> LogIndex {
        self.slots.len() as u64
    }

    /// The record at an index.
    pub fn get(&self, index: LogIndex) -> Option<&Slot> {
        self.slots.get(index.checked_sub(1)? as usize)
    }

    /// Takes an entry that the library made durable-bound: decodes it or derives the record of
    /// an entry that the library made itself. Replaces what is behind it.
    ///
    /// # Panics
    /// On a gap or a broken hash chain: messages are screened before they are stepped.
    pub fn append(&mut self, entry: &Entry) -> &Slot {
        let kept = entry.index as usize - 1;
        assert!(kept <= self.slots.len(), "entry {} leaves a gap in the log", entry.index);
        self.slots.truncate(kept);
        let slot = self.slot_behind(entry, self.last());
        let prev_hash = self.last().map_or([0; 32], |last| last.hash);
        assert_eq!(slot.header.prev_hash, prev_hash, "entry {} breaks the chain", entry.index);
        self.slots.push(slot);
        &self.slots[kept]
    }
}

/// The record of an entry. Empty entries are the library's own and get a derived header.
fn slot_of(
    region: RegionId,
    incarnation: Incarnation,
    floor: Hlc,
    entry: &Entry,
    prev: Option<&RecordHeader>,
) -> Slot {
    if !entry.data.is_empty() {
        let header = RecordHeader::read(&entry.data).expect("screened before it came here");
        assert_eq!((header.index, header.term), (entry.index, entry.term), "place of a record");
        return Slot { header, bytes: entry.data.clone() };
    }
    let mut header = RecordHeader::derived_noop(region, incarnation, entry.term, prev);
    header.hlc = header.hlc.max(floor.next());
    let mut record = billing_wire::Record { header, submissions: Vec::new() };
    let bytes = Bytes::from(record.encode());
    Slot { header: record.header, bytes }
}

fn entry_of(slot: &Slot) -> Entry {
    let data = match slot.header.kind {
        RecordKind::Noop => Bytes::new(),
        _ => slot.bytes.clone(),
    };
    Entry { term: slot.header.term, index: slot.header.index, data, ..Entry::default() }
}

impl Storage for LogWindow {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.members.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low == 0 || high > self.last_index() + 1 {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let budget = max_size.into().unwrap_or(u64::MAX);
        let mut bytes = 0;
        let mut entries = Vec::with_capacity((high - low) as usize);
        for slot in &self.slots[low as usize - 1..high as usize - 1] {
            bytes += slot.bytes.len() as u64;
            if !entries.is_empty() && bytes > budget {
                break;
            }
            entries.push(entry_of(slot));
        }
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == 0 {
            return Ok(0);
        }
        let slot = self.get(index).ok_or(Error::Store(StorageError::Unavailable))?;
        Ok(slot.header.term)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.slots.len() as u64)
    }

    fn snapshot(&self, _: u64, _: u64) -> raft::Result<Snapshot> {
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

#[cfg(test)]
mod tests {
    use super::LogWindow;
    use billing_wire::{Incarnation, RegionId};
    use raft::eraftpb::{ConfState, Entry, HardState};
    use raft::storage::{GetEntriesContext, Storage};

    /// A log of entries that the library made; all are of one size.
    fn window(entries: u64) -> LogWindow {
        let (region, incarnation) = (RegionId(0), Incarnation(0));
        let (state, members) = (HardState::default(), ConfState::default());
        let mut window = LogWindow::new(region, incarnation, Vec::new(), state, members);
        for index in 1..=entries {
            window.append(&Entry { index, term: 1, ..Entry::default() });
        }
        window
    }

    #[test]
    fn a_message_takes_as_many_entries_as_it_may_and_one_at_least() {
        let window = window(5);
        let bytes = window.get(1).unwrap().bytes.len() as u64;
        let indexes = |low: u64, high: u64, max_size: Option<u64>| -> Vec<u64> {
            let context = GetEntriesContext::empty(false);
            let entries = window.entries(low, high, max_size, context).unwrap();
            entries.iter().map(|entry| entry.index).collect()
        };
        assert_eq!(indexes(2, 6, None), [2, 3, 4, 5]);
        assert_eq!(indexes(2, 6, Some(2 * bytes)), [2, 3]);
        assert_eq!(indexes(2, 6, Some(3 * bytes - 1)), [2, 3]);
        assert_eq!(indexes(2, 6, Some(0)), [2], "else nothing would ever be sent");
    }

    #[test]
    fn what_the_log_does_not_hold_is_not_there() {
        let window = window(3);
        let entries = |low, high| {
            window
                .entries(low, high, None, GetEntriesContext::empty(false))
                .map(|found| found.len())
        };
        assert_eq!(entries(1, 4), Ok(3));
        assert!(entries(0, 2).is_err(), "entries are numbered from 1");
        assert!(entries(2, 5).is_err(), "the last one is 3");
    }
}
