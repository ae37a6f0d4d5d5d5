//! Frames between nodes: length-delimited, checksummed, versioned bytes. Delivery is best
//! effort: a frame may be lost, duplicated, reordered or damaged, in both worlds.
//!
//! ```text
//!   0  length   u32   of the whole frame
//!   4  crc      u32   CRC32C over bytes 8..length
//!   8  version  u8    1
//!   9  kind     u8    FrameKind
//!  10  from     u16   NodeId
//!  12  to       u16   NodeId
//!  14  region   u8    region log that it is about
//!  15  reserved u8    0
//!  16  cluster  u64   low half of the cluster id: a frame of another cluster is refused
//!  24  wall_ms  u64   sender's wall clock, for the clock-skew gate
//!  32  body
//! ```

use crate::codec::{DecodeError, Reader};
use crate::ids::{ClusterId, NodeId, RegionId};
use crate::limits::FRAME_BYTES_MAX;
use bytes::Bytes;

/// The version that this release writes and reads.
pub const FRAME_VERSION: u8 = 1;
/// Bytes before the body.
pub const FRAME_HEADER_BYTES: usize = 32;
const CHECKED_FROM: usize = 8;
/// Offset of the kind, for whoever looks at frames without decoding them.
pub const FRAME_KIND_AT: usize = CHECKED_FROM + 1;
const WHAT: &str = "frame";

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameKind {
    /// A consensus message of one region log.
    Raft = 0,
    /// A submission on its way from a follower to the leader.
    Forward = 1,
    /// The leader's answer on its way back.
    ForwardAnswer = 2,
    /// First frame of a connection of the real host: says who calls.
    Hello = 3,
    /// The leader of a region asks where a lost region's log ends, and to refuse more of it.
    TailRequest = 4,
    /// The answer, once the refusal is durable.
    TailReport = 5,
    /// A node asks for records of a sealed region log that it lacks.
    ChainRequest = 6,
    /// Such records.
    Chain = 7,
    /// A node of a sealed region asks to be let in again.
    RestoreRequest = 8,
    /// A record outside a sealed region log, for the leader that appends it again.
    Orphan = 9,
    /// A node asks for records that it promised and cannot read any more.
    RepairRequest = 10,
    /// Such records; none: the node lacks them, too.
    Repair = 11,
    /// A damaged node asks the leader of a region log where that ends.
    LogEndRequest = 12,
    /// The answer, once the leader has shown that it leads.
    LogEnd = 13,
    /// A node asks how an incarnation of a region log ended, because nobody leads it any more.
    SealedEndRequest = 14,
    /// The end, told by a node in whose order it is final.
    SealedEnd = 15,
}

/// Everything but the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame carries.
    pub kind: FrameKind,
    /// Who sent it.
    pub from: NodeId,
    /// For whom it is.
    pub to: NodeId,
    /// The region log that it is about.
    pub region: RegionId,
    /// Low half of the cluster id.
    pub cluster: u64,
    /// The sender's wall clock in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// A verified frame; `body` shares the buffer that it arrived in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Everything but the body.
    pub header: FrameHeader,
    /// What [`FrameKind`] says.
    pub body: Bytes,
}

/// The half of a cluster id that frames carry.
pub fn cluster_mark(cluster: ClusterId) -> u64 {
    cluster.0 as u64
}

/// Starts a frame in an empty buffer; append the body, then call [`finish`].
pub fn start(header: &FrameHeader, out: &mut Vec<u8>) {
    assert!(out.is_empty(), "a frame starts in an empty buffer");
    out.extend_from_slice(&[0; CHECKED_FROM]);
    out.extend_from_slice(&[FRAME_VERSION, header.kind as u8]);
    out.extend_from_slice(&header.from.0.to_le_bytes());
    out.extend_from_slice(&header.to.0.to_le_bytes());
    out.extend_from_slice(&[header.region.0, 0]);
    out.extend_from_slice(&header.cluster.to_le_bytes());
    out.extend_from_slice(&header.wall_ms.to_le_bytes());
}

/// Fills in length and checksum.
///
/// # Panics
/// When the frame is longer than `FRAME_BYTES_MAX`: the sender bounds its batches.
pub fn finish(mut out: Vec<u8>) -> Bytes {
    assert!(out.len() <= FRAME_BYTES_MAX, "a frame is bounded by its sender");
    let length = out.len() as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    Bytes::from(out)
}

impl Frame {
    /// How long the frame that starts with these 4 bytes claims to be.
    ///
    /// # Errors
    /// A length outside the legal range.
    pub fn length(prefix: [u8; 4]) -> Result<usize, DecodeError> {
        let length = u32::from_le_bytes(prefix) as usize;
        if length < FRAME_HEADER_BYTES {
            return Err(DecodeError::Truncated {
                what: WHAT,
                offset: 0,
                needed: FRAME_HEADER_BYTES,
                left: length,
            });
        }
        Reader::new(WHAT, &prefix).at_most("length", length as u64, FRAME_BYTES_MAX as u64)?;
        Ok(length)
    }

    /// Verifies one whole frame.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        let length = r.u32()? as usize;
        let stored = r.u32()?;
        if length > bytes.len() {
            let left = bytes.len();
            return Err(DecodeError::Truncated { what: WHAT, offset: 0, needed: length, left });
        }
        if length < bytes.len() {
            let extra = bytes.len() - length;
            return Err(DecodeError::Trailing { what: WHAT, offset: length, extra });
        }
        let computed = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        if stored != computed {
            return Err(DecodeError::Checksum { what: WHAT, stored, computed });
        }
        let found = r.u8()?;
        if found != FRAME_VERSION {
            return Err(DecodeError::Version { what: WHAT, found, expected: FRAME_VERSION });
        }
        let kind = kind(r.u8()?)?;
        let (from, to) = (NodeId(r.u16()?), NodeId(r.u16()?));
        let region = RegionId(r.u8()?);
        r.at_most("region", region.0.into(), crate::limits::REGIONS_MAX as u64 - 1)?;
        r.take(1)?;
        let (cluster, wall_ms) = (r.u64()?, r.u64()?);
        let header = FrameHeader { kind, from, to, region, cluster, wall_ms };
        Ok(Self { header, body: bytes.slice(FRAME_HEADER_BYTES..) })
    }
}

impl FrameKind {
    const ALL: [Self; 16] = [
        Self::Raft,
        Self::Forward,
        Self::ForwardAnswer,
        Self::Hello,
        Self::TailRequest,
        Self::TailReport,
        Self::ChainRequest,
        Self::Chain,
        Self::RestoreRequest,
        Self::Orphan,
        Self::RepairRequest,
        Self::Repair,
        Self::LogEndRequest,
        Self::LogEnd,
        Self::SealedEndRequest,
        Self::SealedEnd,
    ];
}

fn kind(tag: u8) -> Result<FrameKind, DecodeError> {
    FrameKind::ALL.get(usize::from(tag)).copied().ok_or(DecodeError::OutOfRange {
        what: WHAT,
        field: "kind",
        found: tag.into(),
        limit: FrameKind::ALL.len() as u64 - 1,
    })
}
