//! The superblock: what a node promised, kept apart from the logs, so that a torn tail and a
//! rotten record can never look alike (billing.md §8).
//!
//! One file of four slots, [`SLOT_STRIDE`] bytes apart. Sequence n is written twice, to the slots
//! 2·(n mod 2) and 2·(n mod 2)+1, then synced once. A power cut can only damage the pair of its
//! own sequence; the pair before is whole. A slot is one sector: a disk writes it whole or not at
//! all, and one that does not was at work at one place when the power went, not at two. So a power
//! cut leaves a copy in each pair, a new one or an old one; a pair of which neither verifies was
//! damaged later, and nobody knows any more what it promised.
//!
//! ```text
//!   0  magic     8    "BILLSUP\x01"
//!   8  crc       u32  CRC32C over bytes 12..SLOT_BYTES
//!  12  format    u8   1
//!  13  regions   u8
//!  14  node      u16
//!  16  cluster   u64  low half of the cluster id
//!  24  sequence  u64
//!  32  regions × { region u8, fenced u8, forgotten u8, generation u8, incarnation u32,
//!                  term u64, vote u64, commit u64, durable_index u64, last_hash 32,
//!                  tail_segment u32, reserved 4 }
//! 432  10 × { node u16, sequence 6 }: the highest of other nodes that this one has seen
//! ```

use crate::io::{DiskStep, FileName};
use billing_wire::codec::Reader;
use billing_wire::{Hash, Incarnation, LogIndex, NodeId, RegionId, Term};
use bytes::Bytes;

/// Distance of two slots in bytes: no sector is shared.
pub const SLOT_STRIDE: u64 = 4096;
/// Bytes of a slot that are written: one disk sector, enough for five regions.
pub const SLOT_BYTES: usize = 512;
/// Slots in the file.
pub const SLOTS: u64 = 4;
const FORMAT: u8 = 1;
const MAGIC: &[u8; 8] = b"BILLSUP\x01";
const CHECKED_FROM: usize = 12;
const HEADER_BYTES: usize = 32;
const REGION_BYTES: usize = 80;
const SEEN_AT: usize = SLOT_BYTES - SEEN_MAX * 8;
const SEEN_MAX: usize = 10;

/// What a node promised about one region log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionPromise {
    /// The region log.
    pub region: RegionId,
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// This node has told where the log ends and takes no more of this incarnation.
    pub fenced: bool,
    /// The node lost what it promised before: it takes part in nothing before it was let in again.
    pub forgotten: bool,
    /// Tells the node's messages from those of a life before that.
    pub generation: u8,
    /// Raft term.
    pub term: Term,
    /// For whom the node voted in that term; 0 for nobody.
    pub vote: u64,
    /// An index that is known to be committed; may lag.
    pub commit: LogIndex,
    /// Every record up to here is synced.
    pub durable_index: LogIndex,
    /// Hash of the record at `durable_index`; zeros for an empty log.
    pub last_hash: Hash,
    /// The segment that holds that record; later segments are not part of the log.
    pub tail_segment: u32,
}

impl RegionPromise {
    /// The promise of an empty log.
    pub fn empty(region: RegionId, incarnation: Incarnation) -> Self {
        Self {
            region,
            incarnation,
            fenced: false,
            forgotten: false,
            generation: 0,
            term: 0,
            vote: 0,
            commit: 0,
            durable_index: 0,
            last_hash: [0; 32],
            tail_segment: 0,
        }
    }
}

/// Everything that a node promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// The node.
    pub node: NodeId,
    /// Low half of the cluster id.
    pub cluster: u64,
    /// Increases with each write.
    pub sequence: u64,
    /// Per region log, ascending.
    pub regions: Vec<RegionPromise>,
    /// The highest sequences of other nodes of the region that this one has seen.
    pub seen: Vec<(NodeId, u64)>,
}

impl Superblock {
    /// The promise about a region log.
    pub fn region(&self, region: RegionId) -> Option<&RegionPromise> {
        self.regions.iter().find(|promise| promise.region == region)
    }

