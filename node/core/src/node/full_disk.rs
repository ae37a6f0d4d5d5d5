//! A full disk. What finds it is an append that fails: the node halts and is opened again, and
//! knows from the shell why. From then on it takes nothing for its logs, so that nothing is lost
//! that it would have to remember: it does not lead, stands for no election, leaves what leaders
//! send where it is, and commits nothing to its database. It votes, for that takes no space, and
//! serves reads. After a while it tries again: if there is still no space it learns so at once.

use super::Node;
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::answer::Unavailable;
use raft::eraftpb::{Message, MessageType};

/// A node that found its disk full tries again after so long, in milliseconds.
pub(super) const FULL_MS: u64 = 2_000;

impl Node {
    /// Whether the disk was found full a short time ago.
    pub(super) fn is_full(&self, now: Now) -> bool {
        self.found_full_at.is_some_and(|at| now.monotonic.ms_since(at) < FULL_MS)
    }

    /// Whether a message must be left unheard: there is no space for what it brings.
    pub(super) fn has_no_space_for(&self, now: Now, message: &Message) -> bool {
        let brings = message.msg_type == MessageType::MsgAppend && !message.entries.is_empty();
        let refused = brings && self.is_full(now);
        if refused {
            sometimes!("append-refused-by-a-full-disk");
        }
        refused
    }

    /// Why nobody here takes a write while no leader is known.
    pub(super) fn without_leader(&self, now: Now) -> Unavailable {
        if !self.is_full(now) {
            return Unavailable::NoLeader;
        }
        sometimes!("write-refused-by-a-full-disk");
        Unavailable::DiskFull
    }
}

/// When a node that is opened now found its disk full, if that was why it is.
pub(super) fn found_full_at(was_full: bool, now: Now) -> Option<Monotonic> {
    if was_full {
        sometimes!("opened-on-a-full-disk");
    }
    was_full.then_some(now.monotonic)
}
