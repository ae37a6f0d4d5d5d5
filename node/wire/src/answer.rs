//! Writes: what a client submits and what it is told.

use crate::codec::{DecodeError, Reader, put_text};
use crate::command::Command;
use crate::hlc::Hlc;
use crate::ids::{Frontier, OpId, Position};
use crate::limits::{COMMAND_BYTES_MAX, TEXT_BYTES_MAX};
use crate::outcome::Disposition;
use serde::{Deserialize, Serialize};

/// How durable an answer is (billing.md §3); a later variant is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Committed in the region log: synced on 2 of 3 voters.
    Region = 0,
    /// Also geo-durable.
    Geo = 1,
    /// Also at or below the finality watermark.
    Final = 2,
}

/// What to do when the grade asked for cannot be reached in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnmet {
    /// Answer with the weaker grade, flagged.
    #[default]
    Degrade = 0,
    /// Refuse before the append.
    FailFast = 1,
}

/// How a write is to be acknowledged. `None`: the cluster's default grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct WriteOptions {
    /// The weakest grade that the client is content with.
    pub min_durability: Option<Grade>,
    /// What to do when it cannot be reached.
    pub on_unmet: OnUnmet,
}

impl WriteOptions {
    /// The weakest grade that the client is content with: `geo`, where it names none.
    #[must_use]
    pub fn wanted(&self) -> Grade {
        self.min_durability.unwrap_or(Grade::Geo)
    }
}

/// One sending of a command under its operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Submission {
    /// The operation.
    pub op_id: OpId,
    /// What is asked.
    pub command: Command,
}

/// What a session has seen: its next read must not show less (billing.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Token {
    /// Entries seen per region.
    pub frontier: Frontier,
    /// Finality watermark seen.
    pub watermark: Hlc,
    /// Highest stamp among the entries seen: what the session writes next gets a higher one.
    pub stamp: Hlc,
    /// Keyed BLAKE3 over the three, cut to 16 bytes, under the cluster's secret.
    pub mac: [u8; 16],
}

impl Token {
    /// Bytes of an encoded token.
    pub const BYTES: usize = 40 + 8 + 8 + 16;
    /// What a refusal of one names.
    pub const FIELD: &str = "Session-Token";

    /// A token that says what was seen, signed with the cluster's secret.
    #[must_use]
    pub fn sign(secret: &[u8; 32], frontier: Frontier, watermark: Hlc, stamp: Hlc) -> Self {
        let mut token = Self { frontier, watermark, stamp, mac: [0; 16] };
        token.mac = token.expected_mac(secret);
        token
    }

    /// A token that says what either says; the caller has verified both.
    #[must_use]
    pub fn join(&self, secret: &[u8; 32], other: &Self) -> Self {
        let frontier = self.frontier.join(&other.frontier);
        let watermark = self.watermark.max(other.watermark);
        Self::sign(secret, frontier, watermark, self.stamp.max(other.stamp))
    }

    /// Whether a node of this cluster made it.
    pub fn verify(&self, secret: &[u8; 32]) -> bool {
        self.mac == self.expected_mac(secret)
    }

    /// Whether it says all that the other one says.
    pub fn covers(&self, other: &Self) -> bool {
        self.frontier.covers(&other.frontier)
            && self.watermark >= other.watermark
            && self.stamp >= other.stamp
    }

    fn expected_mac(&self, secret: &[u8; 32]) -> [u8; 16] {
        let mut bytes = [0; 56];
        for (chunk, index) in bytes.chunks_exact_mut(8).zip(self.frontier.0) {
            chunk.copy_from_slice(&index.to_le_bytes());
        }
        bytes[40..48].copy_from_slice(&self.watermark.0.to_le_bytes());
        bytes[48..].copy_from_slice(&self.stamp.0.to_le_bytes());
        let mut mac = [0; 16];
        mac.copy_from_slice(&blake3::keyed_hash(secret, &bytes).as_bytes()[..16]);
        mac
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.frontier.encode(out);
        out.extend_from_slice(&self.watermark.0.to_le_bytes());
        out.extend_from_slice(&self.stamp.0.to_le_bytes());
        out.extend_from_slice(&self.mac);
    }

    /// Reads a token; says nothing about its MAC.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let frontier = Frontier::decode(r)?;
        let (watermark, stamp) = (Hlc(r.u64()?), Hlc(r.u64()?));
        let mut mac = [0; 16];
        mac.copy_from_slice(r.take(16)?);
        Ok(Self { frontier, watermark, stamp, mac })
    }
}

/// A write that was logged and folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The operation.
    pub op_id: OpId,
    /// How durable it is now.
    pub grade: Grade,
    /// What became of the submission that has the operation's effect.
    pub disposition: Disposition,
    /// Where that submission stands.
    pub position: Position,
    /// The operation had been logged before this submission: its first outcome is repeated.
    pub replayed: bool,
    /// Covers the position.
    pub token: Token,
}

/// Why a write was refused before it was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The field that is wrong.
    pub field: String,
    /// What is wrong with it and what was expected.
    pub detail: String,
}

