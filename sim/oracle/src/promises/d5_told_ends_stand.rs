//! D5: what a client was told about the end of an operation stays true: a `final` answer of
//! `GetOp` never changes, and a refusal means that nothing was logged.

use crate::catalogue::Promise;
use crate::facts::{End, Facts};
use crate::verdicts::Verdicts;
use billing_wire::OpId;

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

/// At quiescence: what every call was refused for is not in the log.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (op_id, known) in &facts.operations {
        if known.calls == 0 || known.refused_calls < known.calls {
            continue;
        }
        let logged = facts.model.operation(*op_id);
        verdicts.check(Promise::D5, at, Some(*op_id), logged.is_none(), || {
            let place = logged.map(|l| l.position.to_string()).unwrap_or_default();
            let shape = "refused and logged all the same".to_owned();
            (shape, format!("each of {} calls was refused, yet it is at {place}", known.calls))
        });
    }
}
