//! D7: the ledger can be thrown away: the log gives it back, bit for bit. So does what of it lies
//! in the database, with the rest of the log.

use crate::catalogue::Promise;
use crate::evidence::NodeView;
use crate::verdicts::Verdicts;

pub(crate) const WORDS: &str =
    "folding the log again from the start gives the same books as the running node";

pub(crate) fn settled(verdicts: &mut Verdicts, at: u64, node: &NodeView) {
    let live = node.ledger;
    if let Some(Err(error)) = &node.resumed {
        verdicts.check(Promise::D7, at, None, false, || {
            let shape = "database is no fold of the log".to_owned();
            (shape, format!("node {}: {error}", node.node))
        });
    }
    let resumed = node.resumed.as_ref().and_then(|resumed| resumed.as_ref().ok()).copied();
    let copies = [("refolded", node.refolded), ("resumed", resumed), ("rebuilt", node.rebuilt)];
    for (name, copy) in copies {
        let Some(copy) = copy else { continue };
        verdicts.check(Promise::D7, at, None, copy == live, || {
            let part = match () {
                () if copy.outcome_chain != live.outcome_chain => "outcomes differ",
                () if copy.state_hash != live.state_hash => "rows differ",
                () => "watermark differs",
            };
            let detail = format!("node {}: live {live:x?}, {name} {copy:x?}", node.node);
            (format!("{name} ledger: {part}"), detail)
        });
    }
}
