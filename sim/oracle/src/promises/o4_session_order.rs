//! O4: within a session, what was acknowledged before an operation began stands before it; across
//! regions, if every sending of the operation showed a token that covers it.

use crate::catalogue::Promise;
use crate::facts::Operation;
use crate::verdicts::Verdicts;
use billing_wire::{Hlc, OpId, Position};

pub(crate) const WORDS: &str = "a client's transactions are booked in the order it made them";

pub(crate) fn placed(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    known: &Operation,
    position: Position,
) {
    if let Some(floor) = known.token_floor.filter(|floor| floor.region != position.region) {
        verdicts.check(Promise::O4, at, Some(op_id), position > floor, || {
            let shape = "booked before what its session had done in another region".to_owned();
            (shape, format!("at {position}; every sending of it showed an answer for {floor}"))
        });
    }
    let floor = known.session_floors[usize::from(position.region.0)];
    if floor == Hlc::ZERO {
        return;
    }
    verdicts.check(Promise::O4, at, Some(op_id), position.hlc > floor, || {
        let shape = "booked before what its session had done earlier".to_owned();
        (shape, format!("at {position}; the session had an answer for {floor} before it began"))
    });
}
