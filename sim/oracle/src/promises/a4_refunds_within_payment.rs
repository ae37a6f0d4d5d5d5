//! A4: what is granted of a payment is never more than it, less what was taken back before. Judged
//! on every grant of the reference, and on every outbox that a node shows.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::verdicts::Verdicts;
use billing_wire::{OpId, OutboxPage, Position, Query, QueryResult};
use billsim_model::{Model, Outcome};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "a customer is never refunded more than the payment";

/// A submission was folded by the reference.
pub(crate) fn booked(model: &Model, verdicts: &mut Verdicts, at: u64, outcome: &Outcome) {
    let Some(payment) = model.refunded_payment(outcome.op_id, outcome.position) else { return };
    let (granted, left) = (i128::from(payment.granted), i128::from(payment.left));
    verdicts.check(Promise::A4, at, Some(outcome.op_id), granted <= left, || {
        let shape = "more is granted than is left".to_owned();
        (shape, format!("{granted} granted, {left} left at {}", outcome.position))
    });
}

/// A page of the outbox, as a node shows it.
pub(crate) fn answered(model: &Model, verdicts: &mut Verdicts, at: u64, page: &OutboxPage) {
    let mut waiting: BTreeMap<OpId, i128> = BTreeMap::new();
    for item in &page.items {
        *waiting.entry(item.payment).or_default() += i128::from(item.amount);
    }
    for (payment, sum) in waiting {
        // Of a payment that is not final yet the reference does not know.
        let Some(amount) = model.payment_amount(payment) else { continue };
        verdicts.check(Promise::A4, at, Some(payment), sum <= i128::from(amount), || {
            let shape = "more waits to be paid back than was paid".to_owned();
            (shape, format!("refunds of {sum} wait for a payment of {amount}"))
        });
    }
}

/// At quiescence: the outbox of a node.
pub(crate) fn asked(
    model: &Model,
    verdicts: &mut Verdicts,
    at: u64,
    node: &NodeView,
    books: &dyn Books,
) {
    let query = Query::Outbox { after: Position::default(), limit: u16::MAX };
    if let Some(QueryResult::Outbox(page)) = books.answer(node.node, &query) {
        answered(model, verdicts, at, &page);
    }
}
