//! Looks through a directory without changing it, for `billing-node verify` and for people.

use super::segment::{SegmentHeader, scan};
use super::superblock::Superblock;
use super::{Image, recover};
use crate::io::FileName;
use billing_wire::{Genesis, LogIndex, NodeId, RecordView, RegionId, Term};
use bytes::Bytes;

/// What one region log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// The region log.
    pub region: RegionId,
    /// Raft term.
    pub term: Term,
    /// Last durable index.
    pub durable_index: LogIndex,
    /// An index that is known to be committed.
    pub commit: LogIndex,
    /// Submissions in the durable records.
    pub submissions: u64,
    /// The durable records, encoded, from index 1.
    pub records: Vec<Bytes>,
}

/// What a directory holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Sequence of the superblock.
    pub superblock_sequence: u64,
    /// Per region log; empty when the directory cannot be opened.
    pub logs: Vec<LogReport>,
    /// What a start would cut: torn or never acknowledged.
    pub torn: Vec<String>,
    /// What is damaged and will not be cut.
    pub damage: Vec<String>,
}

/// Reads everything: superblock, segments, every checksum and every link of the hash chains.
pub fn inspect(genesis: &Genesis, node: NodeId, image: Image) -> Inspection {
    let mut inspection = Inspection::default();
    for (name, bytes) in &image {
        if *name == FileName::Superblock {
            copies(bytes, &mut inspection);
        }
        if let FileName::Segment { region, sequence } = name {
            torn_bytes(*region, *sequence, bytes, &mut inspection);
        }
    }
    match recover(genesis, node, image) {
        Err(error) => inspection.damage.push(error.to_string()),
        Ok((recovered, _)) => {
            inspection.superblock_sequence = recovered.superblock.sequence;
            for (promise, log) in recovered.superblock.regions.iter().zip(recovered.logs) {
                let submissions = hashes(&log.records, log.region, &mut inspection.damage);
                inspection.logs.push(LogReport {
                    region: log.region,
                    term: promise.term,
                    durable_index: promise.durable_index,
                    commit: promise.commit,
                    submissions,
                    records: log.records,
                });
            }
        }
    }
    inspection
}

fn copies(bytes: &[u8], inspection: &mut Inspection) {
    if let Some((_, damaged @ 1..)) = Superblock::newest(bytes) {
        inspection.torn.push(format!("superblock: {damaged} of 4 slots do not verify"));
    }
}

fn torn_bytes(region: RegionId, sequence: u32, bytes: &[u8], inspection: &mut Inspection) {
    let Some(header) = SegmentHeader::decode(bytes) else { return };
    let file = Bytes::copy_from_slice(bytes);
    let records = scan(&header, &file);
    let end = records.last().map_or(super::segment::SEGMENT_HEADER_BYTES as u64, |r| r.end);
    if end < bytes.len() as u64 {
        inspection.torn.push(format!(
            "log of region {region}, segment {sequence}: {} bytes behind offset {end} are no \
             record",
            bytes.len() as u64 - end
        ));
    }
}

/// Checks the hash of every record; returns how many submissions there are.
fn hashes(records: &[Bytes], region: RegionId, damage: &mut Vec<String>) -> u64 {
    let mut submissions = 0;
    for (place, bytes) in records.iter().enumerate() {
        match RecordView::decode(bytes) {
            Ok(view) if view.verify_hash() => submissions += u64::from(view.count),
            _ => damage.push(format!(
                "log of region {region}: record {} does not match its hash",
                place + 1
            )),
        }
    }
    submissions
}
