//! Reads a directory back: keeps exactly the records up to the durable index, cuts what a power
//! cut tore behind it, and refuses what is broken before it.

use super::segment::{Placed, SEGMENT_HEADER_BYTES, SegmentHeader, scan};
use super::superblock::{RegionPromise, Superblock};
use super::writer::Tail;
use super::{Image, RecoverError, Recovered, RecoveredLog};
use crate::io::{DiskStep, FileName};
use crate::{canary, sometimes};
use billing_wire::{Genesis, Hash, Incarnation, LogIndex, NodeId, RecordView, RegionId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A segment as it lies on disk.
struct Segment {
    sequence: u32,
    incarnation: Incarnation,
    first_index: LogIndex,
    prev_hash: Hash,
    length: u64,
    records: Vec<Placed>,
}

/// A place in a segment.
struct Place {
    file: FileName,
    offset: u64,
}

impl Place {
    /// The record that should begin here does not verify.
    fn damaged(&self, before: &[Bytes]) -> RecoverError {
        let Self { file, offset } = *self;
        RecoverError::RecordDamaged { file, offset, index: before.len() as u64 + 1 }
    }
}

impl Segment {
    /// Offset of the first byte behind its records.
    fn end(&self) -> u64 {
        self.records.last().map_or(SEGMENT_HEADER_BYTES as u64, |placed| placed.end)
    }
}

/// Reads superblock and segments of a node's directory. The steps make the result durable and
/// must be carried out before the node is opened: what was cut must be gone before anything is
/// appended, and a promise that was read must not be forgotten by a second crash.
///
/// # Errors
/// What cannot be believed and cannot be cut.
pub fn recover(
    genesis: &Genesis,
    node: NodeId,
    image: Image,
) -> Result<(Recovered, Vec<DiskStep>), RecoverError> {
    let others = image.iter().map(|(file, _)| *file).filter(|file| *file != FileName::Genesis);
    let first_other = others.min();
    let (superblock, files) = sort(image);
    let file = match (superblock, first_other) {
        (Some(file), _) => file,
        (None, Some(beside)) => return Err(RecoverError::SuperblockMissing { beside }),
        (None, None) => return Err(RecoverError::NoSuperblock),
    };
    let (mut superblock, damaged) =
        Superblock::newest(&file).ok_or(RecoverError::SuperblockDamaged)?;
    check_identity(genesis, node, &superblock)?;
    if damaged > 0 {
        tracing::warn!(damaged, "superblock copies do not match their checksums");
    }
    let mut steps = Vec::new();
    let mut logs = Vec::with_capacity(superblock.regions.len());
    for promise in &mut superblock.regions {
        let none = BTreeMap::new();
        let segments = files.get(&promise.region).unwrap_or(&none);
        logs.push(recover_log(genesis, promise, segments, &mut steps)?);
    }
    // Written again exactly as it was read. After a failed sync the operating system may show
    // bytes that the disk never got; the other pair of slots then still holds the last promise
    // that was kept, and must not be overwritten before this one is durable.
    superblock.steps(&mut steps);
    Ok((Recovered { superblock, logs }, steps))
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
) -> Result<RecoveredLog, RecoverError> {
    let region = promise.region;
    // A segment that no superblock ever named holds nothing that was promised.
    for &sequence in files.keys().filter(|sequence| **sequence > promise.tail_segment) {
        sometimes!("tail-cut-at-recovery");
        steps.push(DiskStep::Remove { file: FileName::Segment { region, sequence } });
    }
    if canary!("acknowledged-tail-cut") && promise.durable_index > 1 {
        promise.durable_index -= 1;
    }
    let mut records: Vec<Bytes> = Vec::new();
    let mut orphans = Vec::new();
    let mut incarnation = Incarnation::default();
    let mut tail = Tail { segment: promise.tail_segment, offset: 0 };
    // Where the records that were read so far end.
    let mut end = Place { file: FileName::Segment { region, sequence: 1 }, offset: 0 };
    for sequence in 1..=promise.tail_segment {
        let file = FileName::Segment { region, sequence };
        let segment = read_segment(genesis, region, sequence, files)?;
        let kept = segment.first_index - 1;
        if kept > records.len() as u64 && sequence > 1 {
            return Err(end.damaged(&records));
        }
        let hidden = records.split_off((kept as usize).min(records.len()));
        if segment.incarnation > incarnation {
            // Not replaced by consensus: the seal of the incarnation before left them out.
            orphans.extend(hidden);
            incarnation = segment.incarnation;
        }
        if kept > records.len() as u64 || segment.prev_hash != last_hash(&records) {
            return Err(RecoverError::SegmentOutOfChain { file });
        }
        end = Place { file, offset: segment.end() };
        tail.offset = segment.length;
        if sequence == promise.tail_segment {
            tail.offset = cut_tail(promise, &segment, steps);
        }
        records.extend(segment.records.into_iter().map(|placed| placed.bytes));
    }
    if (records.len() as u64) < promise.durable_index {
        return Err(end.damaged(&records));
    }
    records.truncate(promise.durable_index as usize);
    check_last(promise, &records, &tail)?;
    let RegionPromise { incarnation, fenced, .. } = *promise;
    Ok(RecoveredLog { region, incarnation, fenced, records, orphans, tail })
}

fn read_segment(
    genesis: &Genesis,
    region: RegionId,
    sequence: u32,
    files: &BTreeMap<u32, Bytes>,
) -> Result<Segment, RecoverError> {
    let name = FileName::Segment { region, sequence };
    let file = files.get(&sequence).ok_or(RecoverError::SegmentMissing { file: name })?;
    let damaged = RecoverError::SegmentDamaged { file: name };
    let header = SegmentHeader::decode(file).ok_or(damaged.clone())?;
    let is_ours = header.cluster == genesis.cluster
        && header.region == region
        && header.sequence == sequence
        && header.first_index > 0;
    if !is_ours {
        return Err(damaged);
    }
    let length = file.len() as u64;
    let records = scan(&header, file);
    let SegmentHeader { incarnation, first_index, prev_hash, .. } = header;
    Ok(Segment { sequence, incarnation, first_index, prev_hash, length, records })
}

/// Where the tail segment ends once everything behind the durable index is cut.
fn cut_tail(promise: &RegionPromise, segment: &Segment, steps: &mut Vec<DiskStep>) -> u64 {
    let file = FileName::Segment { region: promise.region, sequence: segment.sequence };
    let last = (promise.durable_index + 1).checked_sub(segment.first_index + 1);
    let last = last.and_then(|place| segment.records.get(place as usize));
    let end = last.map_or(SEGMENT_HEADER_BYTES as u64, |placed| placed.end);
    if end == segment.length {
        return end;
    }
    sometimes!("tail-cut-at-recovery");
    if canary!("append-behind-torn-tail") {
        return segment.length;
    }
    steps.push(DiskStep::SetLength { file, length: end });
    steps.push(DiskStep::Sync { file });
    end
}

/// Hash of the last record; zeros when there is none.
fn last_hash(records: &[Bytes]) -> Hash {
    let view = records.last().and_then(|last| RecordView::decode(last).ok());
    view.map_or([0; 32], |view| view.header.hash)
}

fn check_last(
    promise: &mut RegionPromise,
    records: &[Bytes],
    tail: &Tail,
) -> Result<(), RecoverError> {
    let index = promise.durable_index;
    let found = last_hash(records);
    if canary!("acknowledged-tail-cut") {
        promise.last_hash = found;
    }
    if found != promise.last_hash {
        let file = FileName::Segment { region: promise.region, sequence: tail.segment };
        let length = records.last().map_or(0, |last| last.len() as u64);
        let offset = tail.offset.saturating_sub(length);
        return Err(RecoverError::OtherRecord { file, offset, index });
    }
    promise.commit = promise.commit.min(index);
    Ok(())
}
