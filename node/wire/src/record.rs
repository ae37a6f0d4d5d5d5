//! An entry of a region log as bytes. The leader writes them once; the same bytes travel in
//! frames, lie on disk and are verified on every read.
//!
//! ```text
//!   0  length   u32   of the whole record
//!   4  crc      u32   CRC32C over bytes 8..length
//!   8  format   u8    1
//!   9  kind     u8    RecordKind
//!  10  region   u8
//!  11  mode     u8    RegionMode
//!  12  incarnation u32
//!  16  index    u64
//!  24  term     u64
//!  32  hlc      u64
//!  40  geo_index u64
//!  48  prev_hash 32
//!  80  hash      32   BLAKE3 over bytes 8..80 and 112..length
//! 112  count    u16   submissions
//! 114  control  u16   bytes of the control part, see `control`
//! 116  control part
//!      count × { op_id u128, fingerprint 32, length u16, body }
//! ```
//!
//! An entry carries up to [`SUBMISSIONS_PER_RECORD_MAX`] submissions, so that one consensus
//! round and one sync serve many commands.

use crate::answer::Submission;
use crate::codec::{DecodeError, Reader};
use crate::command::{Command, fingerprint};
use crate::control::{Control, Origin};
use crate::hlc::Hlc;
use crate::ids::{Hash, Incarnation, LogIndex, OpId, Position, RegionId, Term};
use crate::limits::{COMMAND_BYTES_MAX, RECORD_BYTES_MAX, SUBMISSIONS_PER_RECORD_MAX};

/// The format that this release writes and reads.
pub const RECORD_FORMAT: u8 = 1;
/// Bytes before the first submission.
pub const RECORD_HEADER_BYTES: usize = 116;
/// Bytes of a submission beside its body.
pub const SUBMISSION_OVERHEAD_BYTES: usize = 50;
const CHECKED_FROM: usize = 8;
const HASH_AT: usize = 80;
const COUNT_AT: usize = 112;
const CONTROL_AT: usize = 114;
const WHAT: &str = "record";

/// What an entry is for. Tags are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// The consensus layer's own entry (a new leader's no-op); carries nothing.
    Noop = 0,
    /// Submissions of clients.
    Submissions = 1,
    /// "Nothing earlier will follow": moves the watermark of a silent region.
    CloseTs = 2,
    /// The region changed its acknowledgement mode.
    ModeChanged = 3,
    /// A region was sealed.
    RegionSealed = 4,
    /// A record of a sealed incarnation, appended again.
    Readmitted = 5,
    /// The coordinator role moved.
    EpochChanged = 6,
    /// The fold's behaviour changes for everybody.
    ReleaseActivated = 7,
    /// A change of a region log's members.
    MembersChanged = 8,
    /// A sealed region is back under a new incarnation.
    RegionRestored = 9,
    /// A piece of the end of a region log that is about to be sealed.
    ChainPart = 10,
}

impl RecordKind {
    const ALL: [Self; 11] = [
        Self::Noop,
        Self::Submissions,
        Self::CloseTs,
        Self::ModeChanged,
        Self::RegionSealed,
        Self::Readmitted,
        Self::EpochChanged,
        Self::ReleaseActivated,
        Self::MembersChanged,
        Self::RegionRestored,
        Self::ChainPart,
    ];

    /// Whether entries of this kind carry what clients submitted.
    pub fn has_submissions(self) -> bool {
        matches!(self, Self::Submissions | Self::Readmitted)
    }

    fn of(tag: u8) -> Result<Self, DecodeError> {
        Self::ALL.get(usize::from(tag)).copied().ok_or(DecodeError::OutOfRange {
            what: WHAT,
            field: "kind",
            found: tag.into(),
            limit: Self::ALL.len() as u64 - 1,
        })
    }
}

