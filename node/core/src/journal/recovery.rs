//! Reads a directory back: keeps exactly the records up to the durable index, cuts what a power
//! cut tore behind it, and says what is broken before it. That is never cut: it may have been
//! acknowledged, so it is fetched again from the other nodes.

use super::chain::{Chain, Segment};
use super::superblock::{RegionPromise, Superblock};
use super::writer::Tail;
use super::{Forgot, GENERATION_MAX, Image, RecoverError, Recovered, RecoveredLog};
use crate::io::{DiskStep, FileName};
use crate::{canary, sometimes};
use billing_wire::{Genesis, Hash, LogIndex, NodeId, RecordView, RegionId, RegionMembers};
use bytes::Bytes;
use std::collections::BTreeMap;

/// So many bytes at the end of a segment tell lives of a node apart.
const SUMMED_BYTES: usize = 4096;

/// Reads superblock and segments of a node's directory. The steps make the result durable and
/// must be carried out before the node is opened: what was cut must be gone before anything is
/// appended, and a promise that was read must not be forgotten by a second crash.
///
/// # Errors
/// A directory without anything, or of another node. What is damaged is no error: it is reported.
pub fn recover(
    genesis: &Genesis,
    node: NodeId,
    image: Image,
) -> Result<(Recovered, Vec<DiskStep>), RecoverError> {
    let others = image.iter().map(|(file, _)| *file).filter(|file| *file != FileName::Genesis);
    let first_other = others.min();
    let (superblock, files) = sort(image);
    let forgot = match (&superblock, first_other) {
        (Some(_), _) => Forgot::SuperblockDamaged,
        (None, Some(beside)) => Forgot::SuperblockMissing { beside },
        (None, None) => return Err(RecoverError::NoSuperblock),
    };
    let file = superblock.unwrap_or_default();
    let newest = Superblock::newest(&file);
    let forgot = match newest {
        None => Some(forgot),
        Some(_) if Superblock::is_pair_lost(&file) => Some(Forgot::SuperblockPairDamaged),
        Some(_) => None,
    };
    if let Some((superblock, _)) = &newest {
        check_identity(genesis, node, superblock)?;
    }
    let (mut superblock, damaged) = match (newest, forgot) {
        (Some(newest), None) => newest,
        (_, Some(forgot)) if genesis.nodes().count() == 1 => {
            return Err(RecoverError::Alone(forgot));
        }
        (older, _) => {
            let lost = superblock_of_lost(genesis, node, &file, &files);
            // In the place of the one that is lost, and not of the one that is left.
            let sequence = older.as_ref().map_or(lost.sequence, |(older, _)| older.sequence + 1);
            let seen = older.map_or_else(Vec::new, |(older, _)| older.seen);
            (Superblock { sequence, seen, ..lost }, 0)
        }
    };
    if let Some(forgot) = forgot {
        sometimes!("superblock-lost");
        tracing::error!(%forgot);
    }
    if damaged > 0 {
        tracing::warn!(damaged, "superblock copies do not match their checksums");
    }
    let mut steps = Vec::new();
    let mut logs = Vec::with_capacity(superblock.regions.len());
    for promise in &mut superblock.regions {
        let none = BTreeMap::new();
        let segments = files.get(&promise.region).unwrap_or(&none);
        logs.push(recover_log(genesis, promise, segments, &mut steps));
    }
    // Written again exactly as it was read. After a failed sync the operating system may show
    // bytes that the disk never got; the other pair of slots then still holds the last promise
    // that was kept, and must not be overwritten before this one is durable.
    superblock.steps(&mut steps);
    Ok((Recovered { superblock, logs, forgot }, steps))
}

/// The superblock of a node that does not know any more what it promised. Its segments stay where
/// they are, behind new ones.
fn superblock_of_lost(
    genesis: &Genesis,
    node: NodeId,
    file: &[u8],
    files: &SegmentFiles,
) -> Superblock {
    // No two lives end with the same bytes.
    let sum = files.values().flat_map(BTreeMap::values).fold(crc32c::crc32c(file), |sum, file| {
        crc32c::crc32c_append(sum, &file[file.len().saturating_sub(SUMMED_BYTES)..])
    });
    let generation = (sum % u32::from(GENERATION_MAX)) as u8 + 1;
    let promise = |r: &RegionMembers| {
        let last = files.get(&r.region).and_then(|files| files.keys().next_back());
        RegionPromise {
            forgotten: true,
            generation,
            tail_segment: last.map_or(0, |last| last + 1),
            ..RegionPromise::empty(r.region, r.incarnation)
        }
    };
    Superblock {
        node,
        cluster: billing_wire::frame::cluster_mark(genesis.cluster),
        sequence: 1,
        regions: genesis.regions.iter().map(promise).collect(),
        seen: Vec::new(),
    }
}

