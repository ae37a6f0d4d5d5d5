//! C2: the state is a function of the merged order, not of how the logs arrived. At the end the
//! node's own merge and fold is given the run's logs again, each in its own order and mixed with
//! the others in drawn ways, and must come to the books of the running node.

use crate::catalogue::Promise;
use crate::evidence::NodeView;
use crate::verdicts::Verdicts;

pub(crate) const WORDS: &str =
    "in whatever order the regions' logs arrive, the same books come out of them";

pub(crate) fn settled(verdicts: &mut Verdicts, at: u64, node: &NodeView) {
    let live = node.ledger;
    for (number, other) in node.rearranged.iter().enumerate() {
        let is_same = other.outcome_chain == live.outcome_chain;
        verdicts.check(Promise::C2, at, None, is_same, || {
            let (x, y) = (live.outcome_chain.0, other.outcome_chain.0);
            let detail = format!("node {}: live {x:016x}, order {number} {y:016x}", node.node);
            ("another order of arrival, other outcomes".to_owned(), detail)
        });
        let is_same = other.state_hash == live.state_hash;
        verdicts.check(Promise::C2, at, None, is_same, || {
            let (x, y) = (live.state_hash, other.state_hash);
            let detail = format!("node {}: live {x:032x}, order {number} {y:032x}", node.node);
            ("another order of arrival, other rows".to_owned(), detail)
        });
    }
}
