//! The edge: admits a request, sends it, follows it until it has one answer, and keeps the picture
//! of the nodes that this needs.

use crate::bucket::{Bucket, Clients, Rate};
use crate::config::{ConfigError, Limits, Nearest, Site};
use crate::io::{
    Ask, AttemptId, Chance, Input, Loss, Output, Outputs, Priority, ProbeId, Reply, RequestId,
    Shed, Verdict,
};
use crate::request::{Place, Stage, Table, attempt};
use crate::routes::Routes;
use billing_core::{Monotonic, canary, sometimes};
use billing_wire::answer::Unavailable;
use billing_wire::{NodeId, OpId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When a client that was shed should come back, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;
/// Thousandths of a retry in one percent.
const THOUSANDTHS: u64 = 10;

/// Something that is due at a time; what became void meanwhile is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Probe(u8),
    ProbeLate(ProbeId),
    AnswerLate(AttemptId),
    Retry(Place),
    RequestLate(Place),
}

/// An edge.
#[derive(Debug)]
pub struct Edge {
    limits: Limits,
    routes: Routes,
    requests: Table,
    clients: Clients,
    retries: Bucket,
    timers: BinaryHeap<Reverse<(Monotonic, Timer)>>,
    is_stopping: bool,
}

impl Edge {
    /// An edge before its regions, nearest first. Every node is probed for the first time within
    /// the first interval, at a moment that chance decides.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn new(
        sites: &[Site],
        nearest: Nearest,
        limits: Limits,
        now: Monotonic,
        chance: &mut impl Chance,
    ) -> Result<Self, ConfigError> {
        limits.check()?;
        let client = Rate { per_s: limits.client_per_s, capacity: limits.client_burst };
        let mut edge = Self {
            routes: Routes::new(sites, nearest, now)?,
            requests: Table::default(),
            clients: Clients::new(client, limits.clients_max, now),
            retries: Bucket::full(now, retry_rate(&limits)),
            timers: BinaryHeap::new(),
            is_stopping: false,
            limits,
        };
        for place in 0..edge.routes.len() as u8 {
            let at = now.plus_ms(chance.below(limits.probe_ms));
            edge.routes.probe_at(place, at);
            edge.due(at, Timer::Probe(place));
        }
        Ok(edge)
    }

    /// When it wants to be woken at the latest.
    pub fn next_wake(&self) -> Option<Monotonic> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.requests.len()
    }

    /// The nodes, for metrics.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Takes one input and appends what is to be done to `out`.
    pub fn step(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        input: Input,
        out: &mut Outputs,
    ) {
        match input {
            Input::Request { request, ask } => self.admit(now, chance, request, ask, out),
            Input::Answered { attempt, reply } => self.answered(now, chance, attempt, reply, out),
            Input::Lost { attempt, loss } => self.lost(now, chance, attempt, loss, out),
            Input::Probed { probe, is_fit, leader } => self.probed(now, probe, is_fit, leader),
            Input::Gone { request } => {
                if let Some(place) = self.requests.find(request) {
                    self.close(place, None, out);
                }
            }
            Input::Wake => {}
            Input::Stop => self.is_stopping = true,
        }
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.ring(at, now, chance, timer, out);
        }
    }

    fn due(&mut self, at: Monotonic, timer: Timer) {
        self.timers.push(Reverse((at, timer)));
    }

    fn ring(
        &mut self,
        at: Monotonic,
        now: Monotonic,
        chance: &mut impl Chance,
        timer: Timer,
        out: &mut Outputs,
    ) {
        match timer {
            Timer::Probe(place) => {
                if let Some((probe, next)) = self.routes.probe((at, now), place, &self.limits, out)
                {
                    self.due(now.plus_ms(self.limits.probe_answer_ms), Timer::ProbeLate(probe));
                    self.due(next, Timer::Probe(place));
                }
            }
            Timer::ProbeLate(probe) => {
                if self.routes.awaits(probe) {
                    self.probed(now, probe, false, None);
                }
            }
            Timer::AnswerLate(attempt) => self.answer_is_late(now, chance, attempt, out),
            Timer::Retry(place) => {
                let open = self.requests.get(place);
                if open.is_some_and(|open| open.retry_at.take_if(|due| *due == at).is_some()) {
                    self.dispatch(now, chance, place, out);
                }
            }
            Timer::RequestLate(place) => self.fail(place, out),
        }
    }

    fn admit(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        request: RequestId,
        ask: Ask,
        out: &mut Outputs,
    ) {
        if let Err((why, retry_after_ms)) = self.admits(now, &ask) {
            let verdict = Verdict::Shed { why, retry_after_ms };
            out.push(Output::Answer { request, verdict });
            return;
        }
        self.retries.earn(self.limits.retry_percent * THOUSANDTHS, retry_rate(&self.limits));
        let place = self.requests.open(request, ask);
        self.due(now.plus_ms(self.limits.request_ms), Timer::RequestLate(place));
        self.dispatch(now, chance, place, out);
    }

    /// Whether a request is taken; if not, why and when to come back.
    fn admits(&mut self, now: Monotonic, ask: &Ask) -> Result<(), (Shed, u64)> {
        if self.is_stopping {
            return Err((Shed::Stopping, RETRY_AFTER_MS));
        }
        let share = match ask.priority {
            Priority::First => 100,
            Priority::Second => self.limits.second_percent,
            Priority::Third => self.limits.third_percent,
        };
        if self.requests.len() >= (self.limits.in_flight_max * share / 100).max(1) {
            sometimes!("request-shed");
            return Err((Shed::Overloaded, RETRY_AFTER_MS));
        }
        self.clients.admit(now, ask.client).map_err(|retry_after_ms| {
            sometimes!("client-rate-limited");
            (Shed::TooOften, retry_after_ms)
        })
    }

    /// Sends a request to the best node that there is, or waits for one.
    fn dispatch(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        place: Place,
        out: &mut Outputs,
    ) {
        let Some(open) = self.requests.get(place) else { return };
        let Some(node) = self.routes.pick(open) else {
            sometimes!("no-node-available");
            self.pause(now, chance, place, 0);
            return;
        };
        self.routes.note_retry(open, node);
        let (request, ask, number) = (open.request, open.ask, open.sent());
        let mut op_id = ask.op_id;
        if canary!("retry-with-new-op-id") && number > 0 {
            op_id = op_id.map(|op_id| OpId(op_id.0 ^ number as u128));
        }
        self.routes.breaker(node).sent();
        let attempt = self.requests.send(place, node, now);
        let patience =
            if ask.is_patient { self.limits.patient_answer_ms } else { self.limits.answer_ms };
        self.due(now.plus_ms(patience), Timer::AnswerLate(attempt));
        let node = self.routes.node(node);
        out.push(Output::Send { request, attempt, node, op_id });
    }

    /// Sets the time of the next sending: full jitter under a bound that doubles.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    fn pause(&mut self, now: Monotonic, chance: &mut impl Chance, place: Place, least_ms: u64) {
        let Some(open) = self.requests.get(place) else { return };
        let bound = self.limits.backoff_first_ms << open.pauses.min(16);
        let bound = bound.min(self.limits.backoff_max_ms);
        open.pauses += 1;
        let at = now.plus_ms(least_ms + 1 + chance.below(bound));
        open.retry_at = Some(at);
        self.due(at, Timer::Retry(place));
    }

    fn answered(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        attempt: AttemptId,
        reply: Reply,
        out: &mut Outputs,
    ) {
        let Some((place, flight)) = self.requests.flight(attempt) else { return };
        let node = flight.place;
        match flight.stage {
            Stage::Open => {}
            Stage::Overdue => sometimes!("late-answer-used"),
            Stage::NothingLogged | Stage::Unknown => return,
        }
        flight.stage = match reply {
            Reply::Unavailable { .. } => Stage::NothingLogged,
            Reply::Settled | Reply::Unknown => Stage::Unknown,
        };
        let breaker = self.routes.breaker(node);
        let mut least_ms = 0;
        match reply {
            Reply::Settled => {
                breaker.succeeded();
                self.close(place, Some(Verdict::Relay(attempt)), out);
                return;
            }
            Reply::Unavailable { reason, retry_after_ms } => match reason {
                // The client's own wish, or for the client's token: the node is well.
                Unavailable::GradeUnreachable => {
                    breaker.succeeded();
                    let is_sure = self.requests.get(place).is_some_and(|o| !o.may_be_logged());
                    if is_sure {
                        self.close(place, Some(Verdict::Relay(attempt)), out);
                        return;
                    }
                }
                Unavailable::Overloaded | Unavailable::TokenAhead => {
                    breaker.untried();
                    least_ms = retry_after_ms.into();
                }
                Unavailable::NoLeader
                | Unavailable::DiskFull
                | Unavailable::ClockSkew
                | Unavailable::Stopping => self.blame(now, node),
            },
            Reply::Unknown => self.blame(now, node),
        }
        self.go_on(now, chance, place, least_ms, out);
    }

    fn lost(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        attempt: AttemptId,
        loss: Loss,
        out: &mut Outputs,
    ) {
        let Some((place, flight)) = self.requests.flight(attempt) else { return };
        if !matches!(flight.stage, Stage::Open | Stage::Overdue) {
            return;
        }
        let node = flight.place;
        flight.stage = match loss {
            Loss::Refused => Stage::NothingLogged,
            Loss::Broken => Stage::Unknown,
        };
        self.blame(now, node);
        self.go_on(now, chance, place, 0, out);
    }

    fn answer_is_late(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        attempt: AttemptId,
        out: &mut Outputs,
    ) {
        let Some((place, flight)) = self.requests.flight(attempt) else { return };
        if flight.stage != Stage::Open {
            return;
        }
        flight.stage = Stage::Overdue;
        let node = flight.place;
        let is_patient = self.requests.get(place).is_some_and(|open| open.ask.is_patient);
        if is_patient {
            self.routes.breaker(node).untried();
        } else if self.routes.breaker(node).open(now, &self.limits) {
            self.probe_sooner(now, node);
        }
        self.go_on(now, chance, place, 0, out);
    }

    fn blame(&mut self, now: Monotonic, node: u8) {
        if self.routes.breaker(node).failed(now, &self.limits) {
            self.probe_sooner(now, node);
        }
    }

    fn probe_sooner(&mut self, now: Monotonic, node: u8) {
        let at = self.routes.ejected(now, node, &self.limits);
        self.due(at, Timer::Probe(node));
    }

    /// A sending failed: another one after a pause, if the request and the budget have one left.
    fn go_on(
        &mut self,
        now: Monotonic,
        chance: &mut impl Chance,
        place: Place,
        least_ms: u64,
        out: &mut Outputs,
    ) {
        let Some(open) = self.requests.get(place) else { return };
        if open.is_awaited(Stage::Open) || open.retry_at.is_some() {
            return;
        }
        let may_retry = open.sent() < self.limits.attempts_max;
        if may_retry && self.retries.take(now, retry_rate(&self.limits)).is_ok() {
            self.pause(now, chance, place, least_ms);
            return;
        }
        if may_retry {
            sometimes!("retry-budget-empty");
        }
        // A late answer may still come, but a client that knows can itself do something now.
        self.fail(place, out);
    }

    /// Answers a request with what the edge knows of it.
    fn fail(&mut self, place: Place, out: &mut Outputs) {
        let Some(open) = self.requests.get(place) else { return };
        let verdict = if open.may_be_logged() {
            sometimes!("edge-unknown");
            Verdict::Unknown
        } else {
            Verdict::Shed { why: Shed::NoNode, retry_after_ms: RETRY_AFTER_MS }
        };
        self.close(place, Some(verdict), out);
    }

    /// A request is over. Trials that nobody waits for tell nothing.
    fn close(&mut self, place: Place, verdict: Option<Verdict>, out: &mut Outputs) {
        let Some(open) = self.requests.close(place) else { return };
        for (number, flight) in open.flights().iter().enumerate() {
            if matches!(flight.stage, Stage::Open | Stage::Overdue) {
                if flight.stage == Stage::Open {
                    self.routes.breaker(flight.place).untried();
                }
                out.push(Output::Forget { attempt: attempt(place, number) });
            }
        }
        if let Some(verdict) = verdict {
            out.push(Output::Answer { request: open.request, verdict });
        }
    }

    fn probed(&mut self, now: Monotonic, probe: ProbeId, is_fit: bool, leader: Option<NodeId>) {
        let Some(place) = self.routes.probed(now, probe, is_fit, leader) else { return };
        if !is_fit && self.routes.breaker(place).open(now, &self.limits) {
            self.probe_sooner(now, place);
        }
    }
}

fn retry_rate(limits: &Limits) -> Rate {
    Rate { per_s: limits.retry_per_s, capacity: limits.retry_reserve }
}
