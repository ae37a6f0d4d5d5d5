//! The clients: a population of sessions that opens accounts, reports payments, reads balances,
//! misbehaves, and retries until it knows. Sans-io: it says what to send and when it wants to
//! be woken; the world carries, keeps the deadlines and writes the history.

mod answers;
mod billing;
mod commands;
mod durability;
mod foreign;
mod generator;
mod memory;
mod mistakes;
mod operation;
mod queries;
mod rivals;
mod session;
mod traffic;

use crate::scenario::{Between, Scenario};
use crate::seed::{Purpose, Stream};
use billing_wire::{NodeId, WriteOptions};
use billsim_oracle::history::{Answer, CallId, Endpoint, Request};
use billsim_record::PlannedLoad;
use durability::Durabilities;
use generator::{Draft, Generator};
use operation::{Heard, Operation};
use rivals::Rivals;
use session::Session;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use traffic::Traffic;

const MILLISECOND_NS: u64 = 1_000_000;
/// Bits of a call id that hold the session; a scenario has at most 4096 clients.
const SESSION_BITS: u32 = 12;

/// Streams of a spike, of what is about bills, of where rivals turn to, and of what arrives at
/// once with each planned fault.
const SPIKE_STREAM: u64 = 20;
const BILLING_STREAM: u64 = 30;
const RIVAL_STREAM: u64 = 31;
const SURGE_STREAMS: u64 = 10_000;

/// New payments of the liveness phase.
const PROOFS_OF_LIFE: u64 = 4;

/// What the world is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a request and report what comes back, [`Answer::TimedOut`] at the deadline at the
    /// latest. What comes back after that is not reported.
    Send {
        /// Names this sending.
        call: CallId,
        /// The session.
        session: u32,
        /// Whom to.
        to: Endpoint,
        /// What is asked.
        request: Request,
        /// Whether the same operation with the same body was sent before, by any session.
        retry: bool,
        /// When the client gives up, in nanoseconds.
        deadline_ns: u64,
    },
}

/// All clients of a run.
#[derive(Debug)]
pub struct Population {
    endpoints: Vec<Endpoint>,
    sessions: Vec<Session>,
    /// Sessions that have nothing to do.
    free: Vec<u32>,
    /// Sessions that pause, with the end of the pause.
    pauses: BinaryHeap<Reverse<(u64, u32)>>,
    traffic: Traffic,
    generator: Generator,
    /// Where sessions turn to and how long they pause.
    choices: Stream,
    /// Where the second of two rivals turns to.
    rivals: Rivals,
    /// Arrivals that wait for a free session.
    backlog: u64,
    /// Operations that were given up although they may have been logged.
    given_up: VecDeque<Operation>,
    request_ns: u64,
    backoff_ms: Between,
    attempts_max: u32,
    /// Retries whose client has changed the body, in parts per million.
    changed_retry_ppm: u32,
    /// Writes that show a token of another cluster first, in parts per million.
    foreign_token_ppm: u32,
    /// How durable answers are to be.
    durabilities: Durabilities,
    /// Operations that arrive at once when a fault of regions begins, and when it is over.
    surges: [Option<Between>; 2],
    seed: u64,
    liveness: bool,
    /// What of the drawn operations is sent.
    planned: PlannedLoad,
    /// Operations that were drawn in the safety phase, and how many may be.
    drawn: u64,
    operations_max: u64,
    /// Operations that were sent, those of the liveness phase included.
    sent: u64,
    calls: u64,
    acknowledged: u64,
    abandoned: u64,
}

impl Population {
    /// The clients of a seed, before they do anything; simulated time starts at 0.
    ///
    /// # Panics
    /// If there is nobody to talk to.
    pub fn new(scenario: &Scenario, seed: u64, endpoints: Vec<Endpoint>) -> Self {
        assert!(!endpoints.is_empty(), "clients need somebody to talk to");
        let load = scenario.load_of(seed);
        let clients = load.clients;
        let stream = |index| Stream::indexed(seed, Purpose::Load, index);
        let mut choices = stream(0);
        let sessions = (0..clients).map(|_| Session {
            endpoint: choices.below(endpoints.len() as u64) as usize,
            ..Session::default()
        });
        Self {
            sessions: sessions.collect(),
            free: (0..clients).rev().collect(),
            pauses: BinaryHeap::new(),
            traffic: Traffic::new(&load, stream(1), stream(SPIKE_STREAM)),
            generator: Generator::new(
                &load,
                scenario.cluster.regions,
                stream(2),
                stream(BILLING_STREAM),
            ),
            choices,
            rivals: Rivals::new(scenario, &endpoints, stream(RIVAL_STREAM)),
            endpoints,
            backlog: 0,
            given_up: VecDeque::new(),
            request_ns: scenario.timeouts.request_ms * MILLISECOND_NS,
            backoff_ms: scenario.timeouts.backoff_ms,
            attempts_max: scenario.timeouts.attempts,
            changed_retry_ppm: load.misbehaviour.changed_retry_ppm,
            foreign_token_ppm: load.misbehaviour.foreign_token_ppm,
            durabilities: Durabilities::new(load.durability),
            surges: [load.herd, load.backlog],
            seed,
            liveness: false,
            planned: PlannedLoad::default(),
            operations_max: load.operations.map_or(u64::MAX, u64::from),
            drawn: 0,
            sent: 0,
            calls: 0,
            acknowledged: 0,
            abandoned: 0,
        }
    }

