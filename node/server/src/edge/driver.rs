//! The one task that owns the edge's core: feeds it what happens and carries out what it wants.

use super::asks::{KEY_HEADER, reply_of};
use super::calls::{Answer, Call, Nodes};
use axum::http::{HeaderValue, StatusCode};
use billing_core::Monotonic;
use billing_edge::breaker::State;
use billing_edge::{
    Ask, AttemptId, Chance, Edge, Input, Loss, Output, Outputs, ProbeId, RequestId, Verdict,
};
use billing_shell::tokio_host::Clock;
use billing_wire::{NodeId, OpId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// A look at a node's readiness.
const PROBE_PATH: &str = "/readyz";
/// Without a timer the core is looked at after so long.
const IDLE: Duration = Duration::from_secs(60);

/// What a client's handler gets.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A node's answer.
    Relayed(Answer),
    /// The edge's own.
    Own(Verdict),
}

/// What happens to the driver.
#[derive(Debug)]
pub(super) enum Event {
    /// A client asks.
    Asked { request: RequestId, ask: Ask, call: Call, outcome: oneshot::Sender<Outcome> },
    /// It went away before it was answered.
    Gone { request: RequestId },
    /// A sending ended.
    Ended { attempt: AttemptId, result: Result<Answer, Loss> },
    /// A probe ended.
    Probed { probe: ProbeId, is_fit: bool, leader: Option<NodeId> },
    /// Somebody wants figures.
    Look { figures: oneshot::Sender<Figures> },
}

/// What the edge says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// Requests without an answer.
    pub(super) in_flight: usize,
    /// Sendings so far.
    pub(super) sent: u64,
    /// Requests so far.
    pub(super) asked: u64,
    /// Answers of the edge's own: shed, unknown.
    pub(super) shed: u64,
    pub(super) unknown: u64,
    /// Per node its breaker: 0 closed, 1 half open, 2 open.
    pub(super) breakers: Vec<(NodeId, u8)>,
}

/// Random numbers; what hangs on them is fairness, not secrecy.
///
/// Source: S. Vigna, `SplitMix64` (2015).
pub(super) struct Dice(pub(super) u64);

impl Chance for Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

struct Caller {
    call: Call,
    outcome: oneshot::Sender<Outcome>,
}

/// Runs an edge.
pub(super) struct Driver {
    pub(super) edge: Edge,
    pub(super) dice: Dice,
    pub(super) clock: Clock,
    pub(super) nodes: Arc<Nodes>,
    pub(super) events: mpsc::Sender<Event>,
    callers: BTreeMap<RequestId, Caller>,
    sendings: BTreeMap<AttemptId, AbortHandle>,
    figures: Figures,
    out: Outputs,
}

