//! What clients did and were told, with times: the one thing that simulated and real runs have
//! in common. Times are nanoseconds of one clock; events are in order.

use billing_wire::answer::Unavailable;
use billing_wire::{
    NodeId, Read, ReadAnswer, RegionId, Submission, Token, WriteAnswer, WriteOptions,
};
use std::fmt;

/// One sending of a request, unique in a history. A retry is a new call of the same operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Whom a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A node, which serves it or hands it to its region's leader.
    Node(NodeId),
    /// An edge, by the region that is its nearest; it may send the request anywhere.
    Edge(RegionId),
}

impl From<NodeId> for Endpoint {
    fn from(node: NodeId) -> Self {
        Self::Node(node)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Edge(region) => write!(f, "the edge of region {region}"),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A submission, with what the session has seen, and how durable its answer is to be.
    Write(Submission, Option<Token>, WriteOptions),
    /// A read.
    Read(Read),
}

impl Request {
    /// A submission of a client that leaves it to the cluster how durable the answer is.
    #[must_use]
    pub fn write(submission: Submission, token: Option<Token>) -> Self {
        Self::Write(submission, token, WriteOptions::default())
    }
}

/// What came back, or that nothing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a submission. `Done` is ok; `Unknown` is unknown; the others are a failure that says
    /// that nothing was logged.
    Write(WriteAnswer),
    /// To a read.
    Read(Box<ReadAnswer>),
    /// The client gave up waiting: unknown.
    TimedOut,
    /// The connection was refused or broke before anything was sent: nothing happened.
    Refused,
}

impl Answer {
    /// Whether a write was refused because its client would rather be than be told of a weaker
    /// grade: that is an answer, and nobody owes another one.
    #[must_use]
    pub fn is_refused_for_its_grade(&self) -> bool {
        let Self::Write(WriteAnswer::Unavailable { reason, .. }) = self else { return false };
        *reason == Unavailable::GradeUnreachable
    }
}

/// One event of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client sends a request.
    Invoke {
        /// When.
        at: u64,
        /// Names this sending.
        call: CallId,
        /// The client's session; one operation at a time within a session.
        session: u32,
        /// Whom it is sent to.
        to: Endpoint,
        /// What is asked.
        request: Request,
        /// Whether it repeats an operation that was sent before.
        retry: bool,
    },
    /// The client has its answer, or gave up.
    Return {
        /// When.
        at: u64,
        /// Which sending.
        call: CallId,
        /// What came back.
        answer: Answer,
    },
}

/// A whole history.
pub type History = Vec<Event>;