    /// Sends a part of the load only. To be called before anything is done.
    pub fn restrict(&mut self, planned: &PlannedLoad) {
        if let Some(clients) = planned.clients {
            self.free.retain(|session| *session < clients);
        }
        self.planned = planned.clone();
    }

    /// Operations that were drawn in the safety phase: the last one's number.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Operations that were sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Clients that have sent something.
    pub fn took_part(&self) -> u64 {
        self.sessions.iter().filter(|session| session.took_part).count() as u64
    }

    /// When it wants to be woken, in nanoseconds; `u64::MAX` for never.
    pub fn next_wake(&self) -> u64 {
        let pause = self.pauses.peek().map_or(u64::MAX, |Reverse((until, _))| *until);
        pause.min(self.traffic.next_arrival())
    }

    /// Does what is due.
    pub fn wake(&mut self, now: u64, out: &mut Vec<Action>) {
        while self.traffic.next_arrival() <= now {
            self.traffic.advance();
            self.backlog += 1;
            self.serve(now, out);
        }
        while let Some(Reverse((until, session))) = self.pauses.peek().copied() {
            if until > now {
                break;
            }
            self.pauses.pop();
            self.send(session, now, out);
        }
    }

    /// Many operations arrive at once, because the fault with this number began or is over.
    pub fn surge(&mut self, now: u64, fault: u64, over: bool, out: &mut Vec<Action>) {
        let Some(operations) = self.surges[usize::from(over)] else { return };
        let index = SURGE_STREAMS + 2 * fault + u64::from(over);
        let mut stream = Stream::indexed(self.seed, Purpose::Load, index);
        self.backlog += operations.log_uniform(&mut stream);
        self.serve(now, out);
    }

    /// The session of a call.
    pub fn session_of(call: CallId) -> u32 {
        (call.0 & ((1 << SESSION_BITS) - 1)) as u32
    }

    /// Sessions that have sent something and talk to such an endpoint, and whether they are busy.
    pub fn talking_to(
        &self,
        is_of: impl Fn(Endpoint) -> bool,
    ) -> impl Iterator<Item = (u32, bool)> {
        let sessions = self.sessions.iter().zip(0_u32..);
        sessions
            .filter(move |(session, _)| {
                let to = self.endpoints[session.endpoint];
                session.took_part && is_of(to)
            })
            .map(|(session, number)| (number, session.operation.is_some()))
    }

    /// These nodes are gone for good, and every client knows.
    pub fn forget(&mut self, gone: &[NodeId]) {
        if gone.is_empty() {
            return;
        }
        self.endpoints.retain(|to| !matches!(to, Endpoint::Node(node) if gone.contains(node)));
        for session in &mut self.sessions {
            session.endpoint %= self.endpoints.len();
        }
    }

    /// Takes what came back from a sending.
    pub fn answered(&mut self, now: u64, call: CallId, answer: Answer, out: &mut Vec<Action>) {
        let number = Self::session_of(call);
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        if session.call != Some(call) {
            return;
        }
        session.call = None;
        match answer {
            Answer::Write(answer) => self.write_answered(number, now, &answer, out),
            Answer::Read(answer) => self.read_answered(number, now, &answer, out),
            Answer::TimedOut => self.failed(number, now, Heard::Nothing, 0, out),
            Answer::Refused => self.failed(number, now, Heard::Refused, 0, out),
        }
    }

    /// From now on whatever may have been logged is sent again until it is known, and a few new
    /// payments are sent until they are acknowledged: a healed cluster must do new work too.
    pub fn enter_liveness(&mut self, now: u64, out: &mut Vec<Action>) {
        self.liveness = true;
        self.backlog = PROOFS_OF_LIFE;
        self.traffic.stop();
        while let Some(operation) = self.given_up.pop_front() {
            let Some(session) = self.free.pop() else {
                self.given_up.push_front(operation);
                break;
            };
            self.sessions[session as usize].operation = Some(operation);
            self.pauses.push(Reverse((now, session)));
        }
        self.serve(now, out);
    }

