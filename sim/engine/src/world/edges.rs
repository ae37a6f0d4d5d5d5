//! The edges: one per region, each the core that ships, between the clients and the nodes. An edge
//! stands outside of the zones, so it survives its region; its way to a node is cut where the
//! clients' is. It is never itself struck: who loses an edge turns to another one, and clients do.

use super::event::{Event, NodeEvent};
use super::{Todo, World};
use crate::scenario::{EdgeOverrides, Scenario};
use crate::seed::{Purpose, Stream};
use crate::trace::Traced;
use billing_core::{Monotonic, Probe, sometimes};
use billing_edge::{
    Ask, AttemptId, Chance, ClientId, Edge, Input, Loss, Nearest, Output, Outputs, Priority,
    ProbeId, Reply, RequestId, Shed, Site, Verdict,
};
use billing_wire::answer::Unavailable;
use billing_wire::{
    Command, Genesis, NodeId, OpId, Query, QueryResult, RegionId, Submission, WriteAnswer,
};
use billsim_oracle::{Answer, CallId, Endpoint, Request};
use std::collections::BTreeMap;

/// A call that an edge made, to be told apart from a client's.
const OF_AN_EDGE: u64 = 1 << 63;
const EDGE_SHIFT: u32 = 60;
/// It is a probe and no request.
const OF_A_PROBE: u64 = 1 << 59;
const NUMBER: u64 = OF_A_PROBE - 1;
/// Machines come first in the trace.
const TRACED_FROM: u8 = 128;
/// The first of the edges' streams, one after the other per edge: latency, then chance.
const STREAMS: u64 = 3_000;

/// Something that happens to an edge.
#[derive(Debug)]
pub enum EdgeEvent {
    /// A client's request arrives.
    Asked(CallId, u32, Box<Request>),
    /// A client has hung up.
    Gone(CallId),
    /// A node's answer arrives, or that it does not listen.
    Answered(AttemptId, Box<Answer>),
    /// A probe is back.
    Probed(ProbeId, Option<Probe>),
    /// It wants to act.
    Wake,
}

struct Dice(Stream);

impl Chance for Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }
}

/// One edge.
pub(super) struct EdgeActor {
    home: RegionId,
    core: Edge,
    dice: Dice,
    ways: Stream,
    /// What its open requests are.
    asked: BTreeMap<CallId, Request>,
    wakes_at: u64,
    out: Outputs,
}

impl std::fmt::Debug for EdgeActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EdgeActor").field("home", &self.home).finish_non_exhaustive()
    }
}

/// The edges of a scenario; none if it has no `[edge]`.
pub(super) fn edges(scenario: &Scenario, seed: u64, genesis: &Genesis) -> Vec<EdgeActor> {
    let Some(overrides) = &scenario.edge else { return Vec::new() };
    let limits = overrides.limits(seed);
    let edge = |home: RegionId| {
        let first = STREAMS + 2 * u64::from(home.0);
        let ways = Stream::indexed(seed, Purpose::Net, first);
        let mut dice = Dice(Stream::indexed(seed, Purpose::Net, first + 1));
        let sites = Site::of(genesis, home);
        let core = Edge::new(&sites, Nearest::Configured, limits, Monotonic(0), &mut dice);
        let core = core.expect("the scenario was checked");
        let (asked, out) = (BTreeMap::new(), Outputs::new());
        EdgeActor { home, core, dice, ways, asked, wakes_at: u64::MAX, out }
    };
    genesis.regions.iter().map(|members| edge(members.region)).collect()
}

/// Whom the clients of a scenario talk to.
pub(super) fn endpoints(scenario: &Scenario, genesis: &Genesis) -> Vec<Endpoint> {
    if scenario.edge.is_none() {
        return genesis.nodes().map(Endpoint::Node).collect();
    }
    genesis.regions.iter().map(|members| Endpoint::Edge(members.region)).collect()
}

/// The edge whose call this is; `None`: a client's.
pub(super) fn edge_of(call: CallId) -> Option<usize> {
    (call.0 & OF_AN_EDGE != 0).then_some(((call.0 & !OF_AN_EDGE) >> EDGE_SHIFT) as usize)
}

fn call_of(edge: usize, number: u64) -> CallId {
    assert!(number < 1 << EDGE_SHIFT, "an edge's names fit beside its number");
    CallId(OF_AN_EDGE | (edge as u64) << EDGE_SHIFT | number)
}

