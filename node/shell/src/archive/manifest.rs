//! A manifest: what belongs to an archive, written after everything that it names.
//!
//! ```text
//!   0  magic     8    "BILLMAN\x01"
//!   8  crc       u32  CRC32C over the rest
//!  12  format    u8   1
//!  13  cluster   u128
//!  29  sequence  u64  from 1
//!  37  before    32   BLAKE3 of the manifest before; zeros: this one names every piece
//!  69  taken_ms, complete_ms, watermark  u64 each
//!  93  logs      u8 × { incarnation u32, runs u16 × { incarnation u32, first, last u64, hash } }
//!      pieces    u32 × { region u8, incarnation u32, first, last u64, last_hash, bytes u64, hash }
//! ```

use super::piece::PieceEntry;
use super::{MANIFESTS, short};
use billing_wire::codec::Reader;
use billing_wire::{
    ClusterId, DecodeError, Frontier, Hash, Hlc, Incarnation, LogIndex, RegionId, limits,
};

const MAGIC: &[u8; 8] = b"BILLMAN\x01";
const FORMAT: u8 = 1;
const CHECKED_FROM: usize = 12;
const WHAT: &str = "manifest";

/// Records of one incarnation that are part of a region log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Their incarnation.
    pub incarnation: Incarnation,
    /// Index of the first.
    pub first: LogIndex,
    /// Index of the last.
    pub last: LogIndex,
    /// Hash of the last.
    pub last_hash: Hash,
}

/// A region log as an archive has it: its runs follow each other from index 1 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchivedLog {
    /// The region's incarnation; perhaps none of its records are there yet.
    pub incarnation: Incarnation,
    /// What the log consists of.
    pub runs: Vec<Run>,
}

impl ArchivedLog {
    /// Last index; 0 when nothing is archived.
    pub fn last(&self) -> LogIndex {
        self.runs.last().map_or(0, |run| run.last)
    }
}

/// What belongs to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The cluster.
    pub cluster: ClusterId,
    /// From 1.
    pub sequence: u64,
    /// Hash of the manifest before it; `None`: this one names every piece.
    pub before: Option<Hash>,
    /// When it was written, by the clock of who took it, in milliseconds since 1970.
    pub taken_ms: u64,
    /// When the archive last had everything that the node knew to be committed.
    pub complete_ms: u64,
    /// Up to here the merged order is final in the archive, and all of it is there.
    pub watermark: Hlc,
    /// The region logs, in order.
    pub logs: Vec<ArchivedLog>,
    /// Pieces that no manifest named before.
    pub pieces: Vec<PieceEntry>,
}

impl Manifest {
    /// How many entries of each region log are archived.
    pub fn frontier(&self) -> Frontier {
        let mut frontier = Frontier::default();
        for (log, place) in self.logs.iter().zip(0..) {
            frontier.set(RegionId(place), log.last());
        }
        frontier
    }

    /// Whether an archive has not had everything for longer than `bound_ms`. One without a
    /// manifest never had. Who takes it refreshes a manifest in less than that.
    pub fn is_late(newest: Option<&Self>, now_ms: u64, bound_ms: u64) -> bool {
        newest.is_none_or(|manifest| manifest.complete_ms.saturating_add(bound_ms) < now_ms)
    }

    /// The object's name.
    pub fn name(sequence: u64, hash: &Hash) -> String {
        format!("{MANIFESTS}{sequence:020}-{}.manifest", short(hash))
    }

