//! D2: at quiescence, every receipt is looked up in the merged order, and every live node is asked
//! for it: a row that its ledger lost shows in no hash.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::{End, Facts, Operation};
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{OpId, OperationState, Query, QueryResult};

pub(crate) const WORDS: &str = "no acknowledged transaction is ever lost or changed";

pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (op_id, known) in &facts.operations {
        provisionally(facts, verdicts, at, *op_id, known);
        let Some((position, disposition)) = known.told else { continue };
        let logged = facts.model.operation(*op_id);
        let kept = logged.is_some_and(|logged| {
            (logged.position, logged.disposition) == (position, disposition)
                && known.has_body(&logged.fingerprint)
        });
        verdicts.check(Promise::D2, at, Some(*op_id), kept, || match logged {
            None => {
                let shape = "acknowledged and not in the log".to_owned();
                (shape, format!("acknowledged at {position} and nowhere in the merged order"))
            }
            Some(logged) => {
                let shape = "acknowledged and changed".to_owned();
                let told = format!("told {} at {position}", disposition.name());
                let (name, place) = (logged.disposition.name(), logged.position);
                (shape, format!("{told}, the merged order has it {name} at {place}"))
            }
        });
    }
}

fn end_of(state: OperationState) -> Option<End> {
    match state {
        OperationState::Final { position, disposition } => Some((position, disposition)),
        OperationState::Provisional { .. } | OperationState::NotSeen => None,
    }
}

/// Each live node knows what was acknowledged, as it was acknowledged.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    nodes: &[NodeView],
    books: &dyn Books,
) {
    for (op_id, known) in &facts.operations {
        let Some(told) = known.told else { continue };
        // A node that lacks the end of a destroyed region's log is not that far, and cannot be
        // until the region is sealed.
        let is_that_far =
            |view: &&NodeView| !facts.has_unsealed_loss() || told.0.hlc <= view.ledger.watermark;
        for node in nodes.iter().filter(is_that_far).map(|view| view.node) {
            let found = match books.answer(node, &Query::Operation { op_id: *op_id }) {
                Some(QueryResult::Operation(state)) => end_of(state),
                _ => None,
            };
            verdicts.check(Promise::D2, at, Some(*op_id), found == Some(told), || {
                let how = if found.is_some() { "changed on" } else { "unknown to" };
                let (told, found) = (words::end(&told), words::end_or_none(found.as_ref()));
                let detail = format!("told {told}; the books of node {node} have {found}");
                (format!("acknowledged and {how} a node"), detail)
            });
        }
    }
}

/// What a client was told before it was final is in the log at least.
fn provisionally(facts: &Facts, verdicts: &mut Verdicts, at: u64, op_id: OpId, known: &Operation) {
    let Some(told) = known.told_logged else { return };
    if !facts.destructions.is_empty() {
        // The order stands still; each gets its fate instead, by what lies on the disks.
        return;
    }
    let logged = facts.model.operation(op_id);
    verdicts.check(Promise::D2, at, Some(op_id), logged.is_some(), || {
        let shape = "acknowledged and not in the log".to_owned();
        (shape, format!("a body {:02x?} was told to be logged", &told[..4]))
    });
}