type SegmentFiles = BTreeMap<RegionId, BTreeMap<u32, Bytes>>;

fn sort(image: Image) -> (Option<Bytes>, SegmentFiles) {
    let mut superblock = None;
    let mut files = SegmentFiles::new();
    for (name, bytes) in image {
        match name {
            FileName::Superblock => superblock = Some(Bytes::from(bytes)),
            FileName::Segment { region, sequence } => {
                files.entry(region).or_default().insert(sequence, Bytes::from(bytes));
            }
            FileName::Genesis | FileName::Ledger | FileName::LedgerAside => {}
        }
    }
    (superblock, files)
}

fn check_identity(
    genesis: &Genesis,
    node: NodeId,
    superblock: &Superblock,
) -> Result<(), RecoverError> {
    let expected = billing_wire::frame::cluster_mark(genesis.cluster);
    if superblock.cluster != expected {
        return Err(RecoverError::OtherCluster { found: superblock.cluster, expected });
    }
    if superblock.node != node {
        return Err(RecoverError::OtherNode { found: superblock.node, expected: node });
    }
    let (found, expected) = (superblock.regions.len(), genesis.regions.len());
    if found != expected {
        return Err(RecoverError::OtherRegions { found, expected });
    }
    Ok(())
}

fn recover_log(
    genesis: &Genesis,
    promise: &mut RegionPromise,
    files: &BTreeMap<u32, Bytes>,
    steps: &mut Vec<DiskStep>,
) -> RecoveredLog {
    let region = promise.region;
    // A segment that no superblock ever named holds nothing that was promised.
    for &sequence in files.keys().filter(|sequence| **sequence > promise.tail_segment) {
        sometimes!("tail-cut-at-recovery");
        steps.push(DiskStep::Remove { file: FileName::Segment { region, sequence } });
    }
    if canary!("acknowledged-tail-cut") && promise.durable_index > 1 {
        promise.durable_index -= 1;
    }
    let segments: Vec<Segment> =
        (1..=promise.tail_segment).map(|n| Segment::read(genesis, promise, n, files)).collect();
    if canary!("acknowledged-tail-cut") {
        promise.last_hash = hash_at(&segments, promise.durable_index);
    }
    let chain = Chain::of(promise, &segments);
    let orphans = chain.orphans(promise, &segments);
    let mut tail = cut_tail(promise, segments.last(), steps);
    let mut holes = chain.holes();
    let (records, mut behind) = chain.into_records();
    if let Some(hole) = holes.first() {
        sometimes!("damage-found-at-recovery");
        let (first, last, count) = (hole.first, hole.last, holes.len());
        tracing::warn!(%region, first, last, count, "records of the region log cannot be read");
        if canary!("damaged-range-cut") {
            promise.durable_index = hole.first - 1;
            promise.last_hash = records.last().map_or([0; 32], hash_of);
            tail.offset = Tail::FULL;
            (holes, behind) = (Vec::new(), Vec::new());
        }
    }
    promise.commit = promise.commit.min(promise.durable_index);
    let RegionPromise { incarnation, fenced, .. } = *promise;
    RecoveredLog { region, incarnation, fenced, records, holes, behind, orphans, tail }
}

/// Hash of the readable record at an index; zeros when there is none.
fn hash_at(segments: &[Segment], index: LogIndex) -> Hash {
    let records = segments.iter().rev().flat_map(|segment| &segment.records);
    let mut found = records.filter(|placed| placed.header.index == index);
    found.next().map_or([0; 32], |placed| placed.header.hash)
}

fn hash_of(record: &Bytes) -> Hash {
    RecordView::decode(record).map_or([0; 32], |view| view.header.hash)
}

/// Where the next record goes once everything behind the durable index is cut from the tail
/// segment. Behind a segment that cannot be believed to its end a new one is started.
fn cut_tail(promise: &RegionPromise, segment: Option<&Segment>, steps: &mut Vec<DiskStep>) -> Tail {
    let Some(segment) = segment else { return Tail { segment: 0, offset: 0 } };
    let sequence = segment.sequence;
    let Some(end) = segment.end_of(promise.durable_index) else {
        return Tail { segment: sequence, offset: Tail::FULL };
    };
    if end == segment.length {
        return Tail { segment: sequence, offset: end };
    }
    sometimes!("tail-cut-at-recovery");
    if canary!("append-behind-torn-tail") {
        return Tail { segment: sequence, offset: segment.length };
    }
    let file = FileName::Segment { region: promise.region, sequence };
    steps.push(DiskStep::SetLength { file, length: end });
    steps.push(DiskStep::Sync { file });
    Tail { segment: sequence, offset: end }
}