/// How a region acknowledges (billing.md §3); a function of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RegionMode {
    /// Writes wait until another region holds them too.
    #[default]
    Geo = 0,
    /// No other region can be reached: writes are acknowledged by this one alone, and say so.
    Degraded = 1,
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the entry is for.
    pub kind: RecordKind,
    /// The region log that it belongs to.
    pub region: RegionId,
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// Dense index, from 1.
    pub index: LogIndex,
    /// Raft term of the leader that wrote it.
    pub term: Term,
    /// Stamp; strictly increasing with the index.
    pub hlc: Hlc,
    /// Up to here the region log was known to be geo-durable when this entry was proposed.
    pub geo_index: LogIndex,
    /// How the region acknowledges from this entry on.
    pub mode: RegionMode,
    /// Hash of the entry before; zeros before the first.
    pub prev_hash: Hash,
    /// Hash of this entry: filled in by the encoder.
    pub hash: Hash,
}

impl RecordHeader {
    /// The merged position of the submission at `offset`.
    pub fn position(&self, offset: u16) -> Position {
        Position { hlc: self.hlc, region: self.region, index: self.index, offset }
    }

    /// The fixed part of a record as it says itself: for bytes that were verified before, or will
    /// be before anything is done by them.
    ///
    /// # Errors
    /// A part that is missing or out of range.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        r.take(CHECKED_FROM)?;
        Self::decode(&mut r)
    }

    /// From its format on.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let found = r.u8()?;
        if found != RECORD_FORMAT {
            return Err(DecodeError::Version { what: WHAT, found, expected: RECORD_FORMAT });
        }
        let kind = RecordKind::of(r.u8()?)?;
        let region = RegionId(r.u8()?);
        r.at_most("region", region.0.into(), crate::limits::REGIONS_MAX as u64 - 1)?;
        let mode = match r.u8()? {
            0 => RegionMode::Geo,
            1 => RegionMode::Degraded,
            found => {
                let found = found.into();
                return Err(DecodeError::OutOfRange { what: WHAT, field: "mode", found, limit: 1 });
            }
        };
        Ok(Self {
            kind,
            region,
            incarnation: Incarnation(r.u32()?),
            index: r.u64()?,
            term: r.u64()?,
            hlc: Hlc(r.u64()?),
            geo_index: r.u64()?,
            mode,
            prev_hash: r.hash()?,
            hash: r.hash()?,
        })
    }

    /// The derived header of an entry that the consensus layer made itself: stamped just above
    /// its predecessor (billing.md §2). `prev` is `None` before the first entry.
    #[must_use]
    pub fn derived_noop(
        region: RegionId,
        incarnation: Incarnation,
        term: Term,
        prev: Option<&Self>,
    ) -> Self {
        Self {
            kind: RecordKind::Noop,
            region,
            incarnation,
            index: prev.map_or(0, |p| p.index) + 1,
            term,
            hlc: prev.map_or(Hlc::ZERO, |p| p.hlc).next(),
            geo_index: prev.map_or(0, |p| p.geo_index),
            mode: prev.map_or(RegionMode::Geo, |p| p.mode),
            prev_hash: prev.map_or([0; 32], |p| p.hash),
            hash: [0; 32],
        }
    }
}

/// A record with owned submissions: for writers, tests and the reference model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The fixed part.
    pub header: RecordHeader,
    /// What clients asked, in order.
    pub submissions: Vec<Submission>,
}

impl Record {
    /// Encodes the record, fills in `header.hash`, and returns the bytes.
    ///
    /// # Panics
    /// When a bound of `limits` is exceeded: admission and batching keep them.
    pub fn encode(&mut self) -> Vec<u8> {
        self.encode_with(&Control::None)
    }

    /// As [`Record::encode`], of a kind that has a control part.
    ///
    /// # Panics
    /// As [`Record::encode`].
    pub fn encode_with(&mut self, control: &Control) -> Vec<u8> {
        assert!(self.submissions.len() <= SUBMISSIONS_PER_RECORD_MAX, "too many submissions");
        let mut out = Vec::with_capacity(RECORD_HEADER_BYTES + self.submissions.len() * 128);
        put_header(&mut out, &self.header, self.submissions.len() as u16);
        put_control(&mut out, control);
        for submission in &self.submissions {
            put_submission(&mut out, submission);
        }
        self.header.hash = seal(&mut out);
        out
    }

