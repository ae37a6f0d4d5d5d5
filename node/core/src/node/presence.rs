//! Whether this node is what the others know (billing.md §8). Each superblock has a sequence;
//! nodes of a region tell each other theirs (a leader tells its followers of each other), keep the
//! highest that they saw in their own superblock, and state it in every message. A node that is
//! told of a higher one than it had when it was opened, and has stated none as high since, was made
//! again or got an older disk: it forgot what it promised, says so durably, and opens again as one
//! that the others must let in. That it has one as high by now says nothing: whoever repairs his
//! log writes superblocks before he hears anybody. It finds out itself: messages that overtake each
//! other tell nobody else anything.

use super::Node;
use crate::canary;
use crate::consensus::{Presence, RegionLog};
use crate::io::{HaltReason, Input, Output, Outputs, PersistToken};
use crate::journal::Superblock;
use crate::sometimes;
use crate::time::Now;
use billing_wire::NodeId;

/// So far a superblock jumps ahead of everything that anybody can have seen.
const JUMP: u64 = 1 << 32;
/// A node that lost its disk begins no higher than this, in jumps: the seconds until 2072.
const BEGIN_MAX: u64 = 3 << 30;

/// The way to a superblock that says that the node forgot what it promised.
#[derive(Debug, Clone, Copy)]
struct Forgetting {
    /// What others have seen.
    seen: u64,
    is_persisting: bool,
}

/// What the others may know of this node's superblock.
#[derive(Debug)]
pub(super) struct Presented {
    /// Sequence of the one that is durable.
    durable: u64,
    /// Sequence of the one in the open persist.
    persisting: u64,
    /// The highest that others can have seen of this life of the node, of an earlier one that it
    /// remembers, or, when it knows that it forgot one, of that.
    known: u64,
    forgetting: Option<Forgetting>,
}

impl Presented {
    pub(super) fn of(superblock: &Superblock) -> Self {
        let sequence = superblock.sequence;
        Self { durable: sequence, persisting: sequence, known: sequence, forgetting: None }
    }

    /// What a message says: only what cannot be lost any more.
    pub(super) fn state(&mut self) -> u64 {
        self.known = self.known.max(self.durable);
        self.durable
    }

    pub(super) fn persists(&mut self, sequence: u64) {
        self.persisting = sequence;
    }

    pub(super) fn persisted(&mut self) {
        // It jumped over everything that others have seen.
        if self.persisting > self.durable + 1 {
            self.known = self.persisting;
        }
        self.durable = self.persisting;
    }

    /// Whether the others know a later one.
    pub(super) fn is_outdated(&self) -> bool {
        self.forgetting.is_some()
    }
}

impl Node {
    /// Takes what a message says of superblocks. `false`: this node is not what the others know,
    /// and the message must not be heard.
    pub(super) fn is_as_known(
        &mut self,
        now: Now,
        from: NodeId,
        says: Presence,
        out: &mut Outputs,
    ) -> bool {
        if self.config.genesis.region_of(from) == Some(self.region) {
            self.writer.note_seen(from, says.sequence);
            let (third, sequence) = says.third;
            if third != self.config.node
                && self.config.genesis.region_of(third) == Some(self.region)
            {
                self.writer.note_seen(third, sequence);
            }
        }
        if says.seen <= self.presented.known || canary!("amnesiac-voter") {
            return true;
        }
        if self.logs.iter().all(RegionLog::is_forgotten) {
            // It knows that it forgot, and has promised nothing since.
            self.writer.jump_to(says.seen + JUMP);
            return true;
        }
        sometimes!("superblock-older-than-seen");
        let (seen, own) = (says.seen, self.presented.durable);
        tracing::error!(
            seen,
            own,
            "older than what the others know: what was promised is forgotten"
        );
        self.presented.forgetting = Some(Forgetting { seen, is_persisting: false });
        self.forget(now, out);
        false
    }

    /// A node that lost its disk begins again above what others can have seen of its earlier lives:
    /// one jump for each second of its clock, and no life goes so far in a second. It may have a
    /// place in a sealed region's log before it hears any other node of that region; one that then
    /// tells it of an earlier life would make it forget what it has promised in this one.
    pub(super) fn outdo_earlier_lives(&mut self, now: Now) {
        let seconds = now.wall.ms() / 1_000;
        self.writer.jump_to(seconds.min(BEGIN_MAX) * JUMP);
    }

    /// Writes the superblock that says so, as soon as no persist runs.
    fn forget(&mut self, now: Now, out: &mut Outputs) {
        let Some(Forgetting { seen, is_persisting: false }) = self.presented.forgetting else {
            return;
        };
        if self.persist.is_none() {
            self.presented.forgetting = Some(Forgetting { seen, is_persisting: true });
            let token = PersistToken(self.next_persist);
            self.next_persist += 1;
            self.persist = Some((token, now.monotonic));
            let steps = self.writer.forgotten(&self.config.genesis, seen + JUMP);
            out.push(Output::Persist { token, steps });
        }
    }

    /// What a node still takes in that is about to open again.
    pub(super) fn step_forgetting(&mut self, now: Now, input: &Input, out: &mut Outputs) {
        let Input::DiskDone { result, .. } = input else { return };
        self.persist = None;
        match (result, self.presented.forgetting) {
            (Err(fault), _) => self.halt(HaltReason::Disk(*fault), out),
            (Ok(()), Some(Forgetting { is_persisting: true, .. })) => {
                self.halt(HaltReason::Forgot, out);
            }
            (Ok(()), _) => self.forget(now, out),
        }
    }
}
