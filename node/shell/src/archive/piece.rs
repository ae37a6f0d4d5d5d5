//! A piece: a stretch of one incarnation of a region log as one object.
//!
//! ```text
//!   0  magic       8   "BILLARC\x01"
//!   8  crc         u32 CRC32C over the rest
//!  12  format      u8  1
//!  13  region      u8
//!  14  reserved    u16
//!  16  cluster     u128
//!  32  incarnation u32
//!  36  count       u32
//!  40  first       u64
//!  48  prev_hash   32  hash of the record before the first one
//!  80  records
//! ```

use super::{PIECES, short};
use billing_wire::codec::Reader;
use billing_wire::{
    ClusterId, DecodeError, Hash, Incarnation, LogIndex, RecordView, RegionId, limits,
};
use bytes::Bytes;

/// Records of a piece take so many bytes, at most, if there is more than one.
pub const PIECE_BYTES_MAX: usize = 8 << 20;
const MAGIC: &[u8; 8] = b"BILLARC\x01";
const FORMAT: u8 = 1;
const CHECKED_FROM: usize = 12;
const HEADER_BYTES: usize = 80;
const WHAT: &str = "piece";

/// What a manifest says of a piece; everything but the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceEntry {
    /// The region log.
    pub region: RegionId,
    /// Incarnation of its records.
    pub incarnation: Incarnation,
    /// Index of the first record.
    pub first: LogIndex,
    /// Index of the last one.
    pub last: LogIndex,
    /// Hash of the last one.
    pub last_hash: Hash,
    /// Length of the object.
    pub bytes: u64,
    /// BLAKE3 of the object.
    pub hash: Hash,
}

impl PieceEntry {
    /// The object's name.
    pub fn name(&self) -> String {
        let Self { region, incarnation, first, last, hash, .. } = self;
        let (incarnation, hash) = (incarnation.0, short(hash));
        format!("{PIECES}{region}/{incarnation:08}/{first:020}-{last:020}-{hash}.piece")
    }
}

/// A piece that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The cluster.
    pub cluster: ClusterId,
    /// The region log.
    pub region: RegionId,
    /// Incarnation of its records.
    pub incarnation: Incarnation,
    /// Index of the first record.
    pub first: LogIndex,
    /// Hash of the record before it.
    pub prev_hash: Hash,
    /// Hash of the last record.
    pub last_hash: Hash,
    /// The encoded records, verified.
    pub records: Vec<Bytes>,
}

/// Makes a piece of records that follow each other.
///
/// # Panics
/// Without records, or with one that does not decode.
pub fn encode(cluster: ClusterId, records: &[Bytes]) -> (PieceEntry, Vec<u8>) {
    let decode = |bytes: &Bytes| RecordView::decode(bytes).expect("it was verified").header;
    let first = decode(records.first().expect("a piece has a record"));
    let last = decode(records.last().expect("a piece has a record"));
    let length = records.iter().map(Bytes::len).sum::<usize>();
    let mut out = Vec::with_capacity(HEADER_BYTES + length);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[FORMAT, first.region.0, 0, 0]);
    out.extend_from_slice(&cluster.0.to_le_bytes());
    out.extend_from_slice(&first.incarnation.0.to_le_bytes());
    out.extend_from_slice(&(records.len() as u32).to_le_bytes());
    out.extend_from_slice(&first.index.to_le_bytes());
    out.extend_from_slice(&first.prev_hash);
    records.iter().for_each(|record| out.extend_from_slice(record));
    let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
    out[8..CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
    let entry = PieceEntry {
        region: first.region,
        incarnation: first.incarnation,
        first: first.index,
        last: last.index,
        last_hash: last.hash,
        bytes: out.len() as u64,
        hash: *blake3::hash(&out).as_bytes(),
    };
    (entry, out)
}

/// Reads a piece: its checksum, each record's checksum and hash, and the chain that they make.
///
/// # Errors
/// The first thing that is wrong.
pub fn decode(object: &[u8]) -> Result<Piece, DecodeError> {
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
    let region = RegionId(r.u8()?);
    r.at_most("region", region.0.into(), limits::REGIONS_MAX as u64 - 1)?;
    r.take(2)?;
    let (cluster, incarnation) = (ClusterId(r.u128()?), Incarnation(r.u32()?));
    let (count, first, prev_hash) = (r.u32()?, r.u64()?, r.hash()?);
    let mut piece = Piece {
        cluster,
        region,
        incarnation,
        first,
        prev_hash,
        last_hash: prev_hash,
        records: Vec::new(),
    };
    let content = Bytes::copy_from_slice(&object[HEADER_BYTES..]);
    let mut at = 0;
    for _ in 0..count {
        at += piece.take(&content.slice(at..))?;
    }
    r.take(at)?;
    r.finish()?;
    Ok(piece)
}

impl Piece {
    /// Takes the record that `rest` begins with; its length.
    fn take(&mut self, rest: &Bytes) -> Result<usize, DecodeError> {
        let length = RecordView::length(rest)?;
        let bytes = rest.slice(..length.min(rest.len()));
        let view = RecordView::decode(&bytes)?;
        let header = view.header;
        let expected = self.first.wrapping_add(self.records.len() as u64);
        let is_next = header.index == expected
            && (header.region, header.incarnation) == (self.region, self.incarnation)
            && header.prev_hash == self.last_hash;
        if !is_next || !view.verify_hash() {
            let (field, found) = ("a record out of the chain: index", header.index);
            return Err(DecodeError::OutOfRange { what: WHAT, field, found, limit: expected });
        }
        self.last_hash = header.hash;
        self.records.push(bytes.clone());
        Ok(length)
    }
}
