//! A2: the chain over all outcomes of a node's fold equals the reference fold's at the same
//! frontier, so every disposition and every journal line is the same.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{Frontier, NodeId, OutcomeChain};

pub(crate) const WORDS: &str =
    "every node books every transaction as the billing rules say, to the cent";

pub(crate) fn folded(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    frontier: &Frontier,
    chain: OutcomeChain,
) {
    let committed = facts.committed_by(node);
    verdicts.check(Promise::A2, at, None, committed.covers(frontier), || {
        let shape = "fold is ahead of the commit index".to_owned();
        let detail = format!("folded {:?}, committed {:?}", frontier.0, committed.0);
        (shape, format!("node {node}: {detail}"))
    });
    let expected = facts.model.step_at(frontier).and_then(|step| facts.model.chain_at(step));
    verdicts.check(Promise::A2, at, None, expected == Some(chain), || {
        let shape = match expected {
            None => "fold stands where the merged order never was",
            Some(_) => "outcomes differ from the billing rules",
        };
        let detail = format!("at {:?}: {chain:x?}, reference {expected:x?}", frontier.0);
        (shape.to_owned(), format!("node {node} {detail}"))
    });
}
