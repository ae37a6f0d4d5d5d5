//! A segment: a stretch of one region log in one file. Records are never overwritten: when
//! consensus replaces a suffix, a new segment starts, and from its first index on it hides what
//! earlier segments hold.
//!
//! ```text
//!   0  magic       8   "BILLSEG\x01"
//!   8  crc         u32 CRC32C over bytes 12..80
//!  12  format      u8  1
//!  13  region      u8
//!  14  reserved    u16
//!  16  cluster     u128
//!  32  incarnation u32
//!  36  sequence    u32
//!  40  first_index u64
//!  48  prev_hash   32  hash of the record before the first one
//!  80  records
//! ```

use billing_wire::codec::Reader;
use billing_wire::{ClusterId, Hash, Incarnation, LogIndex, RecordView, RegionId};
use bytes::Bytes;

/// Bytes before the first record.
pub const SEGMENT_HEADER_BYTES: usize = 80;
const FORMAT: u8 = 1;
const MAGIC: &[u8; 8] = b"BILLSEG\x01";
const CHECKED_FROM: usize = 12;

/// The fixed part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The region log.
    pub region: RegionId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// Creation order within the region log, from 1.
    pub sequence: u32,
    /// Index of the first record.
    pub first_index: LogIndex,
    /// Hash of the record before it.
    pub prev_hash: Hash,
}

impl SegmentHeader {
    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[FORMAT, self.region.0, 0, 0]);
        out.extend_from_slice(&self.cluster.0.to_le_bytes());
        out.extend_from_slice(&self.incarnation.0.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.first_index.to_le_bytes());
        out.extend_from_slice(&self.prev_hash);
        let crc = crc32c::crc32c(&out[start + CHECKED_FROM..]);
        out[start + 8..start + CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a header; `None` when it does not verify.
    pub fn decode(file: &[u8]) -> Option<Self> {
        let bytes = file.get(..SEGMENT_HEADER_BYTES)?;
        let mut r = Reader::new("segment", bytes);
        let magic = r.take(8).ok()?;
        let crc = r.u32().ok()?;
        if magic != MAGIC || crc != crc32c::crc32c(&bytes[CHECKED_FROM..]) || r.u8().ok()? != FORMAT
        {
            return None;
        }
        let region = RegionId(r.u8().ok()?);
        r.take(2).ok()?;
        Some(Self {
            region,
            cluster: ClusterId(r.u128().ok()?),
            incarnation: Incarnation(r.u32().ok()?),
            sequence: r.u32().ok()?,
            first_index: r.u64().ok()?,
            prev_hash: r.hash().ok()?,
        })
    }
}

/// A record of a segment: where it ends in the file, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Offset of the first byte behind it.
    pub end: u64,
    /// The encoded record.
    pub bytes: Bytes,
}

/// The records of a segment from its start up to the first that does not verify or does not
/// follow its predecessor. What lies behind is torn, or was never written.
pub fn scan(header: &SegmentHeader, file: &Bytes) -> Vec<Placed> {
    let mut records = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    let mut next = header.first_index;
    let mut prev_hash = header.prev_hash;
    while let Ok(length) = RecordView::length(&file[at..]) {
        if file.len() - at < length {
            break;
        }
        let Ok(view) = RecordView::decode(&file[at..at + length]) else { break };
        let found = &view.header;
        if found.index != next || found.prev_hash != prev_hash || found.region != header.region {
            break;
        }
        next += 1;
        prev_hash = found.hash;
        at += length;
        records.push(Placed { end: at as u64, bytes: file.slice(at - length..at) });
    }
    records
}
