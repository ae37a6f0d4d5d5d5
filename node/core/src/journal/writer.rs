//! The journal's writing side: gathers records and hard states while a persist runs, and turns
//! them into the steps of the next one: records, sync, superblock, sync.

use super::GENERATION_MAX;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use super::superblock::{RegionPromise, Superblock};
use crate::io::{DiskStep, FileName};
use crate::{canary, sometimes};
use billing_wire::{
    ClusterId, Genesis, Hash, Incarnation, LogIndex, NodeId, RecordHeader, RegionId, RegionMembers,
    Term,
};
use bytes::Bytes;

/// So many milliseconds a node is told of the same third one.
const TURN: u64 = 64;

/// Where the next record of a region log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The segment; 0 before the first.
    pub segment: u32,
    /// Offset of the first free byte in it.
    pub offset: u64,
}

impl Tail {
    /// The offset behind which nothing is appended: the next record starts a segment.
    pub const FULL: u64 = u64::MAX;
}

/// Bytes that wait for the next persist, all for one segment.
#[derive(Debug)]
struct Stretch {
    segment: u32,
    offset: u64,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct RegionWriter {
    promise: RegionPromise,
    tail: Tail,
    stretches: Vec<Stretch>,
}

/// Gathers what must become durable.
#[derive(Debug)]
pub struct Writer {
    cluster: ClusterId,
    segment_bytes: u64,
    superblock: Superblock,
    regions: Vec<RegionWriter>,
    dirty: bool,
    /// So many superblocks are written although nothing changed.
    renewals: u8,
    pending_bytes: usize,
}

impl Writer {
    /// A writer behind what recovery found.
    pub fn new(
        cluster: ClusterId,
        segment_bytes: u64,
        superblock: Superblock,
        tails: &[Tail],
    ) -> Self {
        assert_eq!(superblock.regions.len(), tails.len(), "a tail per region log");
        let regions = superblock
            .regions
            .iter()
            .zip(tails)
            .map(|(promise, tail)| RegionWriter {
                promise: *promise,
                tail: *tail,
                stretches: Vec::new(),
            })
            .collect();
        Self {
            cluster,
            segment_bytes,
            superblock,
            regions,
            dirty: false,
            renewals: 0,
            pending_bytes: 0,
        }
    }

    /// Takes a record that follows the last one, or replaces a suffix.
    ///
    /// # Panics
    /// When it leaves a gap.
    pub fn append(&mut self, header: &RecordHeader, bytes: &Bytes) {
        let region = &mut self.regions[usize::from(header.region.0)];
        let last = region.promise.durable_index;
        assert!(header.index <= last + 1, "record {} leaves a gap behind {last}", header.index);
        let replaces = header.index <= last;
        let full = region.tail.offset >= self.segment_bytes;
        if region.tail.segment == 0 || replaces || full {
            if replaces {
                sometimes!("log-suffix-replaced");
            } else if full {
                sometimes!("segment-sealed");
            }
            let incarnation = region.promise.incarnation;
            region.start_segment(self.cluster, incarnation, header.index, header.prev_hash);
        }
        region.put(bytes);
        region.promise.durable_index = header.index;
        region.promise.last_hash = header.hash;
        region.promise.tail_segment = region.tail.segment;
        self.pending_bytes += bytes.len();
        self.dirty = true;
    }

    /// Takes a new term and vote, which must be durable before the node acts on them.
    pub fn hard_state(&mut self, region: RegionId, term: Term, vote: u64) {
        let promise = &mut self.regions[usize::from(region.0)].promise;
        promise.term = term;
        promise.vote = vote;
        self.dirty = true;
    }

    /// Takes the promise to accept no more of a region log's incarnation.
    pub fn fence(&mut self, region: RegionId) {
        self.regions[usize::from(region.0)].promise.fenced = true;
        self.dirty = true;
    }

