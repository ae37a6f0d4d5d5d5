//! D7: the ledger can be thrown away: the log gives it back, bit for bit.

use crate::catalogue::Promise;
use crate::jury::NodeView;
use crate::verdicts::Verdicts;

pub(crate) const WORDS: &str =
    "folding the log again from the start gives the same books as the running node";

pub(crate) fn settled(verdicts: &mut Verdicts, at: u64, node: &NodeView) {
    let live = (node.state_hash, node.outcome_chain);
    let copies = [("refolded", node.refolded), ("rebuilt", node.rebuilt)];
    for (name, copy) in copies {
        let Some(copy) = copy else { continue };
        verdicts.check(Promise::D7, at, None, copy == live, || {
            let part = if copy.0 == live.0 { "outcomes differ" } else { "rows differ" };
            let detail = format!("node {}: live {live:x?}, {name} {copy:x?}", node.node);
            (format!("{name} ledger: {part}"), detail)
        });
    }
}
