//! I3: an `op_id` is bound to its first body. Another body under it is a conflict for the client
//! and never reaches a customer's account.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{DenyReason, Disposition, Hash, OpId, RedirectReason};
use billsim_model::Outcome;

pub(crate) const WORDS: &str =
    "the same operation with another content never touches the customer's account";

const DENIED: Disposition = Disposition::Denied { reason: DenyReason::FingerprintMismatch };
const REDIRECTED: Disposition =
    Disposition::Redirected { reason: RedirectReason::FingerprintMismatch };

/// A submission was folded by the reference.
pub(crate) fn booked(verdicts: &mut Verdicts, at: u64, outcome: &Outcome) {
    if outcome.disposition != DENIED && outcome.disposition != REDIRECTED {
        return;
    }
    let posts = outcome.lines.iter().any(|line| line.account.is_some());
    verdicts.check(Promise::I3, at, Some(outcome.op_id), !posts, || {
        let shape = "another body was booked on an account".to_owned();
        (shape, format!("at {}", outcome.position))
    });
}

/// A client has a receipt for this body: it is the operation's first.
pub(crate) fn acknowledged(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    sent: &Hash,
) {
    let Some(logged) = facts.model.operation(op_id) else { return };
    verdicts.check(Promise::I3, at, Some(op_id), logged.fingerprint == *sent, || {
        let shape = "another body was answered like the first".to_owned();
        (shape, format!("the operation stands at {} with other content", logged.position))
    });
}

/// A client was told of a conflict: somebody did send another body.
pub(crate) fn refused(facts: &Facts, verdicts: &mut Verdicts, at: u64, op_id: OpId, sent: &Hash) {
    let known = facts.operations.get(&op_id);
    let conflict = known
        .is_some_and(|known| known.body.fingerprint != *sent || !known.other_bodies.is_empty());
    verdicts.check(Promise::I3, at, Some(op_id), conflict, || {
        let shape = "conflict without another body".to_owned();
        (shape, "every submission of this operation had the same content".to_owned())
    });
}
