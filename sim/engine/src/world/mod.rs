//! The world: machines, links, clients, faults, oracles and the trace, moved by one queue of
//! events. It decides what happens; who runs the nodes (`arm`) is not its business.

mod archive;
mod astray;
mod atlas;
mod availability;
pub mod clock;
mod conditions;
pub(crate) mod custody;
mod damage;
mod edges;
pub mod event;
mod faults;
pub mod links;
mod lives;
pub mod machine;
mod mail;
mod messages;
mod operator;
mod outages;
mod partition;
mod phases;
pub mod port;
mod provider;
pub mod queue;
mod recount;
mod regions;
mod restart;
mod scrub;
mod served;
mod service;
pub mod tally;
pub(crate) mod teller;
mod traffic;
mod twice;
mod witness;

use crate::clients::{Action, Population};
use crate::disk::CrashSeen;
use crate::scenario::{Between, Scenario};
use crate::seed::{Purpose, Stream};
use crate::trace::{Trace, Traced};
use billing_core::{Effect, HaltReason, Input, Notice, RequestId};
use billing_shell::Replica;
use billing_wire::{Genesis, NodeId, RegionId};
use billsim_oracle::{CallId, Jury, Violation};
use billsim_record::FaultPlan;
use edges::EdgeActor;
use event::{Event, NodeEvent};
use hdrhistogram::Histogram;
use links::Links;
use machine::Machine;
use mail::MailService;
pub use phases::Phase;
use provider::Provider;
use queue::Queue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tally::Tallies;
pub(crate) use witness::LostEntries;

/// Longest latency that is told apart, in microseconds.
pub(crate) const LATENCY_MAX_US: u64 = 600_000_000;

/// What whoever runs the nodes must do next.
#[derive(Debug)]
pub enum Todo {
    /// Nothing.
    Nothing,
    /// Feed a node.
    Feed {
        /// Its machine.
        slot: usize,
        /// With what.
        input: Input,
    },
    /// Open the node of a machine.
    Start {
        /// The machine.
        slot: usize,
    },
    /// Drop the node of a machine.
    Stop {
        /// The machine.
        slot: usize,
    },
    /// Drop the nodes of some machines.
    StopAll {
        /// The machines.
        slots: Vec<usize>,
    },
    /// Ask the nodes for their status, and call [`World::destroy`].
    Destroy {
        /// The planned fault with this number.
        number: usize,
    },
}

/// A call of a client that has no answer yet.
#[derive(Debug)]
struct OpenCall {
    invoked_at: u64,
    slot: usize,
}

