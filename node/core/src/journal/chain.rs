//! Which record of which segment is part of a region log. Later segments hide earlier ones, the
//! superblock pins the last record, and each record pins the one before it by its hash: so the log
//! is read from its end, and what does not hold together is missing, wherever the damage is.
//! Damage in what is hidden costs nothing.

use super::Hole;
use super::segment::{Placed, SEGMENT_HEADER_BYTES, SegmentHeader, salvage, scan};
use super::superblock::RegionPromise;
use crate::sometimes;
use billing_wire::{Genesis, Hash, Incarnation, LogIndex, RecordView};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A segment as it lies on disk.
pub(super) struct Segment {
    pub(super) sequence: u32,
    /// `None`: it does not verify, or is another segment's.
    header: Option<SegmentHeader>,
    /// Every record that is readable; without damage they follow each other.
    pub(super) records: Vec<Placed>,
    /// How many of them follow each other from the header on: they stand where they belong.
    in_order: usize,
    pub(super) length: u64,
}

impl Segment {
    /// Reads a segment; one that is missing has no records.
    pub(super) fn read(
        genesis: &Genesis,
        promise: &RegionPromise,
        sequence: u32,
        files: &BTreeMap<u32, Bytes>,
    ) -> Self {
        let region = promise.region;
        let file = files.get(&sequence).cloned().unwrap_or_default();
        let header = SegmentHeader::decode(&file).filter(|header| {
            header.cluster == genesis.cluster
                && header.region == region
                && header.sequence == sequence
                && header.first_index > 0
        });
        let mut records = header.map(|header| scan(&header, &file)).unwrap_or_default();
        let in_order = records.len();
        let end = records.last().map_or(SEGMENT_HEADER_BYTES, |placed| placed.end as usize);
        let last = records.last().map(|placed| placed.header.index);
        let last = last.or(header.map(|header| header.first_index - 1)).unwrap_or(0);
        // Behind what was promised the last segment may be torn.
        let is_read =
            end >= file.len() || sequence == promise.tail_segment && last >= promise.durable_index;
        if !is_read || header.is_none() {
            records.extend(salvage(region, &file, end));
        }
        Self { sequence, header, records, in_order, length: file.len() as u64 }
    }

    /// Where the record at `last` ends here, or the header of a segment that begins behind it. A
    /// record that is found behind damage may have landed there: nothing is cut behind it.
    pub(super) fn end_of(&self, last: LogIndex) -> Option<u64> {
        if self.header?.first_index == last + 1 {
            return Some(SEGMENT_HEADER_BYTES as u64);
        }
        let mut records = self.records[..self.in_order].iter().rev();
        records.find(|placed| placed.header.index == last).map(|placed| placed.end)
    }

    /// From which index on it hides earlier segments, and the incarnation that it is of.
    fn hides(&self) -> Option<(LogIndex, Incarnation)> {
        self.header.map(|header| (header.first_index, header.incarnation))
    }
}

/// A region log as far as it is readable: the record at each index up to the durable one.
pub(super) struct Chain<'a> {
    records: Vec<Option<&'a Placed>>,
    /// Those of segments whose headers are broken: good for what is missing elsewhere.
    loose: BTreeMap<LogIndex, &'a Placed>,
    last_hash: Hash,
    /// The first record that is a loose one: it must be written again.
    loose_from: Option<LogIndex>,
}

impl<'a> Chain<'a> {
    pub(super) fn of(promise: &RegionPromise, segments: &'a [Segment]) -> Self {
        let mut records: Vec<Option<&Placed>> = vec![None; promise.durable_index as usize];
        let mut loose = BTreeMap::new();
        let mut until = promise.durable_index;
        for segment in segments.iter().rev() {
            for placed in &segment.records {
                let index = placed.header.index;
                if segment.header.is_none() {
                    loose.entry(index).or_insert(placed);
                } else if index > 0 && index <= until {
                    records[index as usize - 1].get_or_insert(placed);
                }
            }
            until = segment.hides().map_or(until, |(first, _)| until.min(first - 1));
        }
        let mut chain = Self { records, loose, last_hash: promise.last_hash, loose_from: None };
        if !chain.link() {
            chain.check_hashes();
            chain.link();
        }
        chain
    }

