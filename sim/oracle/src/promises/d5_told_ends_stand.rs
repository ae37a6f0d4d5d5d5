//! D5: what a client was told about the end of an operation stays true: a `final` answer of
//! `GetOp` never changes, and a refusal means that nothing was logged.

use crate::catalogue::Promise;
use crate::facts::{End, Facts};
use crate::verdicts::Verdicts;
use billing_wire::{OpId, RecordView};

pub(crate) const WORDS: &str = "once an operation is reported final or refused, that never changes";

/// A client looked an operation up and was told that it is final.
pub(crate) fn told_final(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    end: End,
) {
    // What was never submitted by this history's clients is for D4.
    let Some(known) = facts.operations.get_mut(&op_id) else { return };
    let earlier = *known.told_final.get_or_insert(end);
    verdicts.check(Promise::D5, at, Some(op_id), earlier == end, || {
        let shape = "final answer changed".to_owned();
        let (before, now) = (earlier.1.name(), end.1.name());
        (shape, format!("was {before} at {}, is {now} at {}", earlier.0, end.0))
    });
}

/// A call ended and its client was told that nothing was logged.
pub(crate) fn refused(facts: &mut Facts, verdicts: &mut Verdicts, at: u64, op_id: OpId) {
    let Some(known) = facts.operations.get_mut(&op_id) else { return };
    known.refused_calls += 1;
    if known.is_refused() {
        check_refused(verdicts, at, op_id, !known.is_logged);
    }
}

/// An entry was committed. A client that is refused may try again and succeed: what counts is
/// whether any call was open, or had an open end, when its operation came into the log.
pub(crate) fn committed(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    record: &RecordView<'_>,
) {
    for submission in record.submissions().flatten() {
        let Some(known) = facts.operations.get_mut(&submission.op_id) else { continue };
        known.is_logged |= known.calls > 0;
        if known.refused_calls > 0 {
            check_refused(verdicts, at, submission.op_id, !known.is_refused());
        }
    }
}

/// At quiescence: what every call was refused for is not in the log.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    let refused = facts.operations.iter().filter(|(_, known)| known.is_refused());
    for (op_id, _) in refused {
        check_refused(verdicts, at, *op_id, facts.model.operation(*op_id).is_none());
    }
}

fn check_refused(verdicts: &mut Verdicts, at: u64, op_id: OpId, holds: bool) {
    verdicts.check(Promise::D5, at, Some(op_id), holds, || {
        let detail = "each of its calls was told that nothing was logged";
        ("refused and logged all the same".to_owned(), detail.to_owned())
    });
}
