//! O6: inside a region, what any client was told before an operation began stands before it.

use crate::catalogue::Promise;
use crate::facts::Operation;
use crate::verdicts::Verdicts;
use billing_wire::{OpId, Position};

pub(crate) const WORDS: &str =
    "in a region, what was acknowledged before a transaction began is booked before it";

pub(crate) fn placed(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    known: &Operation,
    position: Position,
) {
    let Some(floor) = known.region_floor else { return };
    if position.region != known.region {
        return;
    }
    verdicts.check(Promise::O6, at, Some(op_id), position > floor, || {
        let shape = "booked before what the region had acknowledged earlier".to_owned();
        (shape, format!("at {position}; {floor} was acknowledged before it began"))
    });
}