/// The answer to a submission. HTTP status in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteAnswer {
    /// Logged and folded (200 replayed, 201 the grade asked for, 202 a weaker one).
    Done(Receipt),
    /// The operation is bound to another body (409). Not logged.
    Conflict {
        /// The operation.
        op_id: OpId,
    },
    /// Out of range or malformed (400). Not logged.
    Refused(Refusal),
    /// Not appended; safe to retry (503).
    Unavailable {
        /// Why.
        reason: Unavailable,
        /// When a retry may help, in milliseconds.
        retry_after_ms: u32,
    },
    /// It may or may not have been appended (504): retry with the same `op_id` or ask.
    Unknown,
}

/// Why nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unavailable {
    /// No leader is known, or the one that was is none any more.
    NoLeader = 0,
    /// Too much is in flight.
    Overloaded = 1,
    /// The grade asked for cannot be reached and the client asked to fail fast.
    GradeUnreachable = 2,
    /// The disk refuses writes.
    DiskFull = 3,
    /// The node's clock is off from the majority's.
    ClockSkew = 4,
    /// The node is stopping.
    Stopping = 5,
    /// The session has seen a stamp that is further ahead of the leader's clock than clocks may
    /// be apart: taking it over could spoil the region's clock.
    TokenAhead = 6,
}

impl Submission {
    /// Appends the submission as it travels from a follower to the leader.
    pub fn encode(&self, options: &WriteOptions, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        out.push(options.min_durability.map_or(0xff, |g| g as u8));
        out.push(options.on_unmet as u8);
        self.command.encode(out);
    }

    /// Reads a submission that fills the rest of the item.
    ///
    /// # Errors
    /// What is no submission of this release.
    pub fn decode(r: &mut Reader<'_>) -> Result<(Self, WriteOptions), DecodeError> {
        let op_id = OpId(r.u128()?);
        let min_durability = match r.u8()? {
            0xff => None,
            code => Some(grade(code)?),
        };
        let on_unmet = match r.u8()? {
            0 => OnUnmet::Degrade,
            1 => OnUnmet::FailFast,
            code => return Err(unknown("on_unmet", code, 1)),
        };
        let body = r.take(r.left().min(COMMAND_BYTES_MAX))?;
        let command = Command::decode(body)?;
        Ok((Self { op_id, command }, WriteOptions { min_durability, on_unmet }))
    }
}

impl WriteAnswer {
    /// Appends the answer as it travels from the leader back to a follower.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Done(receipt) => {
                out.push(0);
                out.extend_from_slice(&receipt.op_id.0.to_le_bytes());
                out.push(receipt.grade as u8);
                receipt.disposition.encode(out);
                receipt.position.encode(out);
                out.push(u8::from(receipt.replayed));
                receipt.token.encode(out);
            }
            Self::Conflict { op_id } => {
                out.push(1);
                out.extend_from_slice(&op_id.0.to_le_bytes());
            }
            Self::Refused(refusal) => {
                out.push(2);
                put_text(out, &refusal.field);
                put_text(out, &refusal.detail);
            }
            Self::Unavailable { reason, retry_after_ms } => {
                out.extend_from_slice(&[3, *reason as u8]);
                out.extend_from_slice(&retry_after_ms.to_le_bytes());
            }
            Self::Unknown => out.push(4),
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is no answer of this release.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            0 => Self::Done(Receipt {
                op_id: OpId(r.u128()?),
                grade: grade(r.u8()?)?,
                disposition: Disposition::decode(r)?,
                position: Position::decode(r)?,
                replayed: r.u8()? != 0,
                token: Token::decode(r)?,
            }),
            1 => Self::Conflict { op_id: OpId(r.u128()?) },
            2 => Self::Refused(Refusal {
                field: r.text("field", TEXT_BYTES_MAX)?.to_owned(),
                detail: r.text("detail", 4 * TEXT_BYTES_MAX)?.to_owned(),
            }),
            3 => Self::Unavailable { reason: unavailable(r.u8()?)?, retry_after_ms: r.u32()? },
            4 => Self::Unknown,
            tag => return Err(unknown("tag", tag, 4)),
        })
    }
}

fn unknown(field: &'static str, found: u8, limit: u8) -> DecodeError {
    DecodeError::OutOfRange { what: "answer", field, found: found.into(), limit: limit.into() }
}

fn grade(code: u8) -> Result<Grade, DecodeError> {
    [Grade::Region, Grade::Geo, Grade::Final]
        .get(usize::from(code))
        .copied()
        .ok_or_else(|| unknown("grade", code, 2))
}

fn unavailable(code: u8) -> Result<Unavailable, DecodeError> {
    use Unavailable as U;
    let reasons = [
        U::NoLeader,
        U::Overloaded,
        U::GradeUnreachable,
        U::DiskFull,
        U::ClockSkew,
        U::Stopping,
        U::TokenAhead,
    ];
    reasons.get(usize::from(code)).copied().ok_or_else(|| unknown("reason", code, 6))
}