    /// Reads exactly one record and every command in it.
    ///
    /// # Errors
    /// What [`RecordView::decode`] refuses, and a body that is no command of this release.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let view = RecordView::decode(bytes)?;
        let submissions = view
            .submissions()
            .map(|s| {
                let s = s?;
                Ok(Submission { op_id: s.op_id, command: Command::decode(s.body)? })
            })
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self { header: view.header, submissions })
    }
}

fn put_header(out: &mut Vec<u8>, header: &RecordHeader, count: u16) {
    out.extend_from_slice(&[0; CHECKED_FROM]);
    out.extend_from_slice(&[RECORD_FORMAT, header.kind as u8, header.region.0, header.mode as u8]);
    out.extend_from_slice(&header.incarnation.0.to_le_bytes());
    out.extend_from_slice(&header.index.to_le_bytes());
    out.extend_from_slice(&header.term.to_le_bytes());
    out.extend_from_slice(&header.hlc.0.to_le_bytes());
    out.extend_from_slice(&header.geo_index.to_le_bytes());
    out.extend_from_slice(&header.prev_hash);
    out.extend_from_slice(&[0; 32]);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
}

fn put_control(out: &mut Vec<u8>, control: &Control) {
    control.encode(out);
    let length = (out.len() - RECORD_HEADER_BYTES) as u16;
    out[CONTROL_AT..RECORD_HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Encodes the submissions of `orphan`, byte for byte, as a record at another place, and fills in
/// `header.hash`.
///
/// # Panics
/// When `header` is of another kind than `Readmitted`, or the record would be too long.
pub fn encode_readmitted(header: &mut RecordHeader, orphan: &RecordView<'_>) -> Vec<u8> {
    assert_eq!(header.kind, RecordKind::Readmitted, "the kind says what the control part is");
    // One that was readmitted before is known by where it stood first.
    let origin = match orphan.control() {
        Control::Readmitted(origin) => origin,
        _ => Origin {
            region: orphan.header.region,
            incarnation: orphan.header.incarnation,
            index: orphan.header.index,
            hlc: orphan.header.hlc,
            hash: orphan.header.hash,
        },
    };
    let mut out = Vec::with_capacity(orphan.bytes.len() + 64);
    put_header(&mut out, header, orphan.count);
    put_control(&mut out, &Control::Readmitted(origin));
    let submissions = RECORD_HEADER_BYTES + usize::from(orphan.control_bytes);
    out.extend_from_slice(&orphan.bytes[submissions..]);
    header.hash = seal(&mut out);
    out
}

fn put_submission(out: &mut Vec<u8>, submission: &Submission) {
    out.extend_from_slice(&submission.op_id.0.to_le_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 34]);
    submission.command.encode(out);
    let body = at + 34;
    let length = out.len() - body;
    assert!(length <= COMMAND_BYTES_MAX, "a command body is bounded at admission");
    let mark = fingerprint(&out[body..]);
    out[at..at + 32].copy_from_slice(&mark);
    out[at + 32..body].copy_from_slice(&(length as u16).to_le_bytes());
}

fn seal(out: &mut [u8]) -> Hash {
    assert!(out.len() <= RECORD_BYTES_MAX, "a record is bounded by batching");
    let hash = hash_of(out);
    out[HASH_AT..COUNT_AT].copy_from_slice(&hash);
    let length = out.len() as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    hash
}

fn hash_of(bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[CHECKED_FROM..HASH_AT]);
    hasher.update(&bytes[COUNT_AT..]);
    *hasher.finalize().as_bytes()
}

/// A submission inside a record, not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmissionView<'a> {
    /// Place within the entry, from 0.
    pub offset: u16,
    /// The operation.
    pub op_id: OpId,
    /// What the operation is bound to.
    pub fingerprint: Hash,
    /// Canonical bytes of the command.
    pub body: &'a [u8],
}

