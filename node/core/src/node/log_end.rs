//! What was lost here may be nowhere (billing.md §8): records that this node alone had, or whose
//! other copies are out of reach. Then the leader of the log says where its own log ends, once an
//! entry that it appended after the question is committed: so it still leads, and its log holds
//! all that was ever committed. The damaged node makes its log that one, and is an ordinary member
//! again when it is durable through its end. What the leader lacks was never acknowledged.

use super::Node;
use crate::consensus::{Consensus, RegionLog};
use crate::io::{Outputs, Role};
use crate::sometimes;
use crate::time::Now;
use billing_wire::codec::Reader;
use billing_wire::{FrameKind, NodeId, RegionId, SealedChain, Term};

/// A node that lost its disk asks again after so many milliseconds.
const ASK_AGAIN_MS: u64 = 500;

/// A damaged node that waits to be told where the own region log ends.
#[derive(Debug)]
pub(super) struct DueEnd {
    to: NodeId,
    /// The log when it was asked.
    chain: SealedChain,
    term: Term,
    /// Of the life since it lost its disk; 0: it did not.
    generation: u8,
}

impl Node {
    /// Asks who leads a region log where it ends; a node that lost its disk says so, and of which
    /// generation it is now.
    pub(super) fn ask_for_log_end(&mut self, now: Now, region: RegionId, out: &mut Outputs) {
        let log = &self.logs[usize::from(region.0)];
        let generation = if log.is_forgotten() { log.generation() } else { 0 };
        let members = self.config.genesis.regions[usize::from(region.0)].nodes.clone();
        let me = self.config.node;
        for node in members.into_iter().filter(|node| *node != me) {
            self.send(now, FrameKind::LogEndRequest, node, region, &[generation], out);
        }
    }

