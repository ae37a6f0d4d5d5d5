//! The course of a run. Safety: the drawn faults and load. Liveness: a drawn core of two nodes
//! is healed, the third is broken for good, every source of faults is off and that is asserted,
//! and everything that is unknown must be resolved. Recovery: the third comes back, and all must
//! agree. Then the final checks.

use super::event::Event;
use super::machine::Power;
use super::port::REGION;
use super::{Todo, World, event};
use crate::refold;
use crate::scenario::Scenario;
use crate::seed::{Purpose, Stream};
use billing_core::{FileName, Status};
use billing_shell::{Directory, Replica};
use billing_wire::{
    ClusterId, Genesis, Incarnation, NodeId, Query, QueryResult, RegionId, RegionMembers,
};
use billsim_oracle::{Books, LedgerView, NodeView};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Faults and load.
    Safety,
    /// A healed core must resolve everything.
    Liveness,
    /// Everything is healed, all must agree.
    Recovery,
}

/// The cluster of a scenario: three nodes a region, ids from 1.
pub(super) fn genesis(scenario: &Scenario, seed: u64) -> Genesis {
    let mut stream = Stream::new(seed, Purpose::Topology);
    let cluster = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
    let mut secret = [0; 32];
    for chunk in secret.chunks_exact_mut(8) {
        chunk.copy_from_slice(&stream.next_u64().to_le_bytes());
    }
    let per_region = scenario.cluster.nodes_per_region;
    let nodes = (1..=per_region).map(|node| NodeId(node.into())).collect();
    let region = RegionMembers {
        region: RegionId(0),
        name: "east".to_owned(),
        incarnation: Incarnation(0),
        nodes,
    };
    Genesis { cluster: ClusterId(cluster), currency: *b"EUR", secret, regions: vec![region] }
}

impl World {
    /// Ends the safety phase. Returns what whoever runs the nodes must do.
    pub fn enter_liveness(&mut self) -> Vec<Todo> {
        self.phase = Phase::Liveness;
        self.end_all_faults();
        let mut stream = self.process_stream();
        let broken = stream.below(self.machines.len() as u64) as usize;
        let mut todo = Vec::new();
        for slot in 0..self.machines.len() {
            let life = self.machines[slot].life;
            match self.machines[slot].power {
                Power::Paused(_) => {
                    self.resume(slot, life);
                }
                Power::Down if slot != broken => {
                    self.queue.push(self.now, Event::Start { slot, life })
                }
                _ => {}
            }
        }
        if self.machines[broken].power != Power::Down {
            let now = self.now;
            self.machines[broken].disk().power_cut(now);
            self.machines[broken].lost_power = true;
            self.stop(broken);
            todo.push(Todo::Stop { slot: broken });
        }
        // A life that nobody starts: broken for good, until the recovery phase.
        self.machines[broken].life += 1;
        self.broken_slot = Some(broken);
        assert!(self.is_healed(), "every source of faults is off in the liveness phase");
        self.jury.healed(self.now);
        self.clients_enter_liveness();
        todo
    }

    fn process_stream(&mut self) -> Stream {
        Stream::new(self.process.next_u64(), Purpose::Topology)
    }

    /// The third node comes back, in half of the runs without its ledger database.
    pub fn enter_recovery(&mut self) {
        self.phase = Phase::Recovery;
        for slot in 0..self.machines.len() {
            let machine = &self.machines[slot];
            if machine.power == Power::Down {
                if self.process.below(2) == 0 {
                    let directory = crate::disk::DiskHandle::new(&machine.disk);
                    // There may be none: the node may have died before its first start.
                    let _ =
                        directory.run(&[billing_core::DiskStep::Remove { file: FileName::Ledger }]);
                    self.rebuilt_slot = Some(slot);
                }
                self.queue.push(self.now, Event::Start { slot, life: machine.life });
            }
        }
        self.broken_slot = None;
    }

    /// Whether everything that this phase asks for has happened; else a sentence per thing that
    /// has not.
    pub fn unfinished(&self, statuses: &[Option<Status>]) -> Vec<String> {
        let mut stuck: Vec<String> = self.clients.unresolved();
        if !self.calls.is_empty() {
            stuck.push(format!("{} calls have no answer yet", self.calls.len()));
        }
        let alive: Vec<&Status> = statuses.iter().flatten().collect();
        for (slot, status) in statuses.iter().enumerate() {
            let node = event::name(self.machines[slot].node);
            if status.is_none() && Some(slot) != self.broken_slot {
                stuck.push(format!("{node} is down and was not opened again"));
            }
        }
        let last = alive.iter().map(|status| status.last_index).max().unwrap_or(0);
        for status in alive {
            let folded = status.folded.of(REGION);
            if folded < last {
                let node = event::name(status.node);
                stuck.push(format!("{node} has folded {folded} of {last} entries"));
            }
        }
        stuck
    }

    /// How long a phase may take, in simulated nanoseconds.
    pub fn phase_limit(&self) -> u64 {
        self.settle_limit_ns
    }

    /// What the oracles are shown at the end.
    pub fn judge_quiescence(&mut self, replicas: &[Option<Replica>]) {
        self.close_availability();
        for slot in 0..replicas.len() {
            self.close_calls(slot);
        }
        let rebuilt = self.rebuilt_slot.and_then(|slot| replicas[slot].as_ref()).map(ledger_view);
        let (first, last) = (0, replicas.len() - 1);
        let mut views = Vec::with_capacity(replicas.len());
        for (slot, replica) in replicas.iter().enumerate() {
            let Some(replica) = replica else { continue };
            let status = replica.status();
            views.push(NodeView {
                node: status.node,
                folded: status.folded,
                committed: status.committed,
                ledger: ledger_view(replica),
                // One of each is enough: that the nodes agree is judged as well.
                refolded: (slot == first).then(|| refold::refold(replica)),
                resumed: (slot == last).then(|| refold::resume(replica)),
                rebuilt: rebuilt.filter(|_| self.rebuilt_slot != Some(slot)),
            });
        }
        self.jury.quiescent(self.now, &views, &Replicas(replicas));
    }
}

fn ledger_view(replica: &Replica) -> LedgerView {
    let Status { state_hash, outcome_chain, watermark, .. } = replica.status();
    LedgerView { state_hash, outcome_chain, watermark }
}

/// The nodes, asked at the end.
struct Replicas<'a>(&'a [Option<Replica>]);

impl Books for Replicas<'_> {
    fn answer(&self, node: NodeId, query: &Query) -> Option<QueryResult> {
        let mut nodes = self.0.iter().flatten().map(Replica::node);
        nodes.find(|known| known.id() == node)?.query(query).ok()
    }
}
