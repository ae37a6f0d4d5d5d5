//! What happened in a run, for people: faults, lives of nodes, leaders, seals, what clients did
//! and were told, violations. One kind of event stands behind every report.
//!
//! A file of them is JSON lines: a head of the format that this release knows, then one event a
//! line, in order of time. Ticks, disk steps and all but the last frames are left out: the trace
//! hash covers them.

use crate::document::{self, Document, ReadError};
use crate::plan::PlannedFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The format that this release writes and reads.
pub const EVENTS_FORMAT: u32 = 1;

/// What a file of events is about: its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsHead {
    /// Version of this format.
    pub format: u32,
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Hash of the run that was told; that of its outcome.
    pub trace_hash: String,
    /// When the run ended, in simulated nanoseconds.
    pub ended_ns: u64,
    /// Regions in the order of their ids.
    pub regions: Vec<RegionMembers>,
    /// The transaction of the failure in billing words, where there is one to tell of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Its operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
}

impl Document for EventsHead {
    const KIND: &'static str = "the head of the events";
    const FORMAT: u32 = EVENTS_FORMAT;
}

/// A region with its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionMembers {
    /// Its id, from 0.
    pub region: u8,
    /// What people call it.
    pub name: String,
    /// Ids of its nodes, from 1.
    pub nodes: Vec<u16>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvent {
    /// Its number in the run, from 1.
    pub number: u64,
    /// How many events of the world the trace had seen; an outcome names its failure by this.
    pub event: u64,
    /// When, in simulated nanoseconds.
    pub at_ns: u64,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// How a client's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// Done, and the client knows.
    Ok,
    /// Certainly not done.
    Fail,
    /// Perhaps done.
    Unknown,
}

/// Whom a call is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Callee {
    /// A node, by its id.
    Node(u16),
    /// The edge of a region, which sends it where it fits.
    Edge(u8),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// The run enters a phase.
    Phase {
        /// `safety`, `liveness` or `recovery`.
        phase: String,
    },
    /// A planned fault begins.
    FaultBegins {
        /// Its number in the plan, from 1.
        fault: u64,
        /// The fault.
        planned: PlannedFault,
    },
    /// A planned fault that was in force ends.
    FaultEnds {
        /// Its number in the plan, from 1.
        fault: u64,
    },
    /// A node was opened from its disk.
    NodeUp {
        /// The node.
        node: u16,
    },
    /// A node's life ended.
    NodeDown {
        /// The node.
        node: u16,
        /// It halted by itself, to be opened again.
        halted: bool,
    },
    /// A node leads its region from here on.
    Leads {
        /// The node.
        node: u16,
        /// Its region.
        region: u8,
        /// The Raft term.
        term: u64,
    },
    /// An operator asks a node to seal a region.
    SealAsked {
        /// The region.
        region: u8,
        /// The node.
        node: u16,
    },
    /// The operator has the answer.
    SealAnswered {
        /// The region.
        region: u8,
        /// Whether it is sealed.
        sealed: bool,
        /// In words.
        words: String,
    },
    /// A client sends a request.
    Invoke {
        /// The client's session.
        client: u32,
        /// Names this sending.
        call: u64,
        /// Whom it is sent to.
        to: Callee,
        /// The operation, of a write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op_id: Option<String>,
        /// It was sent before.
        retry: bool,
        /// What is asked, in billing words.
        words: String,
    },
    /// A client has its answer, or gave up.
    Return {
        /// The client's session.
        client: u32,
        /// Which sending.
        call: u64,
        /// How it ended.
        result: CallResult,
        /// In billing words.
        words: String,
    },
    /// A node asks the payment provider for a payout, or hears of it, or the provider pays.
    Payout {
        /// The node; absent: the provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<u16>,
        /// The refund.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op_id: Option<String>,
        /// In billing words.
        words: String,
    },
    /// A node has a customer told of an invoice, or hears of it, or the mail service tells it.
    Notice {
        /// The node; absent: the mail service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<u16>,
        /// The operation that issued the invoice.
        op_id: String,
        /// In billing words.
        words: String,
    },
    /// A node sends a message to another one. Only the last ones of a run are told.
    Message {
        /// Who sends it.
        node: u16,
        /// To whom.
        to: u16,
        /// When it arrived, in simulated nanoseconds; absent: lost, or still on its way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arrives_ns: Option<u64>,
        /// Why nobody took it; absent: somebody did, or it is still on its way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<String>,
        /// What it says.
        words: String,
    },
    /// Where the bytes of the transaction that is followed are now.
    Custody {
        /// In words.
        words: String,
        /// No copy is left.
        is_last: bool,
    },
    /// A promise is seen to be broken.
    Violation {
        /// The oracle.
        oracle: String,
        /// The promise in billing words.
        promise: String,
        /// What was seen instead.
        detail: String,
        /// The transaction, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transaction: Option<String>,
    },
}

impl Happening {
    /// Whether it is a message between nodes.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Message { .. })
    }
}

/// A run as events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvents {
    /// What they are about.
    pub head: EventsHead,
    /// In order of time.
    pub events: Vec<RunEvent>,
}

/// Why a file of events could not be read.
#[derive(Debug, Error)]
pub enum EventsError {
    /// There is no head.
    #[error("the events are empty: not even their head is there")]
    Empty,
    /// The head is none.
    #[error(transparent)]
    Head(#[from] ReadError),
    /// A line behind it is no event.
    #[error("line {line} is no event of format {EVENTS_FORMAT}: {source}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Place and cause.
        source: serde_json::Error,
    },
}

impl RunEvents {
    /// As JSON lines.
    ///
    /// # Panics
    /// Never: an event has text keys only.
    pub fn to_lines(&self) -> String {
        let mut text = document::line(&self.head);
        for event in &self.events {
            text.push_str(&serde_json::to_string(event).expect("an event has text keys only"));
            text.push('\n');
        }
        text
    }

    /// Reads what [`Self::to_lines`] wrote.
    ///
    /// # Errors
    /// [`EventsError`] names the line.
    pub fn from_lines(text: &str) -> Result<Self, EventsError> {
        let mut lines = text.lines().enumerate();
        let (_, head) = lines.next().ok_or(EventsError::Empty)?;
        let event = |(place, line)| {
            serde_json::from_str(line)
                .map_err(|source| EventsError::Line { line: place + 1, source })
        };
        let head = document::read(head)?;
        Ok(Self { head, events: lines.map(event).collect::<Result<_, _>>()? })
    }

    /// The first promise that was seen to be broken.
    pub fn first_violation(&self) -> Option<&RunEvent> {
        self.events.iter().find(|event| matches!(event.what, Happening::Violation { .. }))
    }
}