/// A verified record over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// The fixed part.
    pub header: RecordHeader,
    /// Number of submissions.
    pub count: u16,
    control_bytes: u16,
    bytes: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// How long the record that starts here claims to be; for scanning a file.
    ///
    /// # Errors
    /// Truncation, or a length outside the legal range.
    pub fn length(bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        let length = r.u32()? as usize;
        r.at_most("length", length as u64, RECORD_BYTES_MAX as u64)?;
        if length < RECORD_HEADER_BYTES {
            return Err(DecodeError::Truncated {
                what: WHAT,
                offset: 0,
                needed: RECORD_HEADER_BYTES,
                left: length,
            });
        }
        Ok(length)
    }

    /// Verifies length, checksum, format and framing of exactly one record. The hash chain is
    /// checked apart: see [`RecordView::verify_hash`].
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let length = Self::length(bytes)?;
        let mut r = Reader::new(WHAT, bytes);
        r.take(4)?;
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
        Self::decode_checked(bytes, r)
    }

    /// The view of a record that was verified before, by its header; nothing is checked again.
    ///
    /// # Panics
    /// When the bytes are shorter than a header.
    pub fn of_verified(header: RecordHeader, bytes: &'a [u8]) -> Self {
        let at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Self { header, count: at(COUNT_AT), control_bytes: at(CONTROL_AT), bytes }
    }

    fn decode_checked(bytes: &'a [u8], mut r: Reader<'a>) -> Result<Self, DecodeError> {
        let header = RecordHeader::decode(&mut r)?;
        let count = r.u16()?;
        r.at_most("count", count.into(), SUBMISSIONS_PER_RECORD_MAX as u64)?;
        let control_bytes = r.u16()?;
        let control = r.take(control_bytes.into())?;
        Control::decode(header.kind, control)?;
        let view = Self { header, count, control_bytes, bytes };
        let mut walk = view.submissions();
        for submission in walk.by_ref() {
            submission?;
        }
        walk.reader.finish()?;
        Ok(view)
    }

    /// The submissions in order. Cannot fail on a view that [`RecordView::decode`] returned.
    pub fn submissions(&self) -> Submissions<'a> {
        let mut reader = Reader::new(WHAT, self.bytes);
        let _before = reader.take(RECORD_HEADER_BYTES + usize::from(self.control_bytes));
        Submissions { reader, next: 0, count: self.count }
    }

    /// The control part. Cannot be missing in a view that [`RecordView::decode`] returned.
    pub fn control(&self) -> Control {
        let end = RECORD_HEADER_BYTES + usize::from(self.control_bytes);
        let part = self.bytes.get(RECORD_HEADER_BYTES..end).unwrap_or_default();
        Control::decode(self.header.kind, part).unwrap_or_default()
    }

    /// Whether `hash` is what the bytes give: dearer than the checksum, so recovery, repair and
    /// `verify` do it and the hot path does not.
    pub fn verify_hash(&self) -> bool {
        hash_of(self.bytes) == self.header.hash
    }

    /// The whole encoded record.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Iterator over the submissions of a record.
#[derive(Debug, Clone)]
pub struct Submissions<'a> {
    reader: Reader<'a>,
    next: u16,
    count: u16,
}

impl<'a> Submissions<'a> {
    fn read(&mut self) -> Result<SubmissionView<'a>, DecodeError> {
        let offset = self.next;
        self.next += 1;
        let op_id = OpId(self.reader.u128()?);
        let fingerprint = self.reader.hash()?;
        let length = usize::from(self.reader.u16()?);
        self.reader.at_most("body", length as u64, COMMAND_BYTES_MAX as u64)?;
        let body = self.reader.take(length)?;
        Ok(SubmissionView { offset, op_id, fingerprint, body })
    }
}

impl<'a> Iterator for Submissions<'a> {
    type Item = Result<SubmissionView<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.next = self.count;
        }
        Some(item)
    }
}
