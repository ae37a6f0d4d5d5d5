//! A9: each acknowledgement names the one disposition of its operation, and the kind of command
//! limits which one that can be.

use crate::catalogue::Promise;
use crate::facts::{End, Facts};
use crate::verdicts::Verdicts;
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
        (format!("{class:?} was {}", end.name()), format!("{end:?} at {}", outcome.position))
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
        (format!("{legal:?} was told {}", disposition.name()), format!("told {disposition:?}"))
    });
    let holds = logged.is_some_and(|l| (l.position, l.disposition) == (position, disposition));
    verdicts.check(Promise::A9, at, Some(op_id), holds, || {
        let told = format!("told {disposition:?} at {position}");
        match logged {
            None => ("receipt for what is not in the log".to_owned(), told),
            Some(l) => {
                let shape = if l.position == position { "outcome" } else { "place" };
                let detail = format!("{told}, booked {:?} at {}", l.disposition, l.position);
                (format!("receipt with another {shape} than booked"), detail)
            }
        }
    });
}
