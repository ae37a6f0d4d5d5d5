//! What was lost here may be nowhere (billing.md §8): records that this node alone had, or whose
//! other copies are out of reach. Then the leader of the log says where its own log ends, once an
//! entry that it appended after the question is committed: so it still leads, and its log holds
//! all that was ever committed. The damaged node makes its log that one, and is an ordinary member
//! again when it is durable through its end. What the leader lacks was never acknowledged.

use super::Node;
use crate::consensus::Consensus;
use crate::io::{Outputs, Role};
use crate::sometimes;
use crate::time::Now;
use billing_wire::codec::Reader;
use billing_wire::{FrameKind, NodeId, RegionId, SealedChain, Term};

/// A damaged node that waits to be told where the own region log ends.
#[derive(Debug)]
pub(super) struct DueEnd {
    to: NodeId,
    /// The log when it was asked.
    chain: SealedChain,
    term: Term,
}

impl Node {
    /// Asks who leads a region log where it ends.
    pub(super) fn ask_for_log_end(&mut self, now: Now, region: RegionId, out: &mut Outputs) {
        let members = self.config.genesis.regions[usize::from(region.0)].nodes.clone();
        let me = self.config.node;
        for node in members.into_iter().filter(|node| *node != me) {
            self.send(now, FrameKind::LogEndRequest, node, region, &[], out);
        }
    }

    /// A damaged node asks where a log ends. `None`: refused.
    pub(super) fn take_log_end_request(&mut self, from: NodeId, region: RegionId) -> Option<()> {
        let own = self.own_log();
        if region != self.region || own.role() != Role::Leader {
            return None;
        }
        let last = own.window().last()?;
        let (last_index, last_hash) = (last.index, last.hash);
        let chain = SealedChain { region, incarnation: own.incarnation(), last_index, last_hash };
        let term = own.term();
        if self.due_ends.iter().all(|due| due.to != from) {
            self.due_ends.push(DueEnd { to: from, chain, term });
        }
        Some(())
    }

    /// Whether an entry is needed that shows that this node still leads.
    pub(super) fn has_to_show_itself(&self) -> bool {
        let last = self.own_log().window().last_index();
        self.due_ends.iter().any(|due| due.chain.last_index == last)
    }

    /// Tells where the own log ended, once that is shown; called at each tick.
    pub(super) fn tell_log_ends(&mut self, now: Now, out: &mut Outputs) {
        if self.due_ends.is_empty() {
            return;
        }
        let own = self.own_log();
        let (leads, term, committed) = (own.role() == Role::Leader, own.term(), own.committed());
        self.due_ends.retain(|due| leads && due.term == term);
        let due = std::mem::take(&mut self.due_ends);
        let (told, wait): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|due| committed > due.chain.last_index);
        self.due_ends = wait;
        for DueEnd { to, chain, term } in told {
            let mut body = Vec::with_capacity(8 + SealedChain::BYTES);
            body.extend_from_slice(&term.to_le_bytes());
            chain.encode(&mut body);
            self.send(now, FrameKind::LogEnd, to, chain.region, &body, out);
        }
    }

    /// The leader of a log says where it ends. `None`: not understood, or not asked for.
    pub(super) fn take_log_end(&mut self, body: &[u8]) -> Option<()> {
        let mut r = Reader::new("end of a log", body);
        let term = r.u64().ok()?;
        let chain = SealedChain::decode(&mut r).ok()?;
        r.finish().ok()?;
        let others = self.config.genesis.nodes().count() - 1;
        let repair = self.repairs.get(&chain.region).filter(|r| r.is_in_vain(others))?;
        let (index, lost) = (chain.last_index, repair.lost());
        let log = self.logs.get_mut(usize::from(chain.region.0))?;
        if log.incarnation() != chain.incarnation || !log.end_at(term, (index, chain.last_hash)) {
            return None;
        }
        sometimes!("log-end-taken-from-the-leader");
        let region = chain.region;
        tracing::warn!(%region, lost, index, "records are nowhere: takes the leader's log");
        self.repairs.remove(&chain.region);
        Some(())
    }
}