    /// Begins the next incarnation of a region log behind its record at `kept`. What lies behind
    /// stays in the earlier segments, where recovery finds it as orphans.
    ///
    /// # Panics
    /// When the log does not reach `kept`.
    pub fn reincarnate(
        &mut self,
        region: RegionId,
        incarnation: Incarnation,
        kept: (LogIndex, Hash),
    ) {
        let (cluster, region) = (self.cluster, &mut self.regions[usize::from(region.0)]);
        let (durable_index, last_hash) = kept;
        assert!(durable_index <= region.promise.durable_index, "the log ends before {kept:?}");
        region.start_segment(cluster, incarnation, durable_index + 1, last_hash);
        region.promise = RegionPromise {
            incarnation,
            fenced: false,
            forgotten: false,
            durable_index,
            last_hash,
            tail_segment: region.tail.segment,
            ..region.promise
        };
        self.dirty = true;
    }

    /// Takes a commit index; it rides along with the next persist and needs none of its own.
    pub fn commit(&mut self, region: RegionId, index: LogIndex) {
        self.regions[usize::from(region.0)].promise.commit = index;
    }

    /// Last index that was handed to a persist or waits for one.
    pub fn durable_index(&self, region: RegionId) -> LogIndex {
        self.superblock.region(region).map_or(0, |promise| promise.durable_index)
    }

    /// Sequence of the last superblock that was handed to a persist.
    pub fn sequence(&self) -> u64 {
        self.superblock.sequence
    }

    /// Another node of the region has presented a superblock of this sequence. It rides along with
    /// the next persist and needs none of its own.
    pub fn note_seen(&mut self, node: NodeId, sequence: u64) {
        match self.superblock.seen.iter_mut().find(|(known, _)| *known == node) {
            Some((_, seen)) => *seen = sequence.max(*seen),
            None if sequence > 0 => self.superblock.seen.push((node, sequence)),
            None => {}
        }
    }

    /// The highest sequence of another node of the region that was seen.
    pub fn seen(&self, node: NodeId) -> u64 {
        let mut seen = self.superblock.seen.iter();
        seen.find(|(known, _)| *known == node).map_or(0, |(_, seen)| *seen)
    }

    /// What was seen of another one than `node`: each in its turn, which is a number that grows.
    pub fn seen_of_another(&self, node: NodeId, turn: u64) -> (NodeId, u64) {
        let seen = &self.superblock.seen;
        let of = |place: u64| seen.get((place % seen.len().max(1) as u64) as usize).copied();
        let place = turn / TURN;
        let other = of(place).filter(|(other, _)| *other != node).or_else(|| of(place + 1));
        other.filter(|(other, _)| *other != node).unwrap_or_default()
    }

    /// The next superblock has a higher sequence than this one.
    pub fn jump_to(&mut self, sequence: u64) {
        let last = self.superblock.sequence;
        if last < sequence {
            // The next one must not be written over the last one.
            self.superblock.sequence = sequence + ((sequence ^ last) & 1);
            self.renew_superblock();
        }
    }

    /// The steps that make a superblock durable of a node that forgot what it promised.
    pub fn forgotten(&mut self, genesis: &Genesis, sequence: u64) -> Vec<DiskStep> {
        let regions = genesis.regions.iter().zip(&self.regions);
        let promise = |(members, region): (&RegionMembers, &RegionWriter)| RegionPromise {
            forgotten: true,
            generation: region.promise.generation % GENERATION_MAX + 1,
            tail_segment: region.tail.segment + u32::from(region.tail.segment > 0),
            ..RegionPromise::empty(members.region, members.incarnation)
        };
        self.superblock.regions = regions.map(promise).collect();
        // It must not be written over the last one.
        self.superblock.sequence = sequence + (!(sequence ^ self.superblock.sequence) & 1);
        let mut steps = Vec::with_capacity(3);
        self.superblock.steps(&mut steps);
        steps
    }

    /// Writes every copy of the superblock again: both pairs, one after the other.
    pub fn renew_superblock(&mut self) {
        self.renewals = 2;
    }

    /// Whether something waits for a persist.
    pub fn is_dirty(&self) -> bool {
        self.dirty || self.renewals > 0
    }

