//! Region logs: each is one Raft group, driven as a pure step function behind one trait. What
//! the library makes is turned into our own records here; nothing of its wire format leaves.

mod damage;
mod incarnation;
mod lost_disk;
pub mod message;
mod region_log;
mod screen;
mod stagger;
mod window;

pub use message::{Life, Presence};
pub use region_log::{GroupConfig, RegionLog};
pub use screen::Refused;
pub(crate) use stagger::mix;
pub use window::{LogWindow, Slot};

use crate::io::Role;
use billing_wire::{Hash, Incarnation, LogIndex, NodeId, RecordHeader, RegionId, Term};
use bytes::Bytes;
use raft::eraftpb::Message;

/// Where a region log puts what it wants done.
pub trait Sink {
    /// A record that must become durable; it follows the last one or replaces a suffix.
    fn append(&mut self, header: &RecordHeader, bytes: &Bytes);
    /// A term and vote that must become durable.
    fn hard_state(&mut self, region: RegionId, term: Term, vote: u64);
    /// A commit index; may be forgotten.
    fn commit(&mut self, region: RegionId, index: LogIndex);
    /// A message that may leave now.
    fn send(&mut self, region: RegionId, life: Life, message: &Message);
    /// A region log takes no more of its incarnation; must become durable.
    fn fence(&mut self, region: RegionId);
    /// The next incarnation of a region log begins behind this entry and its hash.
    fn reincarnate(&mut self, region: RegionId, incarnation: Incarnation, kept: (LogIndex, Hash));
}

/// A replicated log as the node sees it: the four verbs of a consensus library.
pub trait Consensus {
    /// One tick passed.
    fn tick(&mut self);

    /// A peer's message, which is screened first.
    ///
    /// # Errors
    /// When it cannot be believed; nothing happened then.
    fn step(&mut self, message: Message) -> Result<(), Refused>;

    /// Appends an encoded record as leader. `false`: not the leader, or not now.
    fn propose(&mut self, record: Bytes) -> bool;

    /// Hands over everything that is ready.
    fn ready<S: Sink>(&mut self, sink: &mut S);

    /// A persist starts: what was handed over so far is in it.
    fn persist_started(&mut self);

    /// The persist that was started is durable: what waited for it may leave.
    fn persisted<S: Sink>(&mut self, sink: &mut S);

    /// Last index whose commitment the library has handed over.
    fn committed(&self) -> LogIndex;

    /// Part in the group.
    fn role(&self) -> Role;

    /// Who leads, as far as is known.
    fn leader(&self) -> Option<NodeId>;
}
