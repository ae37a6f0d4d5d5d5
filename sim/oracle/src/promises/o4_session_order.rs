//! O4: within a session, what was acknowledged before an operation began stands before it.

use crate::catalogue::Promise;
use crate::facts::Operation;
use crate::verdicts::Verdicts;
use billing_wire::{OpId, Position};

pub(crate) const WORDS: &str = "a client's transactions are booked in the order it made them";

pub(crate) fn placed(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    known: &Operation,
    position: Position,
) {
    let Some(floor) = known.session_floor else { return };
    if position.region != known.region {
        return;
    }
    verdicts.check(Promise::O4, at, Some(op_id), position > floor, || {
        let shape = "booked before what its session had done earlier".to_owned();
        (shape, format!("at {position}; the session had an answer for {floor} before it began"))
    });
}
