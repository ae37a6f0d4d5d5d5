//! A node whose disk was lost (billing.md §8): it does not know what it voted and acknowledged, so
//! it is another member than before under the same name. It is let in again when every other voter
//! of the group has taken an entry of one leader since it asked: then no vote that it forgot can
//! make another leader, and that leader's log holds all that was ever committed.

use super::Consensus;
use super::message::Life;
use super::region_log::RegionLog;
use crate::canary;
use crate::io::Role;
use billing_wire::{Hash, Incarnation, LogIndex, NodeId, SealedChain, Term};
use raft::eraftpb::HardState;

impl RegionLog {
    /// What this node's messages in this group are marked with.
    pub(super) fn life(&self) -> Life {
        Life { incarnation: self.incarnation, generation: self.generation }
    }

    /// This node's generation in the group.
    pub fn generation(&self) -> u8 {
        self.generation
    }

    /// Whether this node lost what it promised here and was not let in again.
    pub fn is_forgotten(&self) -> bool {
        self.damage.as_ref().is_some_and(|damage| damage.forgotten)
    }

    /// Whether a message is not of a life of its sender that ended with its disk.
    pub fn is_of_this_life(&self, from: NodeId, generation: u8) -> bool {
        self.generations.get(&from).is_none_or(|known| *known == generation)
    }

    /// A node says that it lost its disk: nothing that it acknowledged before counts any more.
    pub fn forget_acknowledgements(&mut self, node: NodeId, generation: u8) {
        let known = self.generations.insert(node, generation);
        let votes = &self.genesis.regions[usize::from(self.region.0)].nodes;
        let may_stay = canary!("wiped-learner-still-counts") && !votes.contains(&node);
        // A disk may become what it was when its node asked before: of the same generation, and
        // what was acknowledged since is gone.
        let asks_again = known == Some(generation) && self.counted(node) == Some(0);
        if asks_again || may_stay {
            return;
        }
        self.expect(node, 0);
    }

    /// A node is let in again, and holds the log up to an index once it answers.
    pub fn expect(&mut self, node: NodeId, held: LogIndex) {
        if let Some(progress) = self.raft.raft.mut_prs().get_mut(node.0.into()) {
            progress.become_probe();
            progress.matched = 0;
            progress.next_idx = held + 1;
            progress.recent_active = false;
        }
    }

    /// As leader: up to here it counts a node's copy of the log; `None`: it does not lead.
    pub fn counted(&self, node: NodeId) -> Option<LogIndex> {
        let progress = self.raft.raft.prs().get(node.0.into());
        (self.role() == Role::Leader).then(|| progress.map_or(0, |progress| progress.matched))
    }

    /// As leader: whether an entry behind `index` shows that no vote of `lost` that it forgot can
    /// make another leader. A learner never voted.
    pub fn is_led_without(&self, lost: NodeId, index: LogIndex) -> bool {
        let members = &self.genesis.regions[usize::from(self.region.0)].nodes;
        let progress = self.raft.raft.prs();
        let holds = |node: &NodeId| {
            let progress = progress.get(node.0.into());
            *node == self.config.node || progress.is_some_and(|p| p.matched > index)
        };
        let is_shown = self.committed > index;
        is_shown && (!members.contains(&lost) || members.iter().all(|n| *n == lost || holds(n)))
    }

    /// The log of a node that forgot what it promised becomes this one, all of which is committed;
    /// it has no other promise than to have voted for `vote` in `term`. Whether it did forget.
    pub fn begin_again(
        &mut self,
        incarnation: Incarnation,
        (term, vote): (Term, u64),
        last: (LogIndex, Hash),
    ) -> bool {
        let Some(damage) = self.damage.as_mut().filter(|damage| damage.forgotten) else {
            return false;
        };
        damage.forgotten = false;
        damage.follows_leader = true;
        damage.last = last;
        // A log of a later incarnation hears of no commit before it is woken, and is not woken
        // before it knows the chain in front of it as committed.
        damage.hard_state = HardState { term, vote, commit: last.0, ..HardState::default() };
        self.incarnation = incarnation;
        let first = self.genesis.regions[usize::from(self.region.0)].incarnation;
        self.is_dormant = incarnation > first;
        self.known_end = last.0;
        true
    }

    /// As [`Self::begin_again`], where a seal ended the log: nothing more of that incarnation is
    /// taken, because it is not known what was promised in it.
    pub fn begin_again_at(&mut self, chain: &SealedChain) {
        let last = (chain.last_index, chain.last_hash);
        self.fenced |= self.begin_again(chain.incarnation, (0, 0), last);
    }

    /// The leader of the log has said that it ended here. A log that waits for its region to be let
    /// in takes nothing of what came since: what it holds is what there was when this node came
    /// back, and to wait for more would be to wait for ever.
    pub fn ended_at(&mut self, index: LogIndex) {
        let reached = if self.is_dormant { index.min(self.window().last_index()) } else { index };
        self.known_end = self.known_end.max(reached);
    }

    /// Where the log ended when its leader was asked since this node was opened; 0: it was not.
    pub fn known_end(&self) -> LogIndex {
        self.known_end
    }
}