/// The whole simulated world.
#[derive(Debug)]
pub struct World {
    /// Simulated time in nanoseconds.
    pub now: u64,
    /// The oracles.
    pub jury: Jury,
    /// A clock was wrong at some time.
    clocks_were_set: bool,
    /// The trace.
    pub trace: Trace,
    /// Fault tallies.
    pub tallies: Tallies,
    /// Latency of acknowledged writes in microseconds.
    pub latency: Histogram<u64>,
    /// The same of those that reached another region, outside of fault windows.
    pub geo_latency: Histogram<u64>,
    /// Frames that reached a node.
    pub delivered: u64,
    begun: u64,
    /// Where the run stands.
    pub phase: Phase,
    /// What broke outside the oracles: a node that panicked or could not be opened.
    pub broken: Option<Violation>,
    /// The fault that began last.
    pub last_fault: Option<String>,
    genesis: Arc<Genesis>,
    queue: Queue<Event>,
    machines: Vec<Machine>,
    links: Links,
    network: Stream,
    process: Stream,
    client_latency_ns: (u64, u64),
    clients: Population,
    actions: Vec<Action>,
    clients_wake_at: u64,
    calls: BTreeMap<CallId, OpenCall>,
    leaving: Vec<(CallId, billsim_oracle::Answer)>,
    /// What one dispatch said to probes.
    probed: Vec<(CallId, billing_core::Probe)>,
    /// Payouts that one dispatch asked for.
    effects: Vec<Effect>,
    provider: Option<Provider>,
    /// Notices that one dispatch asked for.
    notices: Vec<Notice>,
    mail: Option<MailService>,
    archivist: Option<archive::Archivist>,
    edges: Vec<EdgeActor>,
    far_latency_ns: (u64, u64),
    settle_limit_ns: u64,
    plan: FaultPlan,
    /// The atlas lets damage strike anywhere.
    is_unrestricted: bool,
    /// Why nothing is promised any more.
    beyond: Option<&'static str>,
    /// Which planned faults are in force.
    in_force: Vec<bool>,
    /// Flapping cuts that are open just now, by number in the plan.
    open_flaps: BTreeSet<usize>,
    /// Regions that went dark or were destroyed, and whose clients wait.
    outages: outages::Outages,
    /// When this phase began, in nanoseconds.
    phase_began: u64,
    /// When something last went wrong or came right, in nanoseconds.
    disturbed_at: u64,
    /// When something else than a cut between regions last went wrong or came right.
    trouble_at: u64,
    /// The cut between regions that is in force.
    partition: partition::Partition,
    /// When a region last committed something, or could not be heard, in nanoseconds.
    unrest: Vec<u64>,
    /// The plan duplicates frames: nodes are fed some of them twice, too.
    duplicates: bool,
    /// Regions that are gone for good, in the order in which they went.
    destroyed: Vec<RegionId>,
    /// Regions that an operator seals, or has sealed.
    sealed: Vec<RegionId>,
    /// How far the operator is with each planned action.
    errands: Vec<operator::Errand>,
    /// Broken for the whole liveness phase.
    broken_slots: Vec<usize>,
    /// Came back without its ledger database.
    rebuilt_slot: Option<usize>,
    /// Nodes that know of a node that lost its disk and was not let in since.
    told_of_losses: Vec<recount::Told>,
    /// One byte of this delivery is changed.
    altered_frame: Option<u64>,
    /// Since when a healthy majority has been connected, per region.
    available_since: Vec<Option<u64>>,
    /// Who is well of a region that is available.
    well_slots: Vec<Vec<usize>>,
    /// When availability is looked at next, unless something changes it before.
    look_at_health_at: u64,
    /// The first entries of a region's log that a node lost when it was opened.
    lost_entries: Option<LostEntries>,
    /// Regions in which no node could be broken for the liveness phase.
    spared: u64,
    /// What the first crash point of the plan came to, once that is known.
    crash_seen: Option<CrashSeen>,
    /// Follows one transaction, where that was asked for.
    custody: Option<Box<custody::Custody>>,
    /// Tells the run for reports, where that was asked for.
    teller: Option<Box<teller::Teller>>,
    /// What clients did and were told, where it is kept.
    history: Option<billsim_oracle::history::History>,
}

impl World {
    /// A world before its first event.
    pub fn new(scenario: &Scenario, seed: u64, plan: FaultPlan) -> Self {
        let genesis = Arc::new(phases::genesis(scenario, seed));
        let nodes: Vec<NodeId> = genesis.nodes().collect();
        let latency_ns = nanoseconds(scenario.network.latency_us);
        let far_latency_ns = nanoseconds(scenario.network.between_regions_us);
        let mut world = Self {
            now: 0,
            jury: Jury::new(&genesis),
            clocks_were_set: false,
            trace: Trace::default(),
            tallies: Tallies::default(),
            latency: Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are legal"),
            geo_latency: Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are legal"),
            delivered: 0,
            begun: 0,
            phase: Phase::Safety,
            broken: None,
            last_fault: None,
            queue: Queue::new(Stream::new(seed, Purpose::Schedule)),
            machines: machine::machines(scenario, seed, &genesis),
            links: Links::new(nodes.len(), latency_ns, own_stream(seed, Purpose::Net, 1))
                .between_regions(scenario.cluster.nodes_per_region.into(), far_latency_ns),
            network: own_stream(seed, Purpose::Net, 0),
            process: own_stream(seed, Purpose::Process, 0),
            client_latency_ns: latency_ns,
            clients: Population::new(scenario, seed, edges::endpoints(scenario, &genesis)),
            actions: Vec::new(),
            clients_wake_at: u64::MAX,
            calls: BTreeMap::new(),
            leaving: Vec::new(),
            probed: Vec::new(),
            effects: Vec::new(),
            provider: Provider::of(scenario, seed, plan.provider),
            notices: Vec::new(),
            mail: MailService::of(scenario, seed, plan.mail),
            archivist: archive::Archivist::of(scenario, seed),
            edges: edges::edges(scenario, seed, &genesis),
            far_latency_ns,
            is_unrestricted: scenario.unrestricted,
            beyond: None,
            in_force: vec![false; plan.faults.len()],
            settle_limit_ns: u64::from(scenario.phases.settle_limit_s) * 1_000_000_000,
            duplicates: twice::is_planned(&plan),
            plan,
            genesis,
            open_flaps: BTreeSet::new(),
            outages: outages::Outages::default(),
            phase_began: 0,
            disturbed_at: 0,
            trouble_at: 0,
            partition: partition::Partition::default(),
            unrest: vec![0; usize::from(scenario.cluster.regions)],
            destroyed: Vec::new(),
            sealed: Vec::new(),
            errands: Vec::new(),
            broken_slots: Vec::new(),
            rebuilt_slot: None,
            told_of_losses: Vec::new(),
            altered_frame: None,
            available_since: vec![None; usize::from(scenario.cluster.regions)],
            well_slots: vec![Vec::new(); usize::from(scenario.cluster.regions)],
            look_at_health_at: 0,
            lost_entries: None,
            spared: 0,
            crash_seen: None,
            custody: None,
            teller: None,
            history: None,
        };
        world.prepare();
        world
    }

