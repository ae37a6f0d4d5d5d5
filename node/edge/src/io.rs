//! What happens to an edge and what it wants done. The shell feeds one [`Input`], then carries out
//! the [`Outputs`] in order.

use billing_wire::answer::Unavailable;
use billing_wire::{NodeId, OpId};

/// Names a client's request until it is answered; chosen by the shell, unique while open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names one sending of a request to a node; chosen by the edge, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Names a probe; chosen by the edge, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// Who asks, as far as fairness is concerned: one token bucket each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What is served first when not all can be (billing.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// P0: money and look-ups.
    First,
    /// P1: meter reads, documents.
    Second,
    /// P2: analytics.
    Third,
}

/// What the edge must know of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The operation of a write; `None`: a read.
    pub op_id: Option<OpId>,
    /// What is served first.
    pub priority: Priority,
    /// Whose it is.
    pub client: ClientId,
    /// It goes to the region's leader where that is known: a write, or a read that must not show
    /// less than its session has seen.
    pub to_leader: bool,
    /// It waits for a grade, so that a long silence is no failure of its node.
    pub is_patient: bool,
}

/// What a node's answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// A result, or a refusal that every node would repeat (2xx, 4xx): the client's answer.
    Settled,
    /// Nothing was logged (503).
    Unavailable {
        /// Why.
        reason: Unavailable,
        /// When a retry may help.
        retry_after_ms: u32,
    },
    /// It may be logged (504), or nobody knows what the node means.
    Unknown,
}

/// How a sending ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// There was no connection: nothing arrived.
    Refused,
    /// It broke: the request may have arrived.
    Broken,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A client asks.
    Request {
        /// For the answer.
        request: RequestId,
        /// What the edge must know of it.
        ask: Ask,
    },
    /// A node answered.
    Answered {
        /// Which sending.
        attempt: AttemptId,
        /// What it means.
        reply: Reply,
    },
    /// A sending ended without an answer.
    Lost {
        /// Which sending.
        attempt: AttemptId,
        /// How.
        loss: Loss,
    },
    /// A probe came back, or cannot.
    Probed {
        /// Which.
        probe: ProbeId,
        /// Whether the node says that it can serve. No answer is `false`.
        is_fit: bool,
        /// The leader of its region, as far as it knows.
        leader: Option<NodeId>,
    },
    /// A client went away: nobody waits for its answer.
    Gone {
        /// Its request.
        request: RequestId,
    },
    /// The time that [`crate::Edge::next_wake`] named has come.
    Wake,
    /// New requests are refused from now on.
    Stop,
}

/// Why the edge itself answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// This client asks too often (429).
    TooOften,
    /// Too much is in flight for a request of this priority (503).
    Overloaded,
    /// No node could be made to take it (503).
    NoNode,
    /// The edge is stopping (503).
    Stopping,
}

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What the node answered to this sending.
    Relay(AttemptId),
    /// Nothing was logged.
    Shed {
        /// Why.
        why: Shed,
        /// When a retry may help.
        retry_after_ms: u64,
    },
    /// It may be logged (504): retry with the same `op_id`.
    Unknown,
}

/// What the edge wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send a request to a node.
    Send {
        /// Which request.
        request: RequestId,
        /// Names this sending.
        attempt: AttemptId,
        /// The node.
        node: NodeId,
        /// Under which operation, for a write.
        op_id: Option<OpId>,
    },
    /// Nobody waits for this sending any more.
    Forget {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask a node whether it can serve.
    Probe {
        /// Names the probe.
        probe: ProbeId,
        /// The node.
        node: NodeId,
    },
    /// Answer a client. The request is over.
    Answer {
        /// Which request.
        request: RequestId,
        /// With what.
        verdict: Verdict,
    },
}

/// Outputs in the order in which they are to be carried out.
pub type Outputs = Vec<Output>;

/// Where random numbers come from.
pub trait Chance {
    /// A number below `bound`, which is at least 1; every one is as likely.
    fn below(&mut self, bound: u64) -> u64;
}
