//! What a seal leaves out (billing.md §7): records that some node committed, or still commits
//! because it has not heard, and that are not in the sealed chain. Which those are is found by
//! walking the chain back from the hash that the seal names.

use crate::facts::Facts;
use billing_wire::{
    Frontier, Hash, LogIndex, NodeId, OpId, Position, ReadAnswer, RecordHeader, RecordKind,
    RecordView, RegionId, SealedChain,
};
use std::collections::{BTreeMap, BTreeSet};

/// A record outside a sealed chain.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) header: RecordHeader,
    /// What it holds that must not be lost.
    pub(crate) operations: Vec<OpId>,
}

/// Records outside sealed chains, and how often each was appended again.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    known: BTreeMap<Hash, Orphan>,
    readmitted: BTreeMap<Hash, u32>,
    /// Records that may be of a chain that is not known whole.
    candidates: BTreeMap<Hash, Vec<u8>>,
}

fn header_of(bytes: &[u8]) -> Option<RecordHeader> {
    RecordView::decode(bytes).ok().map(|view| view.header)
}

impl Orphans {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Hash, &Orphan)> {
        self.known.iter()
    }

    /// How often a record was appended again.
    pub(crate) fn readmitted(&self, hash: &Hash) -> u32 {
        self.readmitted.get(hash).copied().unwrap_or(0)
    }

    pub(crate) fn note_readmitted(&mut self, hash: Hash) -> u32 {
        let times = self.readmitted.entry(hash).or_default();
        *times += 1;
        *times
    }

    /// Headers of what lies outside sealed chains, and of what may.
    fn outside(&self) -> impl Iterator<Item = RecordHeader> {
        let known = self.known.values().map(|orphan| orphan.header);
        known.chain(self.candidates.values().filter_map(|bytes| header_of(bytes)))
    }

    /// Header of such a record by its hash.
    fn header(&self, hash: &Hash) -> Option<RecordHeader> {
        let known = self.known.get(hash).map(|orphan| orphan.header);
        known.or_else(|| header_of(self.candidates.get(hash)?))
    }

    fn note(&mut self, record: &RecordView<'_>) {
        let header = record.header;
        let operations = record.submissions().flatten().map(|held| held.op_id).collect();
        self.known.insert(header.hash, Orphan { header, operations });
    }
}

/// A committed entry that lies outside a sealed chain and must not.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LeftOut {
    /// It was final.
    Final(RecordHeader),
    /// It was not, but its log said that it is geo-durable.
    Geo(RecordHeader),
}

/// What knowing a whole chain came to.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The rest of the chain, in order.
    pub(crate) rest: Vec<Vec<u8>>,
    /// What was taken for a part of it and is none.
    pub(crate) left_out: Vec<RecordHeader>,
    /// What must not be outside of it.
    pub(crate) broken: Vec<LeftOut>,
}

impl Facts {
    /// Whether a committed record is of a sealed incarnation and not in its chain, as far as that
    /// is known; it is remembered then. `Some` when it makes a chain whole.
    pub(crate) fn is_astray(&mut self, record: &RecordView<'_>) -> Option<Option<Resolved>> {
        let header = &record.header;
        let region = header.region;
        let is_known = self.log(region).hash(header.index) == Some(&header.hash);
        if is_known || !self.finality.has_sealed(region) {
            return None;
        }
        let incarnation = self.finality.incarnation(region);
        match self.finality.sealed(region).copied() {
            Some(sealed) if !sealed.is_whole => {
                self.orphans.candidates.insert(header.hash, record.bytes().to_vec());
                Some(self.resolve(&sealed.chain))
            }
            Some(_) if header.incarnation <= incarnation => {
                self.orphans.note(record);
                Some(None)
            }
            None if header.incarnation < incarnation => {
                self.orphans.note(record);
                Some(None)
            }
            _ => None,
        }
    }