    /// Formats the disks, switches the machines on, plans the faults.
    fn prepare(&mut self) {
        self.clients.restrict(&self.plan.load);
        let timeouts = self.machines.iter().map(|machine| machine.config().write_timeout_ms);
        self.jury.writes_wait(timeouts.min().unwrap_or(0) * 1_000_000);
        for slot in 0..self.machines.len() {
            let machine = &self.machines[slot];
            let steps = billing_core::journal::first_steps(&self.genesis, machine.node);
            machine.disk().run_now(&steps).expect("no fault is armed yet");
            let (at, life) = (self.process.range(0, 200_000_000), machine.life);
            self.queue.push(at, Event::Start { slot, life });
        }
        for (number, planned) in self.plan.faults.iter().enumerate() {
            self.tallies.armed(astray::class(&planned.fault));
            self.queue.push(planned.at_ms * 1_000_000, Event::FaultBegins(number));
        }
        self.announce_conditions();
        self.plan_operator();
        self.plan_archives();
        self.wake_clients_later();
        self.start_edges();
    }

    /// Time of the next event.
    pub fn next_at(&self) -> Option<u64> {
        self.queue.next_at()
    }

    /// Takes the next event as far as the world itself is concerned.
    pub fn advance(&mut self) -> Todo {
        let Some((at, event)) = self.queue.pop() else { return Todo::Nothing };
        assert!(at >= self.now, "time never goes back");
        self.now = at;
        if event.may_change_health() {
            self.health_changes();
        }
        let todo = self.happens(event);
        self.watch_availability();
        todo
    }

    fn happens(&mut self, event: Event) -> Todo {
        match event {
            Event::Node { slot, life, event } => self.reach(slot, life, event),
            Event::Request { slot, event } => self.request_arrives(slot, event),
            Event::Edge(edge, event) => self.edge_happens(edge, event),
            Event::ProviderCalled(call) => self.provider_called(&call),
            Event::MailCalled(call) => self.mail_called(&call),
            Event::Answer(call, answer) => self.close_call(call, *answer),
            Event::Deadline(call) => self.close_call(call, billsim_oracle::Answer::TimedOut),
            Event::Clients => self.wake_clients(),
            Event::Archive => self.archive_due(),
            Event::FaultBegins(number) => return self.begin_fault(number),
            Event::Operator { number, attempt } => self.operator_asks(number, attempt),
            Event::FaultEnds(number) => self.end_fault(number),
            Event::FaultTurns(number) => self.turn_fault(number),
            Event::PowerCut { slot, life, kind } => {
                // One that comes after all was healed does not come.
                if self.machines[slot].life == life && self.phase == Phase::Safety {
                    return self.power_cut(slot, kind, None);
                }
                None
            }
            Event::Start { slot, life } => self.switch_on(slot, life),
            Event::Resume { slot, life } => self.resume(slot, life),
        }
        .into()
    }

