//! Reads everything that a node keeps, piece by piece, so that damage is found while other copies
//! are still whole and not when they are needed. It changes nothing: what it finds goes to the
//! node, which opens again and repairs itself in the usual way. The host calls it at its own pace.

use crate::host::Directory;
use crate::ledger_database::LedgerDatabase;
use crate::replica::read_image;
use billing_core::FileName;
use billing_core::journal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, scan};
use billing_core::journal::{self, Superblock};
use billing_wire::{Genesis, NodeId};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

/// Blocks of the ledger database that are read at once.
const BLOCKS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Superblock,
    /// A segment that the superblock names; it may be missing.
    Segment(FileName),
    /// Blocks of the ledger database from this one on.
    Blocks(usize),
}

/// What a step of the scrubber read and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes read.
    pub bytes: u64,
    /// A file that is damaged.
    pub damaged: Option<FileName>,
    /// Everything was read once since the first step, or since the last one that ended a pass.
    pub ends_pass: bool,
}

/// Where a pass over a node's files is.
#[derive(Debug)]
pub struct Scrubber {
    genesis: Arc<Genesis>,
    node: NodeId,
    parts: VecDeque<Part>,
}

impl Scrubber {
    /// At the beginning of a pass.
    pub fn new(genesis: Arc<Genesis>, node: NodeId) -> Self {
        Self { genesis, node, parts: VecDeque::new() }
    }

    /// Reads the next part. What cannot be read counts as damaged.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn step(
        &mut self,
        directory: &dyn Directory,
        database: &LedgerDatabase,
    ) -> io::Result<Scrubbed> {
        let part = self.parts.pop_front().unwrap_or(Part::Superblock);
        let (bytes, damaged) = match part {
            Part::Superblock => self.superblock(directory)?,
            Part::Segment(file) => self.segment(directory, file)?,
            Part::Blocks(first) => match database.verify_blocks(first, BLOCKS) {
                Ok(0) => (0, None),
                Ok(bytes) => {
                    self.parts.push_back(Part::Blocks(first + BLOCKS));
                    (bytes, None)
                }
                Err(_) => (0, Some(FileName::Ledger)),
            },
        };
        Ok(Scrubbed { bytes, damaged, ends_pass: self.parts.is_empty() })
    }

    /// Reads the superblock, and lists what it names.
    fn superblock(&mut self, directory: &dyn Directory) -> io::Result<(u64, Option<FileName>)> {
        let file = FileName::Superblock;
        let mut found = directory.read(file).map(|bytes| (Superblock::newest(&bytes), bytes.len()));
        if !matches!(found, Ok((Some((_, 0)), _))) {
            // A persist may have been at work.
            found = directory.read(file).map(|bytes| (Superblock::newest(&bytes), bytes.len()));
        }
        let Ok((Some((superblock, damaged)), length)) = found else { return Ok((0, Some(file))) };
        self.parts = superblock
            .regions
            .iter()
            .flat_map(|promise| {
                (1..=promise.tail_segment)
                    .map(|sequence| FileName::Segment { region: promise.region, sequence })
            })
            .map(Part::Segment)
            .collect();
        self.parts.push_back(Part::Blocks(0));
        Ok((length as u64, (damaged > 0).then_some(file)))
    }

    fn segment(
        &self,
        directory: &dyn Directory,
        file: FileName,
    ) -> io::Result<(u64, Option<FileName>)> {
        let bytes = Bytes::from(directory.read(file).unwrap_or_default());
        let is_whole = SegmentHeader::decode(&bytes).is_some_and(|header| {
            let end = scan(&header, &bytes).last().map_or(SEGMENT_HEADER_BYTES, |r| r.end as usize);
            end == bytes.len()
        });
        let length = bytes.len() as u64;
        if is_whole {
            return Ok((length, None));
        }
        // It may be written right now, or what is damaged may be hidden by a later segment: only
        // a recovery tells, and it must say the same twice.
        let lost = self.lost(directory)?;
        let again = if lost.is_empty() { lost } else { &lost & &self.lost(directory)? };
        Ok((length, (!again.is_empty()).then_some(file)))
    }

    /// What a recovery would miss now: region and index of the first record of each hole.
    fn lost(&self, directory: &dyn Directory) -> io::Result<BTreeSet<(u8, u64)>> {
        let image = read_image(directory)?;
        let Ok((found, _)) = journal::recover(&self.genesis, self.node, image) else {
            return Ok(BTreeSet::from([(0, 0)]));
        };
        let of_log = |log: &journal::RecoveredLog| {
            let rewritten = (!log.behind.is_empty()).then_some(log.records.len() as u64 + 1);
            let region = log.region.0;
            let firsts = log.holes.iter().map(|hole| hole.first).chain(rewritten);
            firsts.map(|first| (region, first)).collect::<Vec<_>>()
        };
        Ok(found.logs.iter().flat_map(of_log).collect())
    }
}
