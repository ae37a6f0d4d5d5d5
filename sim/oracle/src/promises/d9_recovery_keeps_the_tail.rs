//! D9: recovery keeps the durable prefix, all of it and nothing else; and a durable superblock
//! promises no record that is not durable, so that recovery never has to wonder.

use crate::catalogue::Promise;
use crate::evidence::Tail;
use crate::verdicts::Verdicts;
use billing_wire::{LogIndex, NodeId, RegionId};

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

pub(crate) fn superblock_synced(
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    unkept: Option<(RegionId, LogIndex)>,
) {
    verdicts.check(Promise::D9, at, None, unkept.is_none(), || {
        let (region, index) = unkept.unwrap_or_default();
        let detail = format!("node {node}: record {index} of region {region} is not on its disk");
        ("a superblock promises what is not durable".to_owned(), detail)
    });
}

pub(crate) fn reopened_damaged(
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    before: Tail,
    (after, last): (Tail, LogIndex),
    is_kept: bool,
) {
    verdicts.check(Promise::D9, at, None, is_kept, || {
        let shape = "damage was cut instead of missed".to_owned();
        let (promised, left) = (before.index, after.index);
        let detail = format!(
            "node {node}: promised to index {promised}, its disk says {left}, its log ends at \
             {last}"
        );
        (shape, detail)
    });
}
