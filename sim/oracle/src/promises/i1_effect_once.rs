//! I1: however often an operation is sent, it has its effect once.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{Disposition, HistoryItem, HistoryPage, Query, QueryResult, Receipt};
use billsim_model::{Model, Outcome};

pub(crate) const WORDS: &str = "a transaction that is sent twice is booked once";

/// A submission was folded by the reference: only the first of its operation has an effect.
pub(crate) fn booked(model: &Model, verdicts: &mut Verdicts, at: u64, outcome: &Outcome) {
    let first = model.operation(outcome.op_id).map(|operation| operation.position);
    let holds = outcome.disposition != Disposition::Applied || first == Some(outcome.position);
    verdicts.check(Promise::I1, at, Some(outcome.op_id), holds, || {
        let shape = "a later submission was applied".to_owned();
        let first = first.map_or_else(|| "never".to_owned(), |first| format!("at {first}"));
        (shape, format!("it was applied at {} and came first {first}", outcome.position))
    });
}

/// A client has a receipt: those that are no replay all name one place.
pub(crate) fn acknowledged(facts: &mut Facts, verdicts: &mut Verdicts, at: u64, receipt: &Receipt) {
    if receipt.replayed {
        return;
    }
    let Some(known) = facts.operations.get_mut(&receipt.op_id) else { return };
    let first = *known.effect_at.get_or_insert(receipt.position);
    let holds = first == receipt.position;
    verdicts.check(Promise::I1, at, Some(receipt.op_id), holds, || {
        let shape = "two submissions were answered as new".to_owned();
        (shape, format!("at {first} and at {}", receipt.position))
    });
}

/// A page of an account's history: no operation is in it twice, but for an invoice and the credit
/// note that negates it at the same place.
pub(crate) fn answered(verdicts: &mut Verdicts, at: u64, page: &HistoryPage) {
    let mut seen: Vec<_> = page.items.iter().collect();
    seen.sort_unstable_by_key(|item| (item.op_id, item.sequence));
    let is_once = |same: &[&HistoryItem]| match same {
        [_] => true,
        [invoice, note] => {
            invoice.position == note.position
                && invoice.amount > 0
                && note.amount == -invoice.amount
        }
        _ => false,
    };
    let mut operations = seen.chunk_by(|a, b| a.op_id == b.op_id);
    let twice = operations.find(|same| !is_once(same)).map(|same| same[0].op_id);
    verdicts.check(Promise::I1, at, twice, twice.is_none(), || {
        let shape = "an operation is twice in a history".to_owned();
        (shape, format!("account {} shows it twice", page.account))
    });
}

/// At quiescence: the histories of a node.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: &NodeView,
    books: &dyn Books,
) {
    for account in facts.model.accounts() {
        let query = Query::History { account, after: 0, limit: u16::MAX };
        if let Some(QueryResult::History(page)) = books.answer(node.node, &query) {
            answered(verdicts, at, &page);
        }
    }
}
