//! L8: a client hears once of every call, if only that it waited too long.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call, Facts};
use crate::history::CallId;
use crate::verdicts::Verdicts;
use billing_wire::OpId;

pub(crate) const WORDS: &str = "every request is answered or times out, and only once";

fn operation_of(call: &Call) -> Option<OpId> {
    match call.ask {
        Ask::Write { op_id, .. } => Some(op_id),
        Ask::Read(_) => None,
    }
}

/// A call returned; `None` when it had not been made or had returned before.
pub(crate) fn returned(verdicts: &mut Verdicts, at: u64, call: CallId, open: Option<&Call>) {
    let operation = open.and_then(operation_of);
    verdicts.check(Promise::L8, at, operation, open.is_some(), || {
        let shape = "an answer that nobody waits for".to_owned();
        (shape, format!("call {} returned twice or was never made", call.0))
    });
}

/// At quiescence nobody waits any more.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    for (call, open) in &facts.calls {
        verdicts.check(Promise::L8, at, operation_of(open), false, || {
            let what = if operation_of(open).is_some() { "write" } else { "read" };
            let detail = format!("call {} waits since {} ns", call.0, open.at);
            (format!("a {what} was never answered"), detail)
        });
    }
}
