//! O7: the merged order is the sort of all committed submissions by stamp, region, index and
//! offset; what a seal left out stands where it was logged again. Sorted here from the records
//! alone, without the reference fold: an operation stands where its first submission does, on the
//! node that is asked, and an account's history goes up along that order.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{NodeId, OpId, OperationState, Position, Query, QueryResult, RecordView};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str =
    "the books follow one order: by time stamp, then region, then place in its log";

/// Where each operation stands first, in a cluster of several regions.
fn places(facts: &Facts) -> BTreeMap<OpId, Position> {
    let mut places = BTreeMap::new();
    for region in facts.genesis.regions.iter().map(|members| members.region) {
        for bytes in facts.log(region).records() {
            let Ok(view) = RecordView::decode(bytes) else { continue };
            for held in view.submissions().flatten() {
                let position = view.header.position(held.offset);
                let first = places.entry(held.op_id).or_insert(position);
                *first = position.min(*first);
            }
        }
    }
    places
}

/// At quiescence, one node: where its operations stand.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: &NodeView,
    books: &dyn Books,
) {
    for (op_id, expected) in places(facts) {
        // Behind the end of a region that is gone and not sealed no order is final.
        if expected.hlc > node.ledger.watermark {
            continue;
        }
        let found = match books.answer(node.node, &Query::Operation { op_id }) {
            Some(QueryResult::Operation(
                OperationState::Final { position, .. }
                | OperationState::Provisional { position, .. },
            )) => Some(position),
            _ => None,
        };
        verdicts.check(Promise::O7, at, Some(op_id), found == Some(expected), || {
            let found = found.map_or_else(|| "nowhere".to_owned(), |at| format!("at {at}"));
            let node = node.node;
            let detail = format!("node {node} has it {found}, sorted it stands at {expected}");
            ("an operation stands elsewhere than the sort puts it".to_owned(), detail)
        });
    }
    for account in facts.model.accounts() {
        let query = Query::History { account, after: 0, limit: u16::MAX };
        let Some(QueryResult::History(page)) = books.answer(node.node, &query) else { continue };
        let positions: Vec<Position> = page.items.iter().map(|item| item.position).collect();
        rises(verdicts, at, node.node, &positions);
    }
}

/// One command may have several items.
fn rises(verdicts: &mut Verdicts, at: u64, node: NodeId, positions: &[Position]) {
    let falls = positions.windows(2).find(|pair| pair[1] < pair[0]);
    verdicts.check(Promise::O7, at, None, falls.is_none(), || {
        let detail = falls.map(|pair| format!("node {node}: {} after {}", pair[1], pair[0]));
        ("a history does not follow the order".to_owned(), detail.unwrap_or_default())
    });
}
