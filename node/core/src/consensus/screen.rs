//! What a peer says is screened before the library hears it: the library panics on impossible
//! messages, and a peer with a broken disk must not take this node with it.

use super::window::LogWindow;
use billing_wire::{Incarnation, LogIndex, RecordHeader, RecordView, RegionId};
use raft::eraftpb::{Message, MessageType};
use thiserror::Error;

/// Why a message was not stepped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// From outside the group.
    #[error("message of node {0}, which is no member of the group")]
    Stranger(u64),
    /// The incarnation is sealed, or not let in yet.
    #[error("the region log takes nothing: its incarnation is sealed, or not let in yet")]
    Sealed,
    /// Records that were promised are missing.
    #[error("the region log takes nothing: records of it are missing here")]
    Damaged,
    /// An entry that does not verify or is out of place.
    #[error("entry {0} does not verify or is out of place")]
    Entry(LogIndex),
    /// An entry that contradicts a committed one.
    #[error("entry {0} contradicts a committed one")]
    CommittedConflict(LogIndex),
    /// A commit index or a match beyond what this log holds.
    #[error("index {0} is beyond the end of the log at {1}: this log or the sender's lost a tail")]
    BeyondTheEnd(LogIndex, LogIndex),
}

/// The state that messages are screened against.
pub(super) struct Screen<'a> {
    /// The region log.
    pub(super) region: RegionId,
    /// The region's incarnation.
    pub(super) incarnation: Incarnation,
    /// The records, those not yet durable included.
    pub(super) window: &'a LogWindow,
    /// What is known to be committed.
    pub(super) committed: LogIndex,
}

impl Screen<'_> {
    /// Whether the library may hear a message.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check(&self, message: &Message) -> Result<(), Refused> {
        let last = self.window.last_index();
        match message.msg_type {
            MessageType::MsgAppend => self.entries(message),
            MessageType::MsgHeartbeat if message.commit > last => {
                Err(Refused::BeyondTheEnd(message.commit, last))
            }
            MessageType::MsgAppendResponse if !message.reject && message.index > last => {
                Err(Refused::BeyondTheEnd(message.index, last))
            }
            _ => Ok(()),
        }
    }

    fn entries(&self, message: &Message) -> Result<(), Refused> {
        // Without the entry before, the library asks for earlier ones and takes none of these.
        let before = match message.index {
            0 => None,
            index => match self.window.get(index) {
                Some(slot) if slot.header.term == message.log_term => Some(slot.header),
                _ => return Ok(()),
            },
        };
        let mut prev: Option<RecordHeader> = before;
        for entry in &message.entries {
            let known = self.window.get(entry.index);
            if let Some(slot) = known.filter(|slot| slot.header.term == entry.term) {
                prev = Some(slot.header);
                continue;
            }
            if entry.index <= self.committed {
                return Err(Refused::CommittedConflict(entry.index));
            }
            prev = Some(self.follows(entry, prev.as_ref())?);
        }
        Ok(())
    }

    fn follows(
        &self,
        entry: &raft::eraftpb::Entry,
        prev: Option<&RecordHeader>,
    ) -> Result<RecordHeader, Refused> {
        if !entry.data.is_empty() {
            let refused = Refused::Entry(entry.index);
            let view = RecordView::decode(&entry.data).map_err(|_| refused.clone())?;
            let header = view.header;
            let fits = header.index == entry.index
                && header.term == entry.term
                && header.region == self.region
                && header.incarnation == self.incarnation
                && header.prev_hash == prev.map_or([0; 32], |prev| prev.hash);
            return if fits { Ok(header) } else { Err(refused) };
        }
        Ok(self.window.slot_behind(entry, prev).header)
    }
}