impl Driver {
    pub(super) fn new(
        edge: Edge,
        dice: Dice,
        clock: Clock,
        nodes: Nodes,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            edge,
            dice,
            clock,
            nodes: Arc::new(nodes),
            events,
            callers: BTreeMap::new(),
            sendings: BTreeMap::new(),
            figures: Figures::default(),
            out: Outputs::new(),
        }
    }

    /// Until it was told to stop and every client has its answer.
    pub(super) async fn run(
        mut self,
        mut inlet: mpsc::Receiver<Event>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut is_stopping = false;
        while !(is_stopping && self.callers.is_empty()) {
            let pause = self.pause();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    self.feed(Input::Stop, None);
                }
                Some(event) = inlet.recv() => self.happens(event),
                () = sleep(pause) => {}
            }
            if self.pause().is_zero() {
                self.feed(Input::Wake, None);
            }
        }
    }

    fn now(&self) -> Monotonic {
        self.clock.now().monotonic
    }

    /// How long nothing is due.
    fn pause(&self) -> Duration {
        let Some(wake) = self.edge.next_wake() else { return IDLE };
        Duration::from_nanos(wake.0.saturating_sub(self.now().0))
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Gone { request } => {
                if self.callers.remove(&request).is_some() {
                    self.feed(Input::Gone { request }, None);
                }
            }
            Event::Asked { request, ask, call, outcome } => {
                self.figures.asked += 1;
                self.callers.insert(request, Caller { call, outcome });
                self.feed(Input::Request { request, ask }, None);
            }
            Event::Ended { attempt, result } => {
                self.sendings.remove(&attempt);
                match result {
                    Ok(answer) => {
                        let reply = reply_of(&answer);
                        self.feed(Input::Answered { attempt, reply }, Some(answer));
                    }
                    Err(loss) => self.feed(Input::Lost { attempt, loss }, None),
                }
            }
            Event::Probed { probe, is_fit, leader } => {
                self.feed(Input::Probed { probe, is_fit, leader }, None);
            }
            Event::Look { figures } => {
                // Whoever asked may be gone; then nobody is left to tell.
                let _ = figures.send(self.look());
            }
        }
    }

    fn look(&self) -> Figures {
        let breaker = |state| match state {
            State::Closed => 0,
            State::HalfOpen { .. } => 1,
            State::Open { .. } => 2,
        };
        let each = self.edge.routes().each();
        Figures {
            in_flight: self.edge.in_flight(),
            breakers: each.map(|(node, it)| (node, breaker(it.state()))).collect(),
            ..self.figures.clone()
        }
    }

    /// `answer` is what the input is about.
    fn feed(&mut self, input: Input, mut answer: Option<Answer>) {
        let (now, mut out) = (self.now(), std::mem::take(&mut self.out));
        self.edge.step(now, &mut self.dice, input, &mut out);
        for output in out.drain(..) {
            match output {
                Output::Send { request, attempt, node, op_id } => {
                    self.send(request, attempt, node, op_id);
                }
                Output::Forget { attempt } => {
                    if let Some(sending) = self.sendings.remove(&attempt) {
                        sending.abort();
                    }
                }
                Output::Probe { probe, node } => self.probe(probe, node),
                Output::Answer { request, verdict } => {
                    let Some(caller) = self.callers.remove(&request) else { continue };
                    let outcome = match (verdict, answer.take()) {
                        (Verdict::Relay(_), Some(answer)) => Outcome::Relayed(answer),
                        (verdict, _) => Outcome::Own(verdict),
                    };
                    self.count(&outcome);
                    let _ = caller.outcome.send(outcome);
                }
            }
        }
        self.out = out;
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Own(Verdict::Unknown) => self.figures.unknown += 1,
            Outcome::Own(Verdict::Shed { .. }) => self.figures.shed += 1,
            Outcome::Own(Verdict::Relay(_)) | Outcome::Relayed(_) => {}
        }
    }

    fn send(&mut self, request: RequestId, attempt: AttemptId, node: NodeId, op_id: Option<OpId>) {
        let Some(caller) = self.callers.get(&request) else { return };
        let mut call = caller.call.clone();
        if let Some(key) = op_id.and_then(|op_id| HeaderValue::try_from(op_id.to_string()).ok()) {
            call.headers.insert(KEY_HEADER, key);
        }
        self.figures.sent += 1;
        let (nodes, events) = (Arc::clone(&self.nodes), self.events.clone());
        let sending = tokio::spawn(async move {
            let result = nodes.call(node, call).await;
            // The driver has ended: nobody waits for it.
            let _ = events.send(Event::Ended { attempt, result }).await;
        });
        self.sendings.insert(attempt, sending.abort_handle());
    }

    fn probe(&self, probe: ProbeId, node: NodeId) {
        let (nodes, events) = (Arc::clone(&self.nodes), self.events.clone());
        tokio::spawn(async move {
            let answer = nodes.call(node, Call::get(PROBE_PATH)).await.ok();
            let ready = answer.filter(|answer| answer.status == StatusCode::OK);
            let leader = ready.as_ref().and_then(|answer| leader_of(&answer.body));
            let _ = events.send(Event::Probed { probe, is_fit: ready.is_some(), leader }).await;
        });
    }
}

fn leader_of(body: &[u8]) -> Option<NodeId> {
    let said: serde_json::Value = serde_json::from_slice(body).ok()?;
    said["leader"].as_u64().and_then(|leader| u16::try_from(leader).ok()).map(NodeId)
}