fn ask_of(session: u32, request: &Request) -> Ask {
    let (op_id, priority, has_token) = match request {
        Request::Write(submission, ..) => {
            let priority = match submission.command {
                Command::RecordRead { .. } | Command::IssueInvoice { .. } => Priority::Second,
                _ => Priority::First,
            };
            (Some(submission.op_id), priority, true)
        }
        Request::Read(read) => match read.query {
            Query::TrialBalance => (None, Priority::Third, read.token.is_some()),
            _ => (None, Priority::First, read.token.is_some()),
        },
    };
    let client = ClientId(session.into());
    Ask { op_id, priority, client, to_leader: has_token, is_patient: false }
}

/// What a node's answer means, as in the shipped edge.
fn reply_of(answer: &Answer) -> Result<Reply, Loss> {
    Ok(match answer {
        Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms }) => {
            Reply::Unavailable { reason: *reason, retry_after_ms: *retry_after_ms }
        }
        Answer::Write(WriteAnswer::Unknown) => Reply::Unknown,
        Answer::Read(read) if read.result == QueryResult::Unavailable => {
            Reply::Unavailable { reason: Unavailable::NoLeader, retry_after_ms: 0 }
        }
        Answer::Write(_) | Answer::Read(_) => Reply::Settled,
        Answer::Refused => return Err(Loss::Refused),
        Answer::TimedOut => return Err(Loss::Broken),
    })
}

/// What a client is told by the edge itself.
fn own_answer(request: &Request, verdict: Verdict) -> Answer {
    match (request, verdict) {
        (Request::Write(..), Verdict::Shed { why, retry_after_ms }) => {
            let reason = match why {
                Shed::NoNode => Unavailable::NoLeader,
                Shed::TooOften | Shed::Overloaded => Unavailable::Overloaded,
                Shed::Stopping => Unavailable::Stopping,
            };
            let retry_after_ms = u32::try_from(retry_after_ms).unwrap_or(u32::MAX);
            Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms })
        }
        (Request::Write(..), _) => Answer::Write(WriteAnswer::Unknown),
        // Nothing happened; it is as if nobody had listened.
        (Request::Read(_), _) => Answer::Refused,
    }
}

impl World {
    /// Whether clients talk to edges.
    pub(super) fn has_edges(&self) -> bool {
        !self.edges.is_empty()
    }

    /// Makes sure that every edge is woken when it wants to be.
    pub(super) fn start_edges(&mut self) {
        for edge in 0..self.edges.len() {
            self.wake_edge_later(edge);
        }
    }

    fn wake_edge_later(&mut self, edge: usize) {
        let actor = &mut self.edges[edge];
        let Some(at) = actor.core.next_wake() else { return };
        let at = at.0.max(self.now);
        if at < actor.wakes_at {
            actor.wakes_at = at;
            self.queue.push(at, Event::Edge(edge, EdgeEvent::Wake));
        }
    }

    /// A client sends a request to the edge of a region.
    pub(super) fn send_to_edge(&mut self, call: CallId, session: u32, edge: usize, what: &Request) {
        let at = self.now + self.client_latency();
        let event = EdgeEvent::Asked(call, session, Box::new(what.clone()));
        self.queue.push(at, Event::Edge(edge, event));
    }

    /// A client hangs up on an edge.
    pub(super) fn hang_up(&mut self, edge: usize, call: CallId) {
        let at = self.now + self.client_latency();
        self.queue.push(at, Event::Edge(edge, EdgeEvent::Gone(call)));
    }

    /// An answer that a node gave, or what says that it gives none, is on its way back to the
    /// edge or to the client.
    pub(super) fn answer_goes(&mut self, slot: usize, call: CallId, answer: Answer) {
        let Some(edge) = edge_of(call) else {
            let at = self.now + self.client_latency();
            self.queue.push(at, Event::Answer(call, Box::new(answer)));
            return;
        };
        let event = if call.0 & OF_A_PROBE != 0 {
            EdgeEvent::Probed(ProbeId(call.0 & NUMBER), None)
        } else {
            EdgeEvent::Answered(AttemptId(call.0 & NUMBER), Box::new(answer))
        };
        let at = self.now + self.way(edge, slot);
        self.queue.push(at, Event::Edge(edge, event));
    }

    /// What a node says to a probe leaves it.
    pub(super) fn probe_leaves(&mut self, slot: usize, call: CallId, probe: Probe) {
        let Some(edge) = edge_of(call) else { return };
        if self.is_cut_from_clients(slot) {
            return;
        }
        let at = self.now + self.way(edge, slot);
        let event = EdgeEvent::Probed(ProbeId(call.0 & NUMBER), Some(probe));
        self.queue.push(at, Event::Edge(edge, event));
    }

