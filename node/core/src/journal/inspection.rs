//! Looks through a directory without changing it, for `billing-node verify` and for people.

use super::RecoveredLog;
use super::segment::{Placed, SEGMENT_HEADER_BYTES, SegmentHeader, scan};
use super::superblock::{SLOT_BYTES, SLOT_STRIDE, Superblock};
use super::{Image, Recovered, recover};
use crate::io::FileName;
use billing_wire::{Genesis, LogIndex, NodeId, RecordView, RegionId, Term};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

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

/// Bytes that do not verify, and that nobody was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Torn {
    /// The file.
    pub file: FileName,
    /// The first of them.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
}

/// What a directory holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Sequence of the superblock.
    pub superblock_sequence: u64,
    /// Per region log; empty when the directory cannot be opened.
    pub logs: Vec<LogReport>,
    /// What a start would cut or write anew: torn or never acknowledged.
    pub torn: Vec<Torn>,
    /// What is damaged and will not be cut: a start fetches it from the other nodes, or refuses.
    pub damage: Vec<String>,
}

/// Where records lie: per segment the index of the first one, and where each ends.
type Places = BTreeMap<(RegionId, u32), (LogIndex, Vec<u64>)>;

/// Reads everything: superblock, segments, every checksum and every link of the hash chains.
pub fn inspect(genesis: &Genesis, node: NodeId, image: Image) -> Inspection {
    let mut inspection = Inspection::default();
    let mut places = Places::new();
    for (name, bytes) in &image {
        if *name == FileName::Superblock {
            copies(bytes, &mut inspection);
        }
        if let FileName::Segment { region, sequence } = name
            && let Some(header) = SegmentHeader::decode(bytes)
        {
            let records = scan(&header, &Bytes::copy_from_slice(bytes));
            torn_bytes(*name, bytes.len() as u64, &records, &mut inspection);
            let ends = records.iter().map(|record| record.end).collect();
            places.insert((*region, *sequence), (header.first_index, ends));
        }
    }
    match recover(genesis, node, image) {
        Err(error) => inspection.damage.push(error.to_string()),
        Ok((recovered, _)) => report(recovered, &places, &mut inspection),
    }
    inspection
}

fn report(recovered: Recovered, places: &Places, inspection: &mut Inspection) {
    inspection.superblock_sequence = recovered.superblock.sequence;
    inspection.damage.extend(recovered.forgot.map(|forgot| forgot.to_string()));
    for (promise, log) in recovered.superblock.regions.iter().zip(recovered.logs) {
        let mut submissions = 0;
        holes(places, promise.tail_segment, &log, inspection);
        for bytes in log.records.iter().chain(&log.behind) {
            let view = RecordView::decode(bytes).expect("recovery verified it");
            match view.header.index {
                _ if view.verify_hash() => submissions += u64::from(view.count),
                index => {
                    let place = place(places, log.region, promise.tail_segment, index);
                    let text = "does not match its hash";
                    inspection.damage.push(format!("{place}: record {index} {text}"));
                }
            }
        }
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

/// Every slot that was ever written and does not verify.
fn copies(bytes: &[u8], inspection: &mut Inspection) {
    // When no slot verifies, recovery says so.
    if Superblock::newest(bytes).is_none() {
        return;
    }
    for (offset, slot) in
        (0..).step_by(SLOT_STRIDE as usize).zip(bytes.chunks(SLOT_STRIDE as usize))
    {
        let slot = &slot[..slot.len().min(SLOT_BYTES)];
        if Superblock::decode(slot).is_none() && slot.iter().any(|byte| *byte != 0) {
            let (file, bytes) = (FileName::Superblock, slot.len() as u64);
            inspection.torn.push(Torn { file, offset, bytes });
        }
    }
}

fn torn_bytes(file: FileName, length: u64, records: &[Placed], inspection: &mut Inspection) {
    let offset = records.last().map_or(SEGMENT_HEADER_BYTES as u64, |record| record.end);
    if offset < length {
        inspection.torn.push(Torn { file, offset, bytes: length - offset });
    }
}

/// What a region log lacks, and what is readable but in a segment whose header is broken.
fn holes(places: &Places, tail: u32, log: &RecoveredLog, inspection: &mut Inspection) {
    for hole in &log.holes {
        let place = place(places, log.region, tail, hole.first);
        let what = match hole.last - hole.first {
            0 => format!("record {}", hole.first),
            _ => format!("records {} to {}", hole.first, hole.last),
        };
        inspection.damage.push(format!("{place}: {what} cannot be read"));
    }
    if log.holes.is_empty() && !log.behind.is_empty() {
        let first = log.records.len() + 1;
        let text = "stands in a segment whose header does not verify";
        inspection.damage.push(format!("log/{}: record {first} {text}", log.region));
    }
}

/// Where a record stands or should stand, for people.
fn place(places: &Places, region: RegionId, tail: u32, index: LogIndex) -> String {
    // Later segments hide earlier ones from their first index on.
    let mut newest_first = places.range((region, 1)..=(region, tail)).rev();
    let Some(((_, sequence), (first, ends))) = newest_first.find(|(_, (first, _))| *first <= index)
    else {
        return format!("log/{region}");
    };
    let file = FileName::Segment { region, sequence: *sequence };
    match (index - first).checked_sub(1).map(|before| ends.get(before as usize)) {
        None => format!("{file} at offset {SEGMENT_HEADER_BYTES}"),
        Some(Some(offset)) => format!("{file} at offset {offset}"),
        Some(None) => format!("{file} or a later one"),
    }
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes } = self;
        match file {
            FileName::Superblock => {
                write!(f, "{file}: the copy at offset {offset} does not verify")
            }
            _ => write!(f, "{file}: {bytes} bytes at offset {offset} are no record"),
        }
    }
}

/// Its path below the data directory, as people find it there.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis => f.write_str("genesis"),
            Self::Superblock => f.write_str("superblock"),
            Self::Segment { region, sequence } => write!(f, "log/{region}/{sequence:08}.seg"),
            Self::Ledger => f.write_str("ledger.redb"),
            Self::LedgerAside => f.write_str("ledger.damaged"),
        }
    }
}