    /// Drops what the record behind it contradicts; whether everything is there. What lies before
    /// a hole cannot be told wrong yet.
    fn link(&mut self) -> bool {
        let mut pin = Some(self.last_hash);
        let mut is_whole = true;
        for (place, record) in self.records.iter_mut().enumerate().rev() {
            let fits = |placed: &&Placed| pin.is_none_or(|pin| placed.header.hash == pin);
            let index = place as u64 + 1;
            *record = record.filter(fits).or_else(|| {
                let loose = self.loose.get(&index).copied().filter(fits)?;
                self.loose_from = Some(index);
                Some(loose)
            });
            pin = record.map(|placed| placed.header.prev_hash);
            is_whole &= record.is_some();
        }
        // Nothing stands before the first.
        if pin.is_some_and(|pin| pin != [0; 32])
            && let Some(first) = self.records.first_mut()
        {
            *first = None;
            is_whole = false;
        }
        is_whole
    }

    /// What stands beside damage is looked at more closely than a checksum does.
    fn check_hashes(&mut self) {
        let is_it = |placed: &&Placed| {
            RecordView::decode(&placed.bytes).is_ok_and(|view| view.verify_hash())
        };
        self.records.iter_mut().for_each(|record| *record = record.filter(is_it));
        self.loose.retain(|_, placed| is_it(&&**placed));
    }

    /// What is missing, ascending.
    pub(super) fn holes(&self) -> Vec<Hole> {
        let mut holes: Vec<Hole> = Vec::new();
        for (index, record) in (1..).zip(&self.records) {
            match (record, holes.last_mut()) {
                (None, Some(hole)) if hole.last + 1 == index => hole.last = index,
                (None, _) => {
                    holes.push(Hole { first: index, last: index, last_hash: self.last_hash });
                }
                (Some(placed), Some(hole)) if hole.last + 1 == index => {
                    hole.last_hash = placed.header.prev_hash;
                }
                (Some(_), _) => {}
            }
        }
        holes
    }

    /// The records up to the first that is missing or must be written again, and those behind it.
    pub(super) fn into_records(self) -> (Vec<Bytes>, Vec<Bytes>) {
        let missing = self.records.iter().position(Option::is_none);
        let loose = self.loose_from.map(|first| first as usize - 1);
        let kept = missing.into_iter().chain(loose).min().unwrap_or(self.records.len());
        let bytes = |records: &[Option<&Placed>]| -> Vec<Bytes> {
            records.iter().flatten().map(|placed| placed.bytes.clone()).collect()
        };
        (bytes(&self.records[..kept]), bytes(&self.records[kept..]))
    }

    /// Records of earlier incarnations outside the log: seals left them out. Damage may have cost
    /// others; every node that held them has its own copies.
    pub(super) fn orphans(&self, promise: &RegionPromise, segments: &[Segment]) -> Vec<Bytes> {
        let is_first = |segment: &Segment| {
            segment.hides().is_some_and(|(_, incarnation)| incarnation == promise.incarnation)
        };
        if segments.iter().all(is_first) {
            return Vec::new();
        }
        let mut orphans = Vec::new();
        for (place, segment) in segments.iter().enumerate() {
            for placed in &segment.records {
                let header = &placed.header;
                let own = segment.hides().map_or(header.incarnation, |(_, own)| own);
                let later = segments[place + 1..].iter().filter_map(Segment::hides);
                let hidden_by = later.clone().find(|(first, _)| *first <= header.index);
                let by = hidden_by.map_or(promise.incarnation, |(_, by)| by);
                let in_log = self.records.get(header.index.wrapping_sub(1) as usize);
                let is_in_log =
                    in_log.is_some_and(|found| found.is_some_and(|f| f.header.hash == header.hash));
                // Not replaced by consensus: the seal of the incarnation before left it out.
                if by > own && !is_in_log {
                    orphans.push(placed.bytes.clone());
                }
            }
        }
        if segments.iter().any(|segment| segment.header.is_none()) {
            sometimes!("orphans-beside-damage");
            let found = orphans.len();
            tracing::warn!(region = %promise.region, found, "orphans may be missing here");
        }
        orphans
    }
}
