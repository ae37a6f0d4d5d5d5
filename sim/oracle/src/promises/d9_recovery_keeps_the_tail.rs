//! D9: recovery keeps the durable prefix, all of it and nothing else.

use crate::catalogue::Promise;
use crate::evidence::Tail;
use crate::verdicts::Verdicts;
use billing_wire::NodeId;

pub(crate) const WORDS: &str =
    "a restart cuts the torn tail that nobody was told of, and nothing before it";

pub(crate) fn reopened(verdicts: &mut Verdicts, at: u64, node: NodeId, disk: Tail, log: Tail) {
    verdicts.check(Promise::D9, at, None, disk == log, || {
        let shape = match log.index.cmp(&disk.index) {
            std::cmp::Ordering::Less => "durable entries were cut",
            std::cmp::Ordering::Greater => "a torn tail was kept",
            std::cmp::Ordering::Equal => "the last entry changed",
        };
        let (durable, kept) = (disk.index, log.index);
        let detail = format!("node {node}: durable to index {durable}, opened with {kept}");
        (shape.to_owned(), detail)
    });
}
