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

use crate::canary;
use billing_wire::codec::Reader;
use billing_wire::{
    ClusterId, Hash, Incarnation, LogIndex, RecordHeader, RecordView, RegionId, record,
};
use bytes::Bytes;

/// Bytes before the first record.
pub const SEGMENT_HEADER_BYTES: usize = 80;
const FORMAT: u8 = 1;
/// Where a record says of which format and region it is.
const RECORD_FORMAT_AT: usize = 8;
const RECORD_REGION_AT: usize = 10;
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

/// A record of a segment: its header, where it ends in the file, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its fixed part.
    pub header: RecordHeader,
    /// Offset of the first byte behind it.
    pub end: u64,
    /// The encoded record.
    pub bytes: Bytes,
}

/// The records of a segment from its start up to the first that does not verify or does not
/// follow its predecessor. What lies behind is torn, damaged, or was never written.
pub fn scan(header: &SegmentHeader, file: &Bytes) -> Vec<Placed> {
    let mut records = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    let mut next = header.first_index;
    let mut prev_hash = header.prev_hash;
    while let Some(found) = read_record(file, at) {
        let record = &found.header;
        if record.index != next || record.prev_hash != prev_hash || record.region != header.region {
            break;
        }
        next += 1;
        prev_hash = record.hash;
        at = found.end as usize;
        records.push(found);
    }
    records
}

/// Every record of a region log that verifies at or behind `from`, wherever it begins: what is
/// left of a damaged segment. They need not follow each other.
pub fn salvage(region: RegionId, file: &Bytes, from: usize) -> Vec<Placed> {
    let mut records = Vec::new();
    let mut at = from;
    while at < file.len() {
        let found = if may_begin(region, file, at) { read_record(file, at) } else { None };
        match found.filter(|found| found.header.region == region) {
            Some(found) => {
                at = found.end as usize;
                records.push(found);
            }
            None => at += 1,
        }
    }
    records
}

/// Whether a record of a region log may begin here, by the bytes that are the same in all.
fn may_begin(region: RegionId, file: &[u8], at: usize) -> bool {
    file.get(at + RECORD_FORMAT_AT).is_some_and(|format| *format == record::RECORD_FORMAT)
        && file.get(at + RECORD_REGION_AT).is_some_and(|found| *found == region.0)
}

fn read_record(file: &Bytes, at: usize) -> Option<Placed> {
    let length = RecordView::length(file.get(at..)?).ok()?;
    let bytes = file.get(at..at + length).map(|_| file.slice(at..at + length))?;
    let bytes = if canary!("checksum-not-verified-on-read") { trusted(&bytes) } else { bytes };
    let header = RecordView::decode(&bytes).ok()?.header;
    Some(Placed { header, end: (at + length) as u64, bytes })
}

/// A record as it is, under a checksum that fits.
#[cfg(feature = "canaries")]
fn trusted(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    Bytes::from(bytes)
}

#[cfg(not(feature = "canaries"))]
fn trusted(_: &[u8]) -> Bytes {
    unreachable!("no bug is planted in this build")
}