    /// One way between an edge and a machine, in nanoseconds: as far as the regions are.
    fn way(&mut self, edge: usize, slot: usize) -> u64 {
        let home = usize::from(self.edges[edge].home.0);
        let is_near = self.region_slots(home).contains(&slot);
        let (low, high) = if is_near { self.client_latency_ns } else { self.far_latency_ns };
        self.edges[edge].ways.range(low, high)
    }

    /// Something happens to an edge.
    pub(super) fn edge_happens(&mut self, edge: usize, event: EdgeEvent) -> Option<Todo> {
        let mut answer = None;
        let input = match event {
            EdgeEvent::Asked(call, session, request) => {
                let ask = ask_of(session, &request);
                self.edges[edge].asked.insert(call, *request);
                Input::Request { request: RequestId(call.0), ask }
            }
            EdgeEvent::Gone(call) => {
                self.edges[edge].asked.remove(&call);
                Input::Gone { request: RequestId(call.0) }
            }
            EdgeEvent::Answered(attempt, found) => {
                let reply = reply_of(&found);
                answer = Some(*found);
                match reply {
                    Ok(reply) => Input::Answered { attempt, reply },
                    Err(loss) => Input::Lost { attempt, loss },
                }
            }
            EdgeEvent::Probed(probe, found) => {
                let is_fit = found.is_some_and(|probe| probe.unfit.is_none());
                let leader = found.and_then(|probe| probe.leader);
                Input::Probed { probe, is_fit, leader }
            }
            EdgeEvent::Wake => {
                self.edges[edge].wakes_at = u64::MAX;
                Input::Wake
            }
        };
        let actor = &mut self.edges[edge];
        let mut out = std::mem::take(&mut actor.out);
        actor.core.step(Monotonic(self.now), &mut actor.dice, input, &mut out);
        for output in out.drain(..) {
            self.edge_wants(edge, output, &mut answer);
        }
        self.edges[edge].out = out;
        self.wake_edge_later(edge);
        None
    }

    fn edge_wants(&mut self, edge: usize, output: Output, found: &mut Option<Answer>) {
        let who = TRACED_FROM + edge as u8;
        match output {
            Output::Send { request, attempt, node, op_id } => {
                let call = call_of(edge, attempt.0);
                self.trace.add(self.now, Traced::Request, who, &call.0.to_le_bytes());
                let Some(asked) = self.edges[edge].asked.get(&CallId(request.0)) else { return };
                let event = sending(call, asked, op_id);
                self.reach_out(edge, node, event);
            }
            Output::Probe { probe, node } => {
                let call = call_of(edge, probe.0 | OF_A_PROBE);
                self.reach_out(edge, node, NodeEvent::Probe(call));
            }
            // What comes back finds no request.
            Output::Forget { .. } => {}
            Output::Answer { request, verdict } => {
                let call = CallId(request.0);
                self.trace.add(self.now, Traced::Answer, who, &call.0.to_le_bytes());
                let Some(asked) = self.edges[edge].asked.remove(&call) else { return };
                let answer = match (verdict, found.take()) {
                    (Verdict::Relay(_), Some(answer)) => answer,
                    (verdict, _) => own_answer(&asked, verdict),
                };
                let at = self.now + self.client_latency();
                self.queue.push(at, Event::Answer(call, Box::new(answer)));
            }
        }
    }

    fn reach_out(&mut self, edge: usize, node: NodeId, event: NodeEvent) {
        let slot = self.machines.iter().position(|machine| machine.node == node);
        let slot = slot.expect("an edge knows the cluster's nodes");
        if self.is_cut_from_clients(slot) {
            sometimes!("edge-cut-from-node");
            return;
        }
        let at = self.now + self.way(edge, slot);
        self.queue.push(at, Event::Request { slot, event });
    }
}

/// What goes to the node: the client's request under the operation that the edge names.
fn sending(call: CallId, asked: &Request, op_id: Option<OpId>) -> NodeEvent {
    match asked {
        Request::Write(submission, token, options) => {
            let op_id = op_id.unwrap_or(submission.op_id);
            let submission = Submission { op_id, command: submission.command.clone() };
            NodeEvent::Write(call, Box::new((submission, *token, *options)))
        }
        Request::Read(read) => NodeEvent::Read(call, Box::new(*read)),
    }
}

impl EdgeOverrides {
    /// The limits of a seed's edges.
    fn limits(&self, seed: u64) -> billing_edge::Limits {
        let mut limits = billing_edge::Limits::default();
        self.apply(seed, &mut limits);
        limits
    }
}
