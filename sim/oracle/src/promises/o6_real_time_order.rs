//! O6: inside a region, what any client was told before an operation began stands before it.

use crate::catalogue::Promise;
use crate::facts::Operation;
use crate::verdicts::Verdicts;
use billing_wire::{Hlc, OpId, Position};

pub(crate) const WORDS: &str =
    "in a region, what was acknowledged before a transaction began is booked before it";

pub(crate) fn placed(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    known: &Operation,
    position: Position,
) {
    let floor = known.region_floors[usize::from(position.region.0)];
    if floor == Hlc::ZERO {
        return;
    }
    verdicts.check(Promise::O6, at, Some(op_id), position.hlc > floor, || {
        let shape = "booked before what the region had acknowledged earlier".to_owned();
        (shape, format!("at {position}; {floor} was acknowledged before it began"))
    });
}
