//! A9: each acknowledgement names the one disposition of its operation, and the kind of command
//! limits which one that can be.

use crate::catalogue::Promise;
use crate::facts::{End, Facts};
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{CommandClass, Disposition, OpId};
use billsim_model::Outcome;

pub(crate) const WORDS: &str =
    "each transaction has one outcome: facts are never denied, requests never redirected";

fn is_legal(class: Option<CommandClass>, disposition: &Disposition) -> bool {
    match disposition {
        Disposition::Denied { .. } => class == Some(CommandClass::Intent),
        Disposition::Redirected { .. } => class != Some(CommandClass::Intent),
        Disposition::Applied | Disposition::Duplicate { .. } | Disposition::Compensated { .. } => {
            true
        }
    }
}

/// A submission was folded by the reference.
pub(crate) fn booked(verdicts: &mut Verdicts, at: u64, outcome: &Outcome) {
    let (class, end) = (outcome.class, &outcome.disposition);
    verdicts.check(Promise::A9, at, Some(outcome.op_id), is_legal(class, end), || {
        let (what, booked) = (words::class(class), words::disposition(end));
        let detail = format!("it is {what}, and it was {booked} at {}", outcome.position);
        (format!("{class:?} was {}", end.name()), detail)
    });
}

/// A client has a receipt.
pub(crate) fn acknowledged(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    (position, disposition): End,
) {
    let logged = facts.model.operation(op_id);
    let class = facts.operations.get(&op_id).map(|known| known.body.class);
    let legal = logged.and_then(|l| l.class).or(class);
    verdicts.check(Promise::A9, at, Some(op_id), is_legal(legal, &disposition), || {
        let (what, told) = (words::class(legal), words::disposition(&disposition));
        let detail = format!("it is {what}, and its client was told that it is {told}");
        (format!("{legal:?} was told {}", disposition.name()), detail)
    });
    let holds = logged.is_some_and(|l| (l.position, l.disposition) == (position, disposition));
    verdicts.check(Promise::A9, at, Some(op_id), holds, || {
        let told =
            format!("its client was told that it is {}", words::end(&(position, disposition)));
        match logged {
            None => ("receipt for what is not in the log".to_owned(), told),
            Some(l) => {
                let shape = if l.position == position { "outcome" } else { "place" };
                let booked = words::end(&(l.position, l.disposition));
                let detail = format!("{told}, the books have it {booked}");
                (format!("receipt with another {shape} than booked"), detail)
            }
        }
    });
}
