//! L8: a client hears once of every call, if only that it waited too long. A client's own
//! patience hides a node that never answers, so nodes are held to it as well: whatever reached
//! one is answered once, in time, unless the node dies before.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call, Facts};
use crate::history::CallId;
use crate::verdicts::Verdicts;
use billing_wire::{NodeId, OpId};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "every request is answered or times out, and only once";

fn operation_of(call: &Call) -> Option<OpId> {
    match call.ask {
        Ask::Write { op_id, .. } => Some(op_id),
        Ask::Read(_) => None,
    }
}

/// A call returned; `None` when it had not been made or had returned before.
pub(crate) fn returned(verdicts: &mut Verdicts, at: u64, call: CallId, open: Option<&Call>) {
    let operation = open.and_then(operation_of);
    verdicts.check(Promise::L8, at, operation, open.is_some(), || {
        let shape = "an answer that nobody waits for".to_owned();
        (shape, format!("call {} returned twice or was never made", call.0))
    });
}

/// At quiescence nobody waits any more.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (call, open) in &facts.calls {
        verdicts.check(Promise::L8, at, operation_of(open), false, || {
            let what = if operation_of(open).is_some() { "write" } else { "read" };
            let detail = format!("call {} waits since {} ns", call.0, open.at);
            (format!("a {what} was never answered"), detail)
        });
    }
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    node: NodeId,
    since: u64,
}

/// Calls that reached a node and were not answered by it.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    calls: BTreeMap<CallId, Taken>,
}

impl Owed {
    /// A call reached a node.
    pub(crate) fn reaches(&mut self, at: u64, node: NodeId, call: CallId) {
        self.calls.insert(call, Taken { node, since: at });
    }

    /// An answer leaves a node.
    pub(crate) fn leaves(&mut self, verdicts: &mut Verdicts, at: u64, node: NodeId, call: CallId) {
        let taken = self.calls.remove(&call);
        verdicts.check(Promise::L8, at, None, taken.is_some_and(|t| t.node == node), || {
            let shape = "a node answered what it did not owe".to_owned();
            (shape, format!("node {node} answers call {} once more, or another's", call.0))
        });
    }

    /// Whether a node that lives has a call and has not answered it.
    pub(crate) fn is_held(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// A node that stood still goes on: its time begins anew.
    pub(crate) fn resumes(&mut self, at: u64, node: NodeId) {
        self.calls.values_mut().filter(|t| t.node == node).for_each(|t| t.since = at);
    }

    /// A node that was asked to stop says that it is done: it owes nobody an answer.
    pub(crate) fn is_settled(&self, verdicts: &mut Verdicts, at: u64, node: NodeId) {
        let owed = self.calls.iter().find(|(_, taken)| taken.node == node);
        verdicts.check(Promise::L8, at, None, owed.is_none(), || {
            let shape = "a node that stopped in order owes an answer".to_owned();
            let call = owed.map_or(0, |(call, _)| call.0);
            (shape, format!("node {node} says that it is done and has not answered call {call}"))
        });
    }

    /// A node's life ends, or the run does: what it owes is void, if it was not overdue by then.
    pub(crate) fn ends(&mut self, verdicts: &mut Verdicts, at: u64, node: NodeId, patience: u64) {
        let owed = self.calls.extract_if(.., |_, taken| taken.node == node);
        for (call, Taken { since, .. }) in owed {
            verdicts.check(Promise::L8, at, None, at <= since + patience, || {
                let shape = "a node took a call and never answered".to_owned();
                (shape, format!("call {} reached node {node} at {since} ns", call.0))
            });
        }
    }
}