    /// The bytes of one slot.
    ///
    /// # Panics
    /// With more regions than fit: `limits::REGIONS_MAX` do.
    pub fn encode(&self) -> Bytes {
        let end = HEADER_BYTES + self.regions.len() * REGION_BYTES;
        assert!(end <= SEEN_AT && self.seen.len() <= SEEN_MAX, "it fits a sector");
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[FORMAT, self.regions.len() as u8]);
        out.extend_from_slice(&self.node.0.to_le_bytes());
        out.extend_from_slice(&self.cluster.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        for promise in &self.regions {
            let (fenced, forgotten) = (promise.fenced.into(), promise.forgotten.into());
            out.extend_from_slice(&[promise.region.0, fenced, forgotten, promise.generation]);
            out.extend_from_slice(&promise.incarnation.0.to_le_bytes());
            for word in [promise.term, promise.vote, promise.commit, promise.durable_index] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&promise.last_hash);
            out.extend_from_slice(&promise.tail_segment.to_le_bytes());
            out.extend_from_slice(&[0; 4]);
        }
        out.resize(SEEN_AT, 0);
        for (node, sequence) in &self.seen {
            out.extend_from_slice(&(u64::from(node.0) | sequence << 16).to_le_bytes());
        }
        out.resize(SLOT_BYTES, 0);
        let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
        out[8..CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
        Bytes::from(out)
    }

    /// Reads a slot; `None` when it does not verify, which at most a torn write explains.
    pub fn decode(slot: &[u8]) -> Option<Self> {
        let mut r = Reader::new("superblock", slot.get(..SLOT_BYTES)?);
        let magic = r.take(8).ok()?;
        let crc = r.u32().ok()?;
        if magic != MAGIC || crc != crc32c::crc32c(&slot[CHECKED_FROM..SLOT_BYTES]) {
            return None;
        }
        let (format, count) = (r.u8().ok()?, r.u8().ok()?);
        if format != FORMAT || HEADER_BYTES + usize::from(count) * REGION_BYTES > SEEN_AT {
            return None;
        }
        let node = NodeId(r.u16().ok()?);
        let (cluster, sequence) = (r.u64().ok()?, r.u64().ok()?);
        let regions = (0..count).map(|_| promise(&mut r)).collect::<Option<_>>()?;
        let words = slot[SEEN_AT..SLOT_BYTES].as_chunks::<8>().0.iter();
        let seen = words.map(|word| u64::from_le_bytes(*word)).filter(|word| *word != 0);
        let seen = seen.map(|word| (NodeId(word as u16), word >> 16)).collect();
        Some(Self { node, cluster, sequence, regions, seen })
    }

    /// Reads the file: the slot with the highest sequence, and how many of the slots that were
    /// ever written do not verify, or are older than the copy beside them. `None` when no slot
    /// verifies.
    pub fn newest(file: &[u8]) -> Option<(Self, usize)> {
        let mut newest: Option<Self> = None;
        let (mut damaged, mut empty) = (0, 0);
        let mut sequences = [None; SLOTS as usize];
        for (i, sequence) in sequences.iter_mut().enumerate() {
            let at = i * SLOT_STRIDE as usize;
            let slot = file.get(at..at + SLOT_BYTES).unwrap_or_default();
            let found = Self::decode(slot);
            *sequence = found.as_ref().map(|found| found.sequence);
            match found {
                Some(found) if newest.as_ref().is_none_or(|n| n.sequence < found.sequence) => {
                    newest = Some(found);
                }
                Some(_) => {}
                None if slot.iter().any(|byte| *byte != 0) => damaged += 1,
                None => empty += 1,
            }
        }
        // The second superblock filled the slots that the first one left.
        newest.map(|newest| {
            let lacks = if newest.sequence > 1 { damaged + empty } else { damaged };
            let is_one_old =
                |pair: &&[Option<u64>]| matches!(**pair, [Some(one), Some(other)] if one != other);
            (newest, lacks + sequences.chunks(2).filter(is_one_old).count())
        })
    }

    /// Whether both copies of a superblock were lost, beside the newest that is left: it may have
    /// been newer than that one.
    pub fn is_pair_lost(file: &[u8]) -> bool {
        let Some((newest, _)) = Self::newest(file) else { return false };
        let slots: Vec<&[u8]> = (0..SLOTS as usize)
            .map(|slot| slot * SLOT_STRIDE as usize)
            .map(|at| file.get(at..at + SLOT_BYTES).unwrap_or_default())
            .collect();
        // The second superblock filled the slots that the first one left.
        let was_written = |slot: &[u8]| newest.sequence > 1 || slot.iter().any(|byte| *byte != 0);
        let is_lost = |slot: &&[u8]| Self::decode(slot).is_none() && was_written(slot);
        slots.chunks(2).any(|pair| pair.iter().all(is_lost))
    }

    /// The steps that write and sync this superblock.
    pub fn steps(&self, out: &mut Vec<DiskStep>) {
        let file = FileName::Superblock;
        let bytes = self.encode();
        let first = 2 * (self.sequence % 2) * SLOT_STRIDE;
        out.push(DiskStep::Write { file, offset: first, bytes: bytes.clone() });
        out.push(DiskStep::Write { file, offset: first + SLOT_STRIDE, bytes });
        out.push(DiskStep::Sync { file });
    }
}