    /// Bytes of records that wait.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// The steps of the next persist; everything gathered so far is in them.
    pub fn take_steps(&mut self) -> Vec<DiskStep> {
        let mut steps = Vec::with_capacity(5);
        for region in &mut self.regions {
            let name = region.promise.region;
            for stretch in region.stretches.drain(..) {
                let file = FileName::Segment { region: name, sequence: stretch.segment };
                let (offset, bytes) = (stretch.offset, Bytes::from(stretch.bytes));
                steps.push(DiskStep::Write { file, offset, bytes });
                steps.push(DiskStep::Sync { file });
            }
        }
        self.superblock.sequence += 1;
        for (promise, region) in self.superblock.regions.iter_mut().zip(&self.regions) {
            // A commit index beyond the durable log would promise what is not there.
            let commit = region.promise.commit.min(region.promise.durable_index);
            *promise = RegionPromise { commit, ..region.promise };
        }
        let records = steps.len();
        self.superblock.steps(&mut steps);
        if canary!("superblock-before-records") {
            steps.rotate_left(records);
        }
        self.dirty = false;
        self.renewals = self.renewals.saturating_sub(1);
        self.pending_bytes = 0;
        steps
    }
}

impl RegionWriter {
    fn start_segment(
        &mut self,
        cluster: ClusterId,
        incarnation: Incarnation,
        first_index: LogIndex,
        prev_hash: Hash,
    ) {
        self.tail = Tail { segment: self.tail.segment + 1, offset: 0 };
        let header = SegmentHeader {
            region: self.promise.region,
            cluster,
            incarnation,
            sequence: self.tail.segment,
            first_index,
            prev_hash,
        };
        let mut bytes = Vec::with_capacity(4 * SEGMENT_HEADER_BYTES);
        header.encode(&mut bytes);
        self.tail.offset = bytes.len() as u64;
        self.stretches.push(Stretch { segment: self.tail.segment, offset: 0, bytes });
    }

    fn put(&mut self, bytes: &Bytes) {
        let Tail { segment, offset } = self.tail;
        match self.stretches.last_mut() {
            Some(stretch) if stretch.segment == segment => stretch.bytes.extend_from_slice(bytes),
            _ => self.stretches.push(Stretch { segment, offset, bytes: bytes.to_vec() }),
        }
        self.tail.offset += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::{Superblock, TURN, Writer};
    use billing_wire::{ClusterId, NodeId};

    fn writer() -> Writer {
        let (regions, seen) = (Vec::new(), Vec::new());
        let superblock = Superblock { node: NodeId(1), cluster: 77, sequence: 1, regions, seen };
        Writer::new(ClusterId(77), 300, superblock, &[])
    }

    #[test]
    fn a_node_is_told_of_each_of_the_others_in_its_turn() {
        let mut writer = writer();
        let seen = [(NodeId(2), 20), (NodeId(3), 30), (NodeId(4), 40)];
        seen.iter().for_each(|(node, sequence)| writer.note_seen(*node, *sequence));
        // Whoever is told knows of himself: the one behind him has his turn, too.
        for (told, others) in [
            (NodeId(9), [seen[0], seen[1], seen[2]]),
            (NodeId(2), [seen[1], seen[1], seen[2]]),
            (NodeId(4), [seen[0], seen[1], seen[0]]),
        ] {
            for turn in 0..6 * TURN {
                let expected = others[(turn / TURN % 3) as usize];
                assert_eq!(writer.seen_of_another(told, turn), expected, "{told:?}, {turn}");
            }
        }
    }

    #[test]
    fn nobody_is_told_of_where_nobody_else_was_seen() {
        let mut writer = writer();
        let nobody = (NodeId::default(), 0);
        assert_eq!(writer.seen_of_another(NodeId(2), TURN), nobody);
        writer.note_seen(NodeId(2), 20);
        assert_eq!(writer.seen_of_another(NodeId(2), TURN), nobody);
    }
}
