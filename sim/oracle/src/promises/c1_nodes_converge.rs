//! C1: at quiescence all live nodes stand at the end of every log and have the same books.

use crate::catalogue::Promise;
use crate::evidence::NodeView;
use crate::facts::Facts;
use crate::region_loss::Destruction;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::Frontier;

pub(crate) const WORDS: &str = "after the faults are over all nodes have the same books";

/// A frontier as far as it is of regions that are left, or sealed.
fn standing(facts: &Facts, frontier: &Frontier) -> Frontier {
    let mut standing = *frontier;
    let is_unsealed = |gone: &&Destruction| facts.finality.sealed(gone.region).is_none();
    for gone in facts.destructions.iter().filter(is_unsealed) {
        standing.set(gone.region, 0);
    }
    standing
}

pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64, nodes: &[NodeView]) {
    let ends = standing(facts, &facts.log_ends());
    let of_load = facts.last_submissions();
    let one_region = facts.genesis.regions.len() == 1;
    for node in nodes {
        // With several regions the last entries that close the order are never final themselves.
        let is_folded =
            if one_region { node.folded == ends } else { node.ledger.watermark >= of_load };
        // Nothing is final behind the end of a destroyed region until it is sealed.
        let is_folded = is_folded || facts.has_unsealed_loss();
        let committed = standing(facts, &node.committed);
        let caught_up = is_folded && committed == ends;
        verdicts.check(Promise::C1, at, None, caught_up, || {
            let part = if committed == ends { "fold" } else { "log" };
            let (known, folded) = (words::frontier(&committed), words::frontier(&node.folded));
            let (node, ends) = (node.node, words::frontier(&ends));
            let detail = format!(
                "node {node} knows up to {known}, has booked up to {folded}; the logs end at {ends}"
            );
            (format!("{part} of a node did not catch up"), detail)
        });
    }
    for pair in nodes.windows(2) {
        let [a, b] = pair else { continue };
        // Each knows of a destroyed region's log what it got.
        if a.folded != b.folded && facts.has_unsealed_loss() {
            continue;
        }
        verdicts.check(Promise::C1, at, None, a.ledger.state_hash == b.ledger.state_hash, || {
            let shape = "equal frontier, other rows".to_owned();
            let (x, y) = (a.ledger.state_hash, b.ledger.state_hash);
            (shape, format!("node {}: {x:032x}, node {}: {y:032x}", a.node, b.node))
        });
        verdicts.check(
            Promise::C1,
            at,
            None,
            a.ledger.outcome_chain == b.ledger.outcome_chain,
            || {
                let shape = "equal frontier, other outcomes".to_owned();
                let (x, y) = (a.ledger.outcome_chain.0, b.ledger.outcome_chain.0);
                (shape, format!("node {}: {x:016x}, node {}: {y:016x}", a.node, b.node))
            },
        );
    }
}
