//! The course of a run. Safety: the drawn faults and load. Liveness: a drawn core of two nodes
//! is healed, the third is broken for good, every source of faults is off and that is asserted,
//! and everything that is unknown must be resolved. Recovery: the third comes back, and all must
//! agree. Then the final checks.

use super::event::Event;
use super::machine::Power;
use super::{Todo, World, event, own_stream};
use crate::arrivals::Arrivals;
use crate::refold;
use crate::scenario::Scenario;
use crate::seed::{Purpose, Stream};
use billing_core::{FileName, Status};
use billing_shell::{Directory, Replica};
use billing_wire::{
    ClusterId, Frontier, Genesis, Incarnation, NodeId, Query, QueryResult, RegionId, RegionMembers,
};
use billsim_oracle::words::frontier;
use billsim_oracle::{Books, LedgerView, NodeView};
use billsim_record::Happening;
use std::collections::BTreeMap;

/// A region that is back logs again what its seal left out within so long. What is missing then,
/// S2 says with its place.
const ORPHANS_NS: u64 = 10_000_000_000;
/// In how many other orders the logs of a run arrive once more.
const ORDERS_OF_ARRIVAL: u32 = 2;
/// Names of regions in the order of their ids.
const REGION_NAMES: [&str; 5] = ["east", "west", "north", "south", "centre"];

/// Every payout that is due has been tried again, and confirmed, within so many nanoseconds.
const PAYOUTS_NS: u64 = 25_000_000_000;

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
    let per_region = u16::from(scenario.cluster.nodes_per_region);
    let regions = (0..scenario.cluster.regions).map(|region| {
        let first = 1 + u16::from(region) * per_region;
        RegionMembers {
            region: RegionId(region),
            name: REGION_NAMES[usize::from(region)].to_owned(),
            incarnation: Incarnation(0),
            nodes: (first..first + per_region).map(NodeId).collect(),
        }
    });
    let cluster = ClusterId(cluster);
    Genesis { cluster, currency: *b"EUR", secret, regions: regions.collect() }
}

impl World {
    /// Ends the safety phase. Returns what whoever runs the nodes must do.
    pub fn enter_liveness(&mut self) -> Vec<Todo> {
        self.health_changes();
        self.jury.more_fails(self.now);
        self.phase = Phase::Liveness;
        self.tell(|_| Happening::Phase { phase: "liveness".to_owned() });
        self.phase_began = self.now;
        self.calm_provider();
        self.calm_mail();
        self.end_all_faults();
        let mut stream = self.process_stream();
        let standing = self.standing_regions().into_iter();
        let broken: Vec<usize> =
            standing.map(|slots| slots.start + stream.below(slots.len() as u64) as usize).collect();
        let broken = self.without_the_needed(broken);
        let mut todo = Vec::new();
        for slot in 0..self.machines.len() {
            let life = self.machines[slot].life;
            match self.machines[slot].power {
                Power::Paused(_) => {
                    self.resume(slot, life);
                }
                Power::Down if !broken.contains(&slot) && !self.machines[slot].is_destroyed => {
                    self.queue.push(self.now, Event::Start { slot, life })
                }
                _ => {}
            }
        }
        for slot in broken.iter().copied() {
            if self.machines[slot].power != Power::Down {
                let now = self.now;
                self.machines[slot].disk().power_cut(now);
                self.machines[slot].lost_power = true;
                self.stop(slot);
                todo.push(Todo::Stop { slot });
            }
            // A life that nobody starts: broken for good, until the recovery phase.
            self.machines[slot].life += 1;
        }
        self.broken_slots = broken;
        assert!(self.is_healed(), "every source of faults is off in the liveness phase");
        self.jury.healed(self.now);
        self.unrest.fill(self.now);
        let machines = self.machines.iter().filter(|machine| machine.is_destroyed);
        let gone: Vec<NodeId> = machines.map(|machine| machine.node).collect();
        self.clients.forget(&gone);
        self.clients_enter_liveness();
        todo
    }

    fn process_stream(&mut self) -> Stream {
        Stream::new(self.process.next_u64(), Purpose::Topology)
    }

