//! What can happen next.

use super::edges::EdgeEvent;
use super::mail::MailCall;
use super::provider::ProviderCall;
use billing_core::{DiskFault, EffectId, EffectResult, FileName, PersistToken, RequestId};
use billing_wire::{NodeId, OpId, Read, RegionId, Submission, Token, WriteOptions};
use billsim_oracle::{Answer, CallId};
use bytes::Bytes;

/// Something that a node will be told.
#[derive(Debug)]
pub enum NodeEvent {
    /// Its timer.
    Tick,
    /// A frame arrives.
    Frame(Bytes),
    /// A persist is done.
    DiskDone {
        /// Which.
        token: PersistToken,
        /// How it went.
        result: Result<(), DiskFault>,
    },
    /// A ledger commit is done.
    LedgerDone(Result<(), DiskFault>),
    /// Its scrubber found this file damaged.
    Damaged(FileName),
    /// A client's write arrives.
    Write(CallId, Box<(Submission, Option<Token>, WriteOptions)>),
    /// A client's read arrives.
    Read(CallId, Box<Read>),
    /// An edge's probe arrives.
    Probe(CallId),
    /// A call for a payout ended.
    EffectDone(EffectId, EffectResult),
    /// The hand-over of a notice ended: whether the mail service has it.
    MailDone(OpId, bool),
    /// An operator seals regions.
    Seal {
        /// For the answer.
        request: RequestId,
        /// Which.
        regions: Vec<RegionId>,
    },
}

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// To a node, if it still lives that life.
    Node {
        /// Its machine.
        slot: usize,
        /// The life that it is meant for.
        life: u32,
        /// What.
        event: NodeEvent,
    },
    /// A client's request arrives at a machine, whatever life it is in.
    Request {
        /// The machine.
        slot: usize,
        /// What.
        event: NodeEvent,
    },
    /// Something happens to an edge.
    Edge(usize, EdgeEvent),
    /// An answer arrives at a client.
    Answer(CallId, Box<Answer>),
    /// A client's patience ends.
    Deadline(CallId),
    /// The clients want to act.
    Clients,
    /// An archive is due.
    Archive,
    /// A call arrives at the payment provider.
    ProviderCalled(Box<ProviderCall>),
    /// A notice arrives at the mail service.
    MailCalled(Box<MailCall>),
    /// The operator goes on with a planned action, if so many nodes were asked so far.
    Operator {
        /// Which action.
        number: usize,
        /// Nodes that were asked.
        attempt: u64,
    },
    /// The planned fault with this number begins.
    FaultBegins(usize),
    /// The planned fault with this number ends.
    FaultEnds(usize),
    /// The planned fault with this number comes or goes in between.
    FaultTurns(usize),
    /// The power goes in the middle of a disk step.
    PowerCut {
        /// The machine.
        slot: usize,
        /// The life that it is meant for.
        life: u32,
        /// Which planned kind it is.
        kind: &'static str,
    },
    /// A machine is switched on.
    Start {
        /// The machine.
        slot: usize,
        /// The life that ended.
        life: u32,
    },
    /// A process that stood still goes on.
    Resume {
        /// The machine.
        slot: usize,
        /// The life that it is meant for.
        life: u32,
    },
}

impl Event {
    /// Whether faults, machines or the operator may be in another state after it. What disks do to
    /// nodes, and nodes to themselves, shows when they are fed.
    pub fn may_change_health(&self) -> bool {
        matches!(
            self,
            Self::Operator { .. }
                | Self::FaultBegins(_)
                | Self::FaultEnds(_)
                | Self::FaultTurns(_)
                | Self::PowerCut { .. }
                | Self::Start { .. }
                | Self::Resume { .. }
        )
    }
}

impl NodeEvent {
    /// The call of a client's request.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Write(call, _) | Self::Read(call, _) | Self::Probe(call) => Some(*call),
            _ => None,
        }
    }
}

impl From<Option<super::Todo>> for super::Todo {
    fn from(todo: Option<Self>) -> Self {
        todo.unwrap_or(Self::Nothing)
    }
}

/// Names a machine's node in messages of the testbed.
pub fn name(node: NodeId) -> String {
    format!("node {node}")
}