fn promise(r: &mut Reader<'_>) -> Option<RegionPromise> {
    let region = RegionId(r.u8().ok()?);
    let found = RegionPromise {
        region,
        fenced: r.u8().ok()? != 0,
        forgotten: r.u8().ok()? != 0,
        generation: r.u8().ok()?,
        incarnation: Incarnation(r.u32().ok()?),
        term: r.u64().ok()?,
        vote: r.u64().ok()?,
        commit: r.u64().ok()?,
        durable_index: r.u64().ok()?,
        last_hash: r.hash().ok()?,
        tail_segment: r.u32().ok()?,
    };
    r.take(4).ok()?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{RegionPromise, SLOT_BYTES, SLOT_STRIDE, Superblock};
    use crate::io::DiskStep;
    use billing_wire::{Incarnation, NodeId, RegionId};

    fn superblock(sequence: u64) -> Superblock {
        let promise = |r| RegionPromise {
            term: sequence,
            vote: 2,
            durable_index: 10 * sequence,
            ..RegionPromise::empty(RegionId(r), Incarnation(0))
        };
        let regions = (0..5).map(promise).collect();
        let seen = vec![(NodeId(1), sequence + 1), (NodeId(9), 1 << 40)];
        Superblock { node: NodeId(3), cluster: 77, sequence, regions, seen }
    }

    fn write(file: &mut Vec<u8>, superblock: &Superblock) {
        let mut steps = Vec::new();
        superblock.steps(&mut steps);
        for step in steps {
            let DiskStep::Write { offset, bytes, .. } = step else { continue };
            let end = offset as usize + bytes.len();
            file.resize(file.len().max(end), 0);
            file[offset as usize..end].copy_from_slice(&bytes);
        }
    }

    #[test]
    fn the_newest_whole_pair_wins() {
        let mut file = Vec::new();
        assert!(Superblock::newest(&file).is_none());
        for sequence in 1..=5 {
            write(&mut file, &superblock(sequence));
        }
        assert_eq!(Superblock::newest(&file), Some((superblock(5), 0)));
        // One copy of sequence 5 rots: the other serves. Both torn: sequence 4 serves.
        let pair = 2 * SLOT_STRIDE as usize;
        file[pair + 40] ^= 1;
        assert_eq!(Superblock::newest(&file), Some((superblock(5), 1)));
        assert!(!Superblock::is_pair_lost(&file));
        file[pair + SLOT_STRIDE as usize + SLOT_BYTES - 1] ^= 1;
        assert_eq!(Superblock::newest(&file), Some((superblock(4), 2)));
        assert!(Superblock::is_pair_lost(&file), "sequence 4 need not have been the last one");
    }

    #[test]
    fn a_pair_that_was_never_written_is_not_lost() {
        let mut file = Vec::new();
        assert!(!Superblock::is_pair_lost(&file), "nothing is known");
        write(&mut file, &superblock(1));
        assert!(!Superblock::is_pair_lost(&file));
        write(&mut file, &superblock(2));
        write(&mut file, &superblock(3));
        assert!(!Superblock::is_pair_lost(&file));
        file[2 * SLOT_STRIDE as usize..].fill(0);
        assert!(Superblock::is_pair_lost(&file), "it was written before it became zeros");
    }

    #[test]
    fn a_copy_that_became_zeros_is_damaged_once_every_slot_was_written() {
        let mut file = Vec::new();
        write(&mut file, &superblock(1));
        assert_eq!(Superblock::newest(&file), Some((superblock(1), 0)));
        write(&mut file, &superblock(2));
        file[3 * SLOT_STRIDE as usize..][..SLOT_BYTES].fill(0);
        assert_eq!(Superblock::newest(&file), Some((superblock(2), 1)));
        write(&mut file, &superblock(3));
        let old = file[SLOT_STRIDE as usize..][..SLOT_BYTES].to_vec();
        write(&mut file, &superblock(4));
        assert_eq!(Superblock::newest(&file), Some((superblock(4), 0)));
        file[SLOT_STRIDE as usize..][..SLOT_BYTES].copy_from_slice(&old);
        assert_eq!(Superblock::newest(&file), Some((superblock(4), 1)), "a write went astray");
    }

    #[test]
    fn no_flipped_bit_is_believed() {
        let good = superblock(9).encode();
        for bit in 0..SLOT_BYTES * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Superblock::decode(&bad), None, "bit {bit}");
        }
    }
}
