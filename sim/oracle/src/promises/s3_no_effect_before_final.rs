//! S3: a call for a payout leaves a node only when the refund that it pays is granted for good, and
//! a notice only when its invoice counts for good.
//! What is final is known from the records that nodes have committed, not from any node's word.

use crate::catalogue::Promise;
use crate::evidence::Payout;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{DocumentNumber, NodeId, OpId};

pub(crate) const WORDS: &str = "nothing irreversible is done outside before its cause is final";

/// A call leaves a node.
pub(crate) fn leaves(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    payout: &Payout,
) {
    let granted = facts.model.granted_refund(payout.refund);
    verdicts.check(Promise::S3, at, Some(payout.refund), granted.is_some(), || {
        let what = match facts.model.operation(payout.refund) {
            Some(operation) => format!("it is {}", operation.disposition.name()),
            None => "it is not final".to_owned(),
        };
        let detail = format!("node {node} has {} paid for a refund: {what}", payout.amount);
        ("a payout was called for before its refund was final".to_owned(), detail)
    });
    let Some(granted) = granted else { return };
    let (amount, account) = (payout.amount, payout.account);
    let agrees = (granted.amount, granted.account) == (amount, account);
    verdicts.check(Promise::S3, at, Some(payout.refund), agrees, || {
        let detail = format!(
            "node {node} has {amount} paid to account {account}: {} to account {} was granted",
            granted.amount, granted.account
        );
        ("a payout was called for that nobody granted".to_owned(), detail)
    });
}

/// A notice of an invoice leaves a node.
pub(crate) fn told(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    (key, number, total): (OpId, DocumentNumber, i64),
) {
    let counted = facts.model.counted_invoice(number);
    let agrees = counted.is_some_and(|invoice| (invoice.op_id, invoice.total) == (key, total));
    verdicts.check(Promise::S3, at, Some(key), agrees, || {
        let what = match counted {
            Some(invoice) => format!("it is of {} over {}", invoice.op_id, invoice.total),
            None => "no such invoice counts for good".to_owned(),
        };
        let detail = format!("node {node} has a customer told of an invoice over {total}: {what}");
        ("a customer was told of an invoice before it was final".to_owned(), detail)
    });
}