    /// Writes that were acknowledged, each operation once.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Operations that were dropped after the last attempt: reads, and writes that every sending
    /// was told were not appended.
    pub fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// Whether nothing is unresolved.
    pub fn is_settled(&self) -> bool {
        self.given_up.is_empty()
            && self.backlog == 0
            && !self.sessions.iter().filter_map(|s| s.operation.as_ref()).any(Operation::is_write)
    }

    /// A sentence for each write that has no definite answer yet.
    pub fn unresolved(&self) -> Vec<String> {
        let busy = self.sessions.iter().filter_map(|s| s.operation.as_ref());
        busy.chain(&self.given_up).filter(|o| o.is_write()).map(Operation::sentence).collect()
    }

    /// Gives waiting work to free sessions.
    fn serve(&mut self, now: u64, out: &mut Vec<Action>) {
        while !self.free.is_empty() {
            if let Some(operation) = self.given_up.pop_front_if(|_| self.liveness) {
                self.start(operation, now, out);
            } else if self.backlog > 0 {
                self.backlog -= 1;
                if self.liveness {
                    let draft = self.generator.proof_of_life();
                    self.start_draft(draft, now, out);
                    continue;
                }
                let draft = self.generator.next(now);
                self.drawn += 1;
                if self.drawn == self.operations_max {
                    self.traffic.stop();
                    self.backlog = 0;
                }
                if self.planned.sends(self.drawn) {
                    self.start_draft(draft, now, out);
                } else {
                    self.pass_over(&draft);
                }
            } else {
                break;
            }
        }
    }

    /// An operation that is not sent. It draws what it would have drawn at first, as if it were
    /// answered at once, so that what is sent moves to other clients and nodes as little as
    /// possible; only its retries draw no more.
    fn pass_over(&mut self, draft: &Draft) {
        let first = self.allot();
        let has_second = draft.twin || draft.rival.is_some();
        let second = (has_second && !self.free.is_empty()).then(|| self.allot());
        self.free.push(first);
        self.free.extend(second);
    }

    fn start_draft(&mut self, mut draft: Draft, now: u64, out: &mut Vec<Action>) {
        self.sent += 1;
        let (rival, across) = (draft.rival.take(), draft.across);
        let operation = Operation::new(draft);
        let second = rival.map(|rival| Operation::new(*rival)).or_else(|| operation.twin());
        let first = self.start(operation, now, out);
        if let Some(second) = second
            && !self.free.is_empty()
        {
            let number = self.allot();
            if across {
                let taken = self.sessions[first as usize].endpoint;
                let session = &mut self.sessions[number as usize];
                session.endpoint = self.rivals.turn(&self.endpoints, taken, session.endpoint);
            }
            self.begin(number, second, now, out);
        }
    }

    fn start(&mut self, operation: Operation, now: u64, out: &mut Vec<Action>) -> u32 {
        let number = self.allot();
        self.begin(number, operation, now, out);
        number
    }

    fn begin(&mut self, number: u32, operation: Operation, now: u64, out: &mut Vec<Action>) {
        self.sessions[number as usize].operation = Some(operation);
        self.send(number, now, out);
    }

    /// Takes a free session.
    fn allot(&mut self) -> u32 {
        let place = self.choices.below(self.free.len() as u64) as usize;
        let number = self.free.swap_remove(place);
        let session = &mut self.sessions[number as usize];
        // A new connection now and then, so that no node is without clients for long.
        if self.choices.below(8) == 0 {
            session.endpoint = self.choices.below(self.endpoints.len() as u64) as usize;
        }
        number
    }

    fn send(&mut self, number: u32, now: u64, out: &mut Vec<Action>) {
        let session = &mut self.sessions[number as usize];
        let Some(operation) = session.operation.as_mut() else { return };
        let call = CallId((self.calls << SESSION_BITS) | u64::from(number));
        self.calls += 1;
        session.call = Some(call);
        session.took_part = true;
        let retry = operation.is_repeated();
        let token = match operation.op_id() {
            Some(op_id) if operation.attempts() == 0 => {
                foreign::first_shown(op_id, self.foreign_token_ppm, session.token)
            }
            _ => session.token,
        };
        let patience = operation.next_patience_ns().unwrap_or(self.request_ns);
        // In the end clients take what they get: a region may be left alone for good.
        let options = match operation.op_id() {
            Some(op_id) if !self.liveness && !operation.takes_any_grade() => {
                self.durabilities.of(op_id, number)
            }
            _ => WriteOptions::default(),
        };
        out.push(Action::Send {
            call,
            session: number,
            to: self.endpoints[session.endpoint],
            request: operation.request(token, options),
            retry,
            deadline_ns: now + patience,
        });
    }
}

#[cfg(test)]
mod tests;