    /// A damaged node asks where a log ends. `None`: refused.
    pub(super) fn take_log_end_request(
        &mut self,
        from: NodeId,
        region: RegionId,
        body: &[u8],
    ) -> Option<()> {
        let &[generation] = body else { return None };
        let own = self.own_log();
        if region != self.region || own.role() != Role::Leader {
            return None;
        }
        let last = own.window().last()?;
        let (last_index, last_hash) = (last.index, last.hash);
        let chain = SealedChain { region, incarnation: own.incarnation(), last_index, last_hash };
        let term = own.term();
        if self.due_ends.iter().all(|due| (due.to, due.generation) != (from, generation)) {
            self.due_ends.retain(|due| due.to != from);
            self.due_ends.push(DueEnd { to: from, chain, term, generation });
        }
        if generation > 0 {
            sometimes!("lost-node-asks-to-return");
            self.logs[usize::from(region.0)].forget_acknowledgements(from, generation);
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
        let mut due = std::mem::take(&mut self.due_ends);
        let own = self.own_log();
        let (leads, term) = (own.role() == Role::Leader, own.term());
        due.retain(|due| leads && due.term == term);
        let is_shown = |due: &DueEnd| {
            let index = due.chain.last_index;
            if due.generation > 0 {
                own.is_led_without(due.to, index)
            } else {
                own.committed() > index
            }
        };
        let (told, wait): (Vec<_>, Vec<_>) = due.into_iter().partition(is_shown);
        self.due_ends = wait;
        for DueEnd { to, chain, term, generation } in told {
            if generation > 0 {
                self.logs[usize::from(self.region.0)].expect(to, chain.last_index);
            }
            let mut body = Vec::with_capacity(9 + SealedChain::BYTES);
            body.extend_from_slice(&term.to_le_bytes());
            body.push(generation);
            chain.encode(&mut body);
            self.send(now, FrameKind::LogEnd, to, chain.region, &body, out);
        }
    }

    /// The leader of a log says where it ends. `None`: not understood, or not asked for.
    pub(super) fn take_log_end(&mut self, from: NodeId, body: &[u8]) -> Option<()> {
        let mut r = Reader::new("end of a log", body);
        let (term, generation) = (r.u64().ok()?, r.u8().ok()?);
        let chain = SealedChain::decode(&mut r).ok()?;
        r.finish().ok()?;
        let log = self.logs.get_mut(usize::from(chain.region.0))?;
        let last = (chain.last_index, chain.last_hash);
        if log.is_forgotten() {
            // An answer to a question of an earlier life shows nothing.
            let is_let_in = generation == log.generation()
                && log.begin_again(chain.incarnation, (term, from.0.into()), last);
            if is_let_in {
                sometimes!("lost-node-let-in");
            }
            return is_let_in.then_some(());
        }
        if !log.is_damaged() {
            log.ended_at(chain.last_index);
            return Some(());
        }
        let others = self.config.genesis.nodes().count() - 1;
        let repair = self.repairs.get(&chain.region).filter(|r| r.is_in_vain(others))?;
        let (index, lost) = (chain.last_index, repair.lost());
        let log = self.logs.get_mut(usize::from(chain.region.0))?;
        if log.incarnation() != chain.incarnation || !log.end_at(term, last) {
            return None;
        }
        sometimes!("log-end-taken-from-the-leader");
        let region = chain.region;
        tracing::warn!(%region, lost, index, "records are nowhere: takes the leader's log");
        self.repairs.remove(&chain.region);
        Some(())
    }

    /// Asks to be let in again where this node forgot what it promised; called at each tick.
    pub(super) fn work_at_being_let_in(&mut self, now: Now, out: &mut Outputs) {
        let forgotten: Vec<RegionId> =
            self.logs.iter().filter(|log| log.is_forgotten()).map(RegionLog::region).collect();
        let is_due =
            self.asked_for_ends.is_none_or(|at| now.monotonic.ms_since(at) >= ASK_AGAIN_MS);
        if forgotten.is_empty() || !is_due {
            return;
        }
        if self.asked_for_ends.is_none() && forgotten.len() == self.logs.len() {
            self.outdo_earlier_lives(now);
        }
        self.asked_for_ends = Some(now.monotonic);
        for region in forgotten {
            let latest = self.seals.latest(region);
            let sealed = self.seals.chain(region).filter(|chain| chain.incarnation == latest);
            if !self.knows_all_beside(region) {
                self.ask_for_open_ends(now, out);
            } else if let Some(chain) = sealed {
                self.begin_again_at_seal(&chain);
                continue;
            }
            if sealed.is_none() {
                self.ask_for_log_end(now, region, out);
                // It may be sealed where this node cannot read it yet.
                if self.logs.len() > 1 {
                    self.ask_for_sealed_end(now, region, latest, out);
                }
            }
        }
    }

    /// Asks where the logs of open regions end that this node has not heard since it was opened.
    fn ask_for_open_ends(&mut self, now: Now, out: &mut Outputs) {
        let is_unheard = |log: &&RegionLog| {
            self.seals.is_open(log.region()) && !log.is_damaged() && log.known_end() == 0
        };
        let unheard: Vec<RegionId> =
            self.logs.iter().filter(is_unheard).map(RegionLog::region).collect();
        for region in unheard {
            self.ask_for_log_end(now, region, out);
        }
    }

    /// Whether this node knows all that was logged in the other open regions when it came back.
    /// Only then does it know that a region was not let in before: it may have voted since.
    fn knows_all_beside(&self, region: RegionId) -> bool {
        let others = self.logs.iter().filter(|log| log.region() != region);
        let mut open = others.filter(|log| self.seals.is_open(log.region()));
        open.all(|log| {
            !log.is_damaged() && log.known_end() > 0 && log.committed() >= log.known_end()
        })
    }

    /// The log of a sealed region needs no leader: its chain is known, and nobody votes in it.
    fn begin_again_at_seal(&mut self, chain: &SealedChain) {
        sometimes!("lost-node-takes-a-sealed-log");
        self.logs[usize::from(chain.region.0)].begin_again_at(chain);
    }

    /// A node that lost its disk is told how a region ended whose seal has no effect here yet, or
    /// was not read: that may wait for the log that was lost.
    pub(super) fn begin_again_at_told_end(&mut self, chain: &SealedChain) {
        let is_asked_for = self.seals.latest(chain.region) == chain.incarnation
            && self.logs[usize::from(chain.region.0)].is_forgotten()
            && self.knows_all_beside(chain.region);
        if is_asked_for {
            self.begin_again_at_seal(chain);
        }
    }
}