    fn feed(&mut self, slot: usize, event: NodeEvent) -> Todo {
        let who = slot as u8;
        let input = match event {
            NodeEvent::Tick => {
                let machine = &self.machines[slot];
                let (life, at) = (machine.life, self.now + machine.tick_ns());
                self.queue.push(at, Event::Node { slot, life, event: NodeEvent::Tick });
                self.trace.add(self.now, Traced::Timer, who, &[]);
                Input::Tick
            }
            NodeEvent::Frame(bytes) => {
                self.delivered += 1;
                let bytes = self.maybe_altered(bytes);
                self.may_tell_of_loss(slot, &bytes);
                self.trace.add(self.now, Traced::Delivery, who, &bytes);
                Input::Message(bytes)
            }
            NodeEvent::DiskDone { token, result } => {
                self.trace.add(self.now, Traced::Timer, who, &token.0.to_le_bytes());
                self.disk_advances(slot);
                self.note_disk_fault(slot, result);
                Input::DiskDone { token, result }
            }
            NodeEvent::LedgerDone(result) => {
                self.note_disk_fault(slot, result);
                Input::LedgerDone { result }
            }
            NodeEvent::EffectDone(id, result) => self.provider_heard(slot, id, result),
            NodeEvent::MailDone(key, is_taken) => self.mail_heard(slot, key, is_taken),
            NodeEvent::Write(call, written) => {
                let (request, (submission, token, options)) = (RequestId(call.0), *written);
                Input::Write { request, submission, options, token }
            }
            NodeEvent::Damaged(file) => self.scrubber_found(slot, file),
            NodeEvent::Probe(call) => Input::Probe { request: RequestId(call.0) },
            NodeEvent::Read(call, read) => Input::Read { request: RequestId(call.0), read: *read },
            NodeEvent::Seal { request, regions } => Input::Seal { request, regions, force: false },
        };
        if let Input::Write { request, .. } | Input::Read { request, .. } = &input {
            let node = self.machines[slot].node;
            self.jury.call_reaches(self.now, node, CallId(request.0));
        }
        if !self.machines[slot].clock.is_true() {
            self.note_clock_fault(slot);
        }
        Todo::Feed { slot, input }
    }

    /// Changes the last byte of this delivery, counted from 1.
    pub fn alter_frame(&mut self, number: Option<u64>) {
        self.altered_frame = number;
    }

    /// A node was fed: tells the oracles what it folded, then lets its answers leave. `true`:
    /// the node must be dropped, it will be opened again.
    pub fn settle(&mut self, slot: usize, replica: &Replica) -> bool {
        self.note_repair(slot, replica);
        self.judge_counts(slot, replica);
        let committed = replica.node().committed();
        if committed != self.machines[slot].told {
            self.tell_clocks();
        }
        let machine = &mut self.machines[slot];
        if committed != machine.told {
            for (region, last) in (0_u8..).map(RegionId).zip(committed.0) {
                for index in machine.told.of(region) + 1..=last {
                    let record = replica.node().record(region, index);
                    let record = record.expect("a committed record is in the window");
                    self.jury.committed(self.now, machine.node, record);
                }
            }
            machine.told = committed;
            let status = replica.status();
            self.jury.folded(
                self.now,
                machine.node,
                machine.life,
                &status.folded,
                status.watermark,
                status.outcome_chain,
            );
            self.beyond_its_region(slot, &status);
        }
        self.scrub(slot, replica);
        self.custody_of_node(slot, replica);
        self.tell_leader(slot, replica);
        let halted = self.machines[slot].halted.is_some();
        if !self.effects.is_empty() {
            self.effects_leave(slot);
        }
        self.notices_leave(slot);
        if !self.leaving.is_empty() {
            self.answers_leave(slot);
        }
        while let Some((call, probe)) = self.probed.pop() {
            self.probe_leaves(slot, call, probe);
        }
        if halted {
            if self.machines[slot].halted == Some(HaltReason::Forgot) {
                self.note_forgot(slot);
            }
            self.health_changes();
            self.reopen(slot);
        }
        halted || self.ends_in_order(slot, replica)
    }

    /// The plan of this run.
    pub fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Machines in this world.
    pub fn size(&self) -> usize {
        self.machines.len()
    }

    /// Both clocks of a machine.
    pub fn clocks(&self, slot: usize) -> billing_core::Now {
        self.machines[slot].now(self.now)
    }

    /// What the first crash point of the plan came to.
    pub fn take_crash_seen(&mut self) -> Option<CrashSeen> {
        let still_armed = || self.machines.iter().find_map(|machine| machine.disk().crash.take());
        self.crash_seen.take().or_else(|| still_armed().map(|crash| crash.into_seen()))
    }

    /// The first thing that broke, if anything did.
    pub fn first_violation(&self) -> Option<&Violation> {
        self.broken.as_ref().or_else(|| self.jury.first_violation())
    }
}

/// The world's own streams of a purpose; the plan draws from those below.
fn own_stream(seed: u64, purpose: Purpose, index: u64) -> Stream {
    Stream::indexed(seed, purpose, 1_000 + index)
}

fn nanoseconds(us: Between) -> (u64, u64) {
    (us.min * 1_000, us.max * 1_000)
}
