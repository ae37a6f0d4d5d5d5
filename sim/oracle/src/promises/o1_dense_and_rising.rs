//! O1: judged when the first node commits an entry.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::RecordHeader;

pub(crate) const WORDS: &str =
    "a region log has no gap, its stamps rise, and each entry names the one before";

/// Whether the entry is the next of its log; nothing can be folded behind a gap.
pub(crate) fn committed(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    header: &RecordHeader,
) -> bool {
    let log = facts.log(header.region);
    let (expected, index) = (log.last_index() + 1, header.index);
    let dense = verdicts.check(Promise::O1, at, None, index == expected, || {
        let shape = "gap in the log".to_owned();
        (shape, format!("region {}: entry {index} where {expected} is next", header.region))
    });
    if !dense {
        return false;
    }
    verdicts.check(Promise::O1, at, None, header.hlc > log.last_hlc, || {
        let (last, hlc) = (log.last_hlc, header.hlc);
        let shape = "stamp does not rise".to_owned();
        (shape, format!("region {}: entry {index} at {hlc} after {last}", header.region))
    });
    let before = log.hash(index - 1).copied().unwrap_or_default();
    verdicts.check(Promise::O1, at, None, header.prev_hash == before, || {
        let shape = "entry does not follow the one before".to_owned();
        (shape, format!("region {}: entry {index} names another predecessor", header.region))
    });
    true
}
