//! Identifiers, positions and frontiers: small copyable types with the words of the domain.

use crate::codec::{DecodeError, Reader};
use crate::hlc::Hlc;
use crate::limits::REGIONS_MAX;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Index of an entry in its region log; dense, the first entry has index 1, 0 is "nothing".
pub type LogIndex = u64;
/// Raft term.
pub type Term = u64;
/// A BLAKE3 hash.
pub type Hash = [u8; 32];

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A region, counted from 0; below [`REGIONS_MAX`]. Its region log has the same number.
    RegionId(u8)
);
id!(
    /// A node of the cluster, unique for ever. It is also the Raft id, so it is never 0.
    NodeId(u16)
);
id!(
    /// How often a region was founded anew; the first is 0.
    Incarnation(u32)
);
id!(
    /// A customer account.
    AccountId(u64)
);
id!(
    /// A point of delivery.
    ServicePointId(u64)
);
id!(
    /// A physical meter.
    MeterId(u64)
);
id!(
    /// A civil date as days since 1970-01-01, given by commands, never read from a clock.
    Date(u32)
);

/// Identity of an operation: chosen by the client once, kept over all of its submissions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct OpId(pub u128);

impl OpId {
    /// The derived identity of a fact that an outside provider reports: two regions that hear
    /// of it give it the same `op_id` (billing.md §4).
    pub fn of_fact(provider: &str, external_ref: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("billsim 2026 op_id of an outside fact");
        hasher.update(&(provider.len() as u64).to_le_bytes());
        hasher.update(provider.as_bytes());
        hasher.update(external_ref.as_bytes());
        Self::from_hasher(&hasher)
    }

    fn from_hasher(hasher: &blake3::Hasher) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_le_bytes(id))
    }
}

/// The derived identity of the fact that an effect of `cause` took place outside, as in
/// `derived_op_id(refund, "paid")`: whichever region hears of it first, the other's report is a
/// retry of the same operation (billing.md §4).
#[must_use]
pub fn derived_op_id(cause: OpId, effect: &str) -> OpId {
    let mut hasher = blake3::Hasher::new_derive_key("billsim 2026 op_id of an effect outside");
    hasher.update(&cause.0.to_le_bytes());
    hasher.update(effect.as_bytes());
    OpId::from_hasher(&hasher)
}

impl fmt::Display for OpId {
    /// As a UUID: 8-4-4-4-12 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            (v >> 80) & 0xffff,
            (v >> 64) & 0xffff,
            (v >> 48) & 0xffff,
            v & 0xffff_ffff_ffff
        )
    }
}

impl std::str::FromStr for OpId {
    type Err = String;

    /// Reads a UUID, with or without hyphens.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        // The integer parser alone would also take a sign.
        let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = if is_uuid { u128::from_str_radix(&digits, 16).ok() } else { None };
        value
            .map(OpId)
            .ok_or_else(|| format!("'{text}' is no UUID: 32 hexadecimal digits expected"))
    }
}

/// Identity of a cluster, drawn at genesis.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OpId(self.0).fmt(f)
    }
}

/// Place of a submission in the merged order; its order *is* the merged order (billing.md §2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// Stamp of the entry.
    pub hlc: Hlc,
    /// Region log of the entry.
    pub region: RegionId,
    /// Index of the entry in its region log.
    pub index: LogIndex,
    /// Place of the submission within the entry, from 0.
    pub offset: u16,
}

impl Position {
    /// Bytes of an encoded position.
    pub const BYTES: usize = 19;

    /// Appends the position; big-endian, so that byte order is merged order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hlc.0.to_be_bytes());
        out.push(self.region.0);
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
    }

    /// Reads a position.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hlc: Hlc(reader.u64()?.swap_bytes()),
            region: RegionId(reader.u8()?),
            index: reader.u64()?.swap_bytes(),
            offset: reader.u16()?.swap_bytes(),
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}+{}", self.hlc, self.region, self.index, self.offset)
    }
}

/// How far each region log is folded: one index per region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frontier(pub [LogIndex; REGIONS_MAX]);

impl Frontier {
    /// The index of one region.
    pub fn of(&self, region: RegionId) -> LogIndex {
        self.0[usize::from(region.0)]
    }

    /// Sets the index of one region.
    pub fn set(&mut self, region: RegionId, index: LogIndex) {
        self.0[usize::from(region.0)] = index;
    }

    /// Whether every region is at least as far as in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a >= b)
    }

    /// The larger index of each region.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let mut joined = *self;
        for (a, b) in joined.0.iter_mut().zip(&other.0) {
            *a = (*a).max(*b);
        }
        joined
    }

    /// Appends the frontier.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for index in self.0 {
            out.extend_from_slice(&index.to_le_bytes());
        }
    }

    /// Reads a frontier.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut frontier = Self::default();
        for index in &mut frontier.0 {
            *index = reader.u64()?;
        }
        Ok(frontier)
    }
}
