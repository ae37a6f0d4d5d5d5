//! Reads everything that a node keeps, piece by piece, so that damage is found while other copies
//! are still whole and not when they are needed. It changes nothing: what it finds goes to the
//! node, which opens again and repairs itself in the usual way. The host calls it at its own pace.

use crate::host::Directory;
use crate::ledger_database::LedgerDatabase;
use crate::replica::{read_image, read_or_salvage};
use billing_core::journal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, scan};
use billing_core::journal::{self, Superblock};
use billing_core::{FileName, canary};
use billing_wire::{Genesis, NodeId};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Blocks of the ledger database that are read at once.
const BLOCKS: usize = 64;

/// How fast a node reads its files in order to find damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPace {
    /// Everything is read once in so long; zero: never.
    pub period: Duration,
    /// Bytes per second, at most; above 0.
    pub bytes_per_s: u64,
}

impl Default for ScrubPace {
    fn default() -> Self {
        Self { period: Duration::from_secs(24 * 3600), bytes_per_s: 8 << 20 }
    }
}

/// When the next step of a scrubber is due, on any clock that begins at zero.
#[derive(Debug, Clone, Copy)]
pub struct ScrubClock {
    pace: ScrubPace,
    due: Duration,
    next_pass: Duration,
}

impl ScrubClock {
    /// The first pass begins one period from now. `None`: there is never one.
    pub fn new(pace: ScrubPace, now: Duration) -> Option<Self> {
        let next_pass = now + pace.period;
        (!pace.period.is_zero()).then_some(Self { pace, due: next_pass, next_pass })
    }

    /// When the next step is due.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// A step is done; the next waits for as long as what was read may take.
    pub fn stepped(&mut self, now: Duration, scrubbed: &Scrubbed) {
        let per_s = u128::from(self.pace.bytes_per_s);
        let takes_ns = (u128::from(scrubbed.bytes) * 1_000_000_000).div_ceil(per_s);
        self.due = now + Duration::from_nanos(takes_ns as u64);
        if scrubbed.ends_pass {
            self.due = self.due.max(self.next_pass);
            self.next_pass = self.due + self.pace.period;
        }
    }

    /// A step failed; it is tried again one period from now.
    pub fn failed(&mut self, now: Duration) {
        self.due = now + self.pace.period;
    }
}

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
        let read = || read_or_salvage(directory, file);
        let mut found = read().map(|bytes| (Superblock::newest(&bytes), bytes.len()));
        if !matches!(found, Ok((Some((_, 0)), _))) {
            // A persist may have been at work.
            found = read().map(|bytes| (Superblock::newest(&bytes), bytes.len()));
        }
        let Ok((Some((superblock, damaged)), length)) = found else { return Ok((0, Some(file))) };
        self.parts = superblock
            .regions
            .iter()
            .flat_map(|promise| {
                let end = promise.tail_segment + u32::from(!canary!("scrubber-skips"));
                (1..end).map(|sequence| FileName::Segment { region: promise.region, sequence })
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

#[cfg(test)]
mod tests {
    use super::{ScrubClock, ScrubPace, Scrubbed};
    use std::time::Duration;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn passes_begin_once_a_period_and_parts_take_their_time() {
        let pace = ScrubPace { period: 10 * S, bytes_per_s: 100 };
        let mut clock = ScrubClock::new(pace, 5 * S).unwrap();
        assert_eq!(clock.due(), 15 * S, "the first pass waits for a period");
        let part = Scrubbed { bytes: 200, damaged: None, ends_pass: false };
        clock.stepped(15 * S, &part);
        assert_eq!(clock.due(), 17 * S);
        let last = Scrubbed { ends_pass: true, ..part };
        clock.stepped(17 * S, &last);
        assert_eq!(clock.due(), 19 * S, "the next one was due when this one had begun");
        clock.stepped(19 * S, &last);
        assert_eq!(clock.due(), 29 * S, "it does not run ahead");
        clock.failed(30 * S);
        assert_eq!(clock.due(), 40 * S);
        assert!(ScrubClock::new(ScrubPace { period: Duration::ZERO, ..pace }, S).is_none());
    }
}
