//! I2: every receipt of an operation says the same.

use crate::catalogue::Promise;
use crate::facts::{End, Facts};
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::OpId;

pub(crate) const WORDS: &str = "a retry is told the same outcome as the first time";

pub(crate) fn acknowledged(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    end: End,
) {
    let Some(known) = facts.operations.get_mut(&op_id) else { return };
    let first = *known.told.get_or_insert(end);
    verdicts.check(Promise::I2, at, Some(op_id), first == end, || {
        let part = if first.0 == end.0 { "outcome" } else { "place" };
        let detail = format!("{} before, {} now", words::end(&first), words::end(&end));
        (format!("a retry was told another {part}"), detail)
    });
}
