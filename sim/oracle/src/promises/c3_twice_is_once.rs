//! C3: a message that arrives twice in a row finds nothing left to do. The engine feeds a sampled
//! frame to its receiver a second time, at the same instant, and compares what the node holds, has
//! told its disk and is about to log before and after. What it sends again is no harm.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use billing_wire::NodeId;

pub(crate) const WORDS: &str = "a message that arrives twice changes no more than once";

/// A node had the same frame twice; `changed` says in words what the second one did.
pub(crate) fn delivered(
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    changed: Option<&'static str>,
) {
    verdicts.check(Promise::C3, at, None, changed.is_none(), || {
        let changed = changed.unwrap_or_default();
        (format!("the second of two equal messages {changed}"), format!("at node {node}"))
    });
}
