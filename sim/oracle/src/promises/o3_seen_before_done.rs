//! O3: what a client had seen before it sent an operation stands before it, in whatever region
//! either was logged. A client says what it has seen with its token; of several sendings any one
//! may be the one that was logged, so the one that had seen least counts.
//! What a seal had left out is exempt: it stands where it was logged again, under another clock.

use crate::catalogue::Promise;
use crate::facts::Operation;
use crate::verdicts::Verdicts;
use billing_wire::{Hlc, OpId, Position};

pub(crate) const WORDS: &str = "what a client saw before a transaction is booked before it";

pub(crate) fn placed(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    known: &Operation,
    (position, is_readmitted): (Position, bool),
) {
    let seen = known.seen;
    if seen == Hlc::ZERO || is_readmitted {
        return;
    }
    verdicts.check(Promise::O3, at, Some(op_id), position.hlc > seen, || {
        let shape = "booked before what its client had seen".to_owned();
        (shape, format!("at {position}; every sending of it had seen an entry of {seen}"))
    });
}