    /// The third node comes back, in half of the runs without its ledger database.
    pub fn enter_recovery(&mut self) {
        self.health_changes();
        self.phase = Phase::Recovery;
        self.tell(|_| Happening::Phase { phase: "recovery".to_owned() });
        self.phase_began = self.now;
        self.unrest.fill(self.now);
        for slot in 0..self.machines.len() {
            let machine = &self.machines[slot];
            if machine.power == Power::Down && !machine.is_destroyed {
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
        self.broken_slots.clear();
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
            let is_owed = !self.broken_slots.contains(&slot) && !self.machines[slot].is_destroyed;
            if status.is_none() && is_owed {
                stuck.push(format!("{node} is down and was not opened again"));
            }
        }
        let mut ends = Frontier::default();
        for status in &alive {
            ends = ends.join(&status.committed);
            let region = self.genesis.region_of(status.node).unwrap_or_default();
            ends.set(region, ends.of(region).max(status.last_index));
        }
        let has_lost = self.has_unsealed_loss();
        // Whoever forgot one will not remember it: what is unpaid then, A5 says with its name.
        if self.waits_for_payouts() && self.now < self.phase_began + PAYOUTS_NS {
            let dues = self.jury.dues();
            stuck.extend((dues > 0).then(|| format!("{dues} refunds wait for their payout")));
        }
        let untold = self.unmailed();
        if untold > 0 && self.now < self.phase_began + PAYOUTS_NS {
            stuck.push(format!("{untold} customers were not told of their invoice"));
        }
        stuck.extend(self.unfinished_errands());
        if self.phase == Phase::Recovery {
            stuck.extend(self.unscrubbed());
            stuck.extend(self.alone(&alive));
        }
        if self.phase == Phase::Recovery && !self.sealed.is_empty() {
            let is_early = self.now < self.phase_began + ORPHANS_NS;
            stuck.extend(self.jury.awaited_returns(is_early));
        }
        for status in alive {
            let node = event::name(status.node);
            let held = self.without_destroyed(&status.committed);
            let wanted = self.without_destroyed(&ends);
            if held != wanted {
                let (held, ends) = (frontier(&held), frontier(&wanted));
                stuck.push(format!("{node} knows {held} as committed, the logs have {ends}"));
            }
            if status.is_unfinal && !has_lost {
                stuck.push(format!("{node} holds transactions that are not final"));
            }
            if self.phase == Phase::Recovery && status.orphans > 0 && !has_lost {
                let orphans = status.orphans;
                stuck.push(format!("{node} holds {orphans} records that no log has again"));
            }
        }
        stuck
    }

    /// A frontier as far as it is of logs that somebody leads: of the log of a destroyed region
    /// each node knows what it got, until the region is sealed.
    fn without_destroyed(&self, frontier: &Frontier) -> Frontier {
        let mut standing = *frontier;
        for region in self.destroyed.iter().filter(|region| !self.sealed.contains(region)) {
            standing.set(*region, 0);
        }
        standing
    }

    /// What was not waited for, and why, with how often: nothing is final while a region is gone
    /// and not sealed.
    pub fn excuses(&self) -> BTreeMap<String, u64> {
        let unsealed = self.destroyed.iter().filter(|region| !self.sealed.contains(region));
        let lost = unsealed.count() as u64;
        let lost = ("finality: a destroyed region is not sealed", lost);
        let spared =
            ("liveness: each node of a region has the last copy of something", self.spared);
        let beyond = (self.beyond().unwrap_or_default(), u64::from(self.beyond().is_some()));
        let all = [lost, spared, beyond].into_iter().filter(|(_, count)| *count > 0);
        all.map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// How long a phase may take, in simulated nanoseconds.
    pub fn phase_limit(&self) -> u64 {
        self.settle_limit_ns
    }

    /// What the oracles are shown at the end.
    pub fn judge_quiescence(&mut self, replicas: &[Option<Replica>]) {
        self.close_availability();
        self.note_trouble();
        for slot in 0..replicas.len() {
            self.close_calls(slot);
        }
        let rebuilt = self.rebuilt_slot.and_then(|slot| replicas[slot].as_ref());
        let lives = |slot: &usize| replicas[*slot].is_some();
        let first = (0..replicas.len()).find(lives);
        let last = (0..replicas.len()).rfind(lives);
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
                rearranged: match Some(slot) == first {
                    true => self.rearranged(replica),
                    false => Vec::new(),
                },
                // Whoever repaired something is looked at as well.
                refolded: (Some(slot) == first || status.repaired_records > 0)
                    .then(|| refold::refold(replica)),
                resumed: (Some(slot) == last || self.machines[slot].has_refilled)
                    .then(|| refold::resume(replica)),
                // While a destroyed region is not sealed, nodes need not stand at one place.
                rebuilt: rebuilt
                    .filter(|_| self.rebuilt_slot != Some(slot))
                    .filter(|other| {
                        !self.has_unsealed_loss() || other.status().folded == status.folded
                    })
                    .map(ledger_view),
            });
        }
        self.judge_repaired(replicas);
        self.judge_scrubbed();
        self.last_drill(replicas);
        self.jury.quiescent(self.now, &views, &Replicas(replicas));
    }
}

impl World {
    /// The node's fold over its logs in drawn orders of arrival.
    fn rearranged(&self, replica: &Replica) -> Vec<LedgerView> {
        let arrivals = Arrivals::of(replica);
        if !arrivals.can_differ() {
            return Vec::new();
        }
        let mut stream = own_stream(self.plan.seed, Purpose::Schedule, 0);
        (0..ORDERS_OF_ARRIVAL).map(|_| arrivals.fold(&mut stream)).collect()
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