    /// The object.
    ///
    /// # Panics
    /// With more than 65,535 incarnations of a region.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.pieces.len() * 96);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.push(FORMAT);
        out.extend_from_slice(&self.cluster.0.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.before.unwrap_or_default());
        for word in [self.taken_ms, self.complete_ms, self.watermark.0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.push(self.logs.len() as u8);
        for log in &self.logs {
            out.extend_from_slice(&log.incarnation.0.to_le_bytes());
            let runs = u16::try_from(log.runs.len()).expect("a seal each");
            out.extend_from_slice(&runs.to_le_bytes());
            for run in &log.runs {
                put_range(&mut out, run.incarnation, run.first, run.last);
                out.extend_from_slice(&run.last_hash);
            }
        }
        out.extend_from_slice(&(self.pieces.len() as u32).to_le_bytes());
        for piece in &self.pieces {
            out.push(piece.region.0);
            put_range(&mut out, piece.incarnation, piece.first, piece.last);
            out.extend_from_slice(&piece.last_hash);
            out.extend_from_slice(&piece.bytes.to_le_bytes());
            out.extend_from_slice(&piece.hash);
        }
        let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
        out[8..CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Whatever is not what [`Manifest::encode`] writes.
    pub fn decode(object: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, object);
        let magic = r.take(8)?;
        let stored = r.u32()?;
        let computed = crc32c::crc32c(&object[CHECKED_FROM..]);
        if magic != MAGIC || stored != computed {
            return Err(DecodeError::Checksum { what: WHAT, stored, computed });
        }
        let found = r.u8()?;
        if found != FORMAT {
            return Err(DecodeError::Version { what: WHAT, found, expected: FORMAT });
        }
        let (cluster, sequence) = (ClusterId(r.u128()?), r.u64()?);
        let before = Some(r.hash()?).filter(|hash| *hash != Hash::default());
        let (taken_ms, complete_ms, watermark) = (r.u64()?, r.u64()?, Hlc(r.u64()?));
        let count = r.u8()?;
        r.at_most("logs", count.into(), limits::REGIONS_MAX as u64)?;
        let logs = (0..count).map(|_| log(&mut r)).collect::<Result<_, _>>()?;
        let count = r.u32()?;
        let pieces = (0..count).map(|_| piece(&mut r)).collect::<Result<_, _>>()?;
        r.finish()?;
        Ok(Self { cluster, sequence, before, taken_ms, complete_ms, watermark, logs, pieces })
    }
}

fn put_range(out: &mut Vec<u8>, incarnation: Incarnation, first: LogIndex, last: LogIndex) {
    out.extend_from_slice(&incarnation.0.to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&last.to_le_bytes());
}

fn log(r: &mut Reader<'_>) -> Result<ArchivedLog, DecodeError> {
    let incarnation = Incarnation(r.u32()?);
    let count = r.u16()?;
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..count {
        let run = Run {
            incarnation: Incarnation(r.u32()?),
            first: r.u64()?,
            last: r.u64()?,
            last_hash: r.hash()?,
        };
        let expected = runs.last().map_or(1, |before| before.last.saturating_add(1));
        if run.first != expected || run.last < run.first {
            let (field, found) = ("a run that does not follow: first", run.first);
            return Err(DecodeError::OutOfRange { what: WHAT, field, found, limit: expected });
        }
        runs.push(run);
    }
    Ok(ArchivedLog { incarnation, runs })
}

fn piece(r: &mut Reader<'_>) -> Result<PieceEntry, DecodeError> {
    let region = RegionId(r.u8()?);
    r.at_most("region", region.0.into(), limits::REGIONS_MAX as u64 - 1)?;
    Ok(PieceEntry {
        region,
        incarnation: Incarnation(r.u32()?),
        first: r.u64()?,
        last: r.u64()?,
        last_hash: r.hash()?,
        bytes: r.u64()?,
        hash: r.hash()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{ArchivedLog, Manifest, Run};
    use crate::archive::piece::{self, PieceEntry};
    use billing_wire::{ClusterId, Hlc, Incarnation, Record, RecordHeader, RegionId, RegionMode};
    use bytes::Bytes;

    /// Records that follow each other.
    fn records(count: u64) -> Vec<Bytes> {
        let mut before: Option<RecordHeader> = None;
        let mut next = |_| {
            let incarnation = Incarnation(2);
            let header = RecordHeader::derived_noop(RegionId(1), incarnation, 3, before.as_ref());
            let mut record = Record { header, submissions: Vec::new() };
            let bytes = Bytes::from(record.encode());
            assert_eq!(record.header.mode, RegionMode::Geo);
            before = Some(record.header);
            bytes
        };
        (0..count).map(&mut next).collect()
    }

    fn manifest(pieces: Vec<PieceEntry>) -> Manifest {
        let run = Run { incarnation: Incarnation(2), first: 1, last: 5, last_hash: [7; 32] };
        let log = ArchivedLog { incarnation: Incarnation(3), runs: vec![run] };
        Manifest {
            cluster: ClusterId(99),
            sequence: 12,
            before: Some([1; 32]),
            taken_ms: 5,
            complete_ms: 4,
            watermark: Hlc(77),
            logs: vec![ArchivedLog::default(), log],
            pieces,
        }
    }

    #[test]
    fn what_is_written_is_read_and_no_flipped_bit_is_believed() {
        let records = records(5);
        let (entry, object) = piece::encode(ClusterId(99), &records);
        let read = piece::decode(&object).expect("it is whole");
        assert_eq!((read.records, read.first, read.last_hash), (records, 1, entry.last_hash));
        let manifest = manifest(vec![entry]);
        let other = manifest.encode();
        assert_eq!(Manifest::decode(&other), Ok(manifest));
        for (object, is_piece) in [(object, true), (other, false)] {
            for bit in 0..object.len() * 8 {
                let mut bad = object.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let is_refused = match is_piece {
                    true => piece::decode(&bad).is_err(),
                    false => Manifest::decode(&bad).is_err(),
                };
                assert!(is_refused, "bit {bit}");
            }
            for length in 0..object.len() {
                let short = &object[..length];
                assert!(piece::decode(short).is_err() && Manifest::decode(short).is_err());
            }
        }
    }

    #[test]
    fn an_archive_is_late_by_its_own_word() {
        let manifest = manifest(Vec::new());
        assert!(Manifest::is_late(None, 0, 10));
        assert!(!Manifest::is_late(Some(&manifest), 14, 10));
        assert!(Manifest::is_late(Some(&manifest), 15, 10), "taken later, but not complete");
    }
}