    /// Makes a region log the sealed chain, if all of it is known.
    pub(crate) fn resolve(&mut self, chain: &SealedChain) -> Option<Resolved> {
        let log = self.log(chain.region);
        let mut rest = Vec::new();
        let (mut index, mut hash) = (chain.last_index, chain.last_hash);
        while index > 0 && log.hash(index) != Some(&hash) {
            let bytes = self.orphans.candidates.get(&hash)?;
            let view = RecordView::decode(bytes).ok()?;
            hash = view.header.prev_hash;
            index -= 1;
            rest.push(bytes.clone());
        }
        rest.reverse();
        // What the log itself called geo-durable lies on a majority of each region that is left.
        let geo_index = log.logged_geo(log.last_index());
        let (mut broken, mut left_out) = (Vec::new(), Vec::new());
        for bytes in self.cut_log(chain.region, index) {
            let Ok(view) = RecordView::decode(&bytes) else { continue };
            let end = self.log(chain.region).last_hlc;
            if !self.finality.forget(&view.header, end) {
                broken.push(LeftOut::Final(view.header));
            } else if view.header.index <= geo_index {
                broken.push(LeftOut::Geo(view.header));
            }
            left_out.push(view.header);
            self.orphans.note(&view);
        }
        for bytes in std::mem::take(&mut self.orphans.candidates).into_values() {
            let Ok(view) = RecordView::decode(&bytes) else { continue };
            if view.header.region != chain.region {
                self.orphans.candidates.insert(view.header.hash, bytes);
            } else if !rest.contains(&bytes) {
                self.orphans.note(&view);
            }
        }
        self.finality.chain_is_whole(chain.region);
        Some(Resolved { rest, left_out, broken })
    }

    /// Hash of the committed entry at a place, in its log or outside a sealed chain.
    pub(crate) fn committed_hash(&self, position: &Position) -> Option<Hash> {
        let log = self.log(position.region);
        if log.stamp(position.index) == position.hlc {
            return log.hash(position.index).copied();
        }
        let is_it = |orphan: &&Orphan| {
            let header = &orphan.header;
            (header.hlc, header.region, header.index)
                == (position.hlc, position.region, position.index)
        };
        self.orphans.known.values().find(is_it).map(|orphan| orphan.header.hash)
    }

    /// Whether a node's log of a region is the one that is known here: the region was never
    /// sealed, or is back and the node has committed something of its new incarnation.
    pub(crate) fn has_present_log(&self, node: NodeId, region: RegionId) -> bool {
        let present = Some(&self.finality.incarnation(region));
        !self.finality.has_sealed(region)
            || (self.finality.sealed(region).is_none()
                && self.reached.get(&(node, region)) == present)
    }

    /// Whether the rules for any entry speak for this one: its region was never sealed, or is back
    /// and has logged it since.
    pub(crate) fn is_of_present_log(&self, position: &Position, hash: &Hash) -> bool {
        let region = position.region;
        if !self.finality.has_sealed(region) {
            return true;
        }
        self.finality.sealed(region).is_none()
            && self.log(region).hash(position.index) == Some(hash)
            && !self.is_of_sealed_chain(region, position.index)
    }

    /// Whether an entry is of a sealed chain whose region has come back since.
    pub(crate) fn is_of_sealed_chain(&self, region: RegionId, index: LogIndex) -> bool {
        let present = self.finality.incarnation(region);
        self.finality.has_sealed(region)
            && self.header_at(region, index).is_some_and(|header| header.incarnation < present)
    }

    /// Whether a seal had left this submission out.
    pub(crate) fn is_readmitted(&self, position: &Position) -> bool {
        self.finality.has_sealed(position.region)
            && self.header_at(position.region, position.index).is_some_and(|header| {
                header.kind == RecordKind::Readmitted && header.hlc == position.hlc
            })
    }

