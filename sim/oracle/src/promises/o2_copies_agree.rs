//! O2: the first committed copy of an entry is checked against its own hash, every later copy
//! against the first.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{DecodeError, NodeId, RecordView};

pub(crate) const WORDS: &str = "all nodes have the same committed log";

/// A node's disk holds bytes that are no record.
pub(crate) fn broken(verdicts: &mut Verdicts, at: u64, node: NodeId, error: &DecodeError) {
    verdicts.check(Promise::O2, at, None, false, || {
        let shape = "a committed record does not decode".to_owned();
        (shape, format!("node {node}: {error}"))
    });
}

/// The first copy.
pub(crate) fn first(verdicts: &mut Verdicts, at: u64, node: NodeId, record: &RecordView<'_>) {
    verdicts.check(Promise::O2, at, None, record.verify_hash(), || {
        let (region, index) = (record.header.region, record.header.index);
        let shape = "a committed record beside its hash".to_owned();
        (shape, format!("node {node}, region {region}, entry {index}"))
    });
}

/// A later copy. `false` when there is no first copy yet.
pub(crate) fn later(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    record: &RecordView<'_>,
) -> bool {
    let header = &record.header;
    let Some(first) = facts.log(header.region).hash(header.index) else { return false };
    verdicts.check(Promise::O2, at, None, *first == header.hash, || {
        let (region, index) = (header.region, header.index);
        let shape = "two committed records at one index".to_owned();
        (shape, format!("node {node} has another entry {index} in region {region}"))
    });
    true
}
