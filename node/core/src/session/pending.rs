//! One operation in flight and who waits for it.

use crate::canary;
use crate::io::RequestId;
use crate::time::Monotonic;
use billing_wire::{Hash, NodeId, OpId, Position, Token, WriteOptions};

/// Who wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiter {
    /// A client of this node.
    Client {
        /// Its request.
        request: RequestId,
        /// How it is to be acknowledged.
        options: WriteOptions,
        /// What its session has seen, verified: the receipt's token covers it.
        seen: Option<Token>,
    },
    /// The outbox: it confirms a payout.
    Outbox {
        /// The refund that was paid out.
        refund: OpId,
    },
    /// A follower that forwarded it.
    Follower {
        /// The follower.
        node: NodeId,
        /// Its number for the forward.
        sequence: u64,
        /// How it is to be acknowledged.
        options: WriteOptions,
    },
}

impl Waiter {
    /// How it is to be acknowledged.
    pub fn options(&self) -> WriteOptions {
        match self {
            Self::Client { options, .. } | Self::Follower { options, .. } => *options,
            Self::Outbox { .. } => WriteOptions::default(),
        }
    }
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for a place in the log.
    Queued,
    /// In a record that was proposed: from here on it may be logged, whatever happens.
    Proposed {
        /// The term of the record.
        term: u64,
    },
    /// On its way to the leader.
    Forwarded {
        /// The number under which it travels.
        sequence: u64,
        /// The only term in which a leader may propose it.
        term: u64,
        /// How the first who waits wants it acknowledged: that is what the leader was told.
        options: WriteOptions,
    },
}

impl Stage {
    /// The only term in which it can have got into the log; `None` while it waits.
    fn term(self) -> Option<u64> {
        match self {
            Self::Queued => None,
            Self::Proposed { term } | Self::Forwarded { term, .. } => Some(term),
        }
    }
}

/// An operation in flight.
#[derive(Debug)]
pub struct Pending {
    /// What the operation is bound to here.
    pub fingerprint: Hash,
    /// Who wants the answer.
    pub waiters: Vec<Waiter>,
    /// How far it is.
    pub stage: Stage,
    /// When it is answered `Unknown`.
    pub deadline: Monotonic,
    /// Where it stands in the log, once it was folded and waits for its grade.
    pub place: Option<Position>,
}

/// Waiters of a folded submission whose grade is reached.
#[derive(Debug)]
pub struct Released {
    /// What they submitted.
    pub fingerprint: Hash,
    /// Where it stands.
    pub position: Position,
    /// Who they are.
    pub waiters: Vec<Waiter>,
}

impl Pending {
    /// An operation with its first waiter.
    pub fn new(fingerprint: Hash, waiter: Waiter, stage: Stage, deadline: Monotonic) -> Self {
        Self { fingerprint, waiters: vec![waiter], stage, deadline, place: None }
    }

    /// Whether its place in the log could only have been in a term before this one.
    pub fn is_of_before(&self, term: u64) -> bool {
        let too_early = u64::from(canary!("overtaken-one-term-early"));
        self.place.is_none() && self.stage.term().is_some_and(|own| own < term + too_early)
    }
}