    /// Where an acknowledged transaction stands in the log of its region: where the answer said, or
    /// where it was logged again after a seal had left it out; `None`: it was not.
    pub(crate) fn index_in_present_log(&self, op_id: OpId, place: &Position) -> Option<LogIndex> {
        let header = self.header_at(place.region, place.index);
        if header.is_some_and(|header| header.hlc == place.hlc) {
            return Some(place.index);
        }
        let records = self.log(place.region).records();
        let has_it = |bytes: &[u8]| {
            let view = RecordView::decode(bytes).ok();
            view.is_some_and(|view| view.submissions().flatten().any(|one| one.op_id == op_id))
        };
        let found = records.iter().position(|bytes| has_it(bytes));
        found.map(|place| place as LogIndex + 1)
    }

    fn header_at(&self, region: RegionId, index: LogIndex) -> Option<RecordHeader> {
        let place = usize::try_from(index).ok()?.checked_sub(1)?;
        header_of(self.log(region).records().get(place)?)
    }

    /// A sentence per region that is not gone and has not come back from its seal, and per region
    /// that has something left to log again, where that is asked for.
    pub(crate) fn awaited_returns(&self, with_orphans: bool) -> Vec<String> {
        let regions = self.genesis.regions.iter().map(|members| members.region);
        let mut awaited = Vec::new();
        for region in regions.filter(|region| !self.is_destroyed(*region)) {
            if self.finality.sealed(region).is_some() {
                awaited.push(format!("region {region} is sealed and was not let in again"));
                continue;
            }
            let waits = |(hash, orphan): &(&Hash, &Orphan)| {
                let is_of_clients = orphan.header.kind == RecordKind::Submissions;
                orphan.header.region == region
                    && is_of_clients
                    && !orphan.operations.is_empty()
                    && self.orphans.readmitted(hash) == 0
            };
            let left = self.orphans.iter().filter(waits).count();
            if with_orphans && left > 0 {
                awaited.push(format!("region {region} has {left} entries to log again"));
            }
        }
        awaited
    }

    /// The operations that were logged behind the sealed end of a region that is gone for good.
    pub(crate) fn lost_behind_seals(&self) -> BTreeSet<OpId> {
        let is_lost = |orphan: &&Orphan| {
            let region = orphan.header.region;
            self.is_destroyed(region) && self.finality.sealed(region).is_some()
        };
        let lost = self.orphans.known.values().filter(is_lost);
        lost.flat_map(|orphan| orphan.operations.iter().copied()).collect()
    }

    /// Whether a read may show what a seal has left out since: it reaches behind the end of the
    /// sealed chain, and its node has not heard of the seal.
    pub(crate) fn may_show_orphans(&self, answer: &ReadAnswer) -> bool {
        let mut outside = self.orphans.outside();
        outside.any(|header| {
            answer.frontier.of(header.region) >= header.index
                && self.has_not_heard(header.region, answer)
        })
    }

    /// The frontier of an answer without what its node names behind the end of a sealed chain
    /// because it has not heard of the seal, as far as that carries no submission: it has the same
    /// books. `None` when there is nothing like it.
    pub(crate) fn without_empty_orphans(&self, answer: &ReadAnswer) -> Option<Frontier> {
        let mut frontier = answer.frontier;
        for header in self.orphans.outside() {
            let is_named = answer.frontier.of(header.region) == header.index;
            if !is_named || !self.has_not_heard(header.region, answer) {
                continue;
            }
            if let Some(end) = self.last_before_empty(header) {
                frontier.set(header.region, end);
            }
        }
        (frontier != answer.frontier).then_some(frontier)
    }

    /// Whether the node that gave an answer had not heard of the last seal of a region.
    fn has_not_heard(&self, region: RegionId, answer: &ReadAnswer) -> bool {
        answer.watermark < self.finality.sealed_at(region)
    }

    /// Walks back from a record outside a sealed chain over others without submissions: where its
    /// region's log begins, if nothing else lies between.
    fn last_before_empty(&self, mut header: RecordHeader) -> Option<LogIndex> {
        let log = self.log(header.region);
        loop {
            let before = header.index.checked_sub(1)?;
            if header.kind.has_submissions() {
                return None;
            }
            if before == 0 || log.hash(before) == Some(&header.prev_hash) {
                return Some(before);
            }
            header = self.orphans.header(&header.prev_hash)?;
        }
    }
}
