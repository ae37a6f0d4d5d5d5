//! What an entry of the system itself says, beside submissions: which region logs are sealed and
//! where they end, that a region is back, where a readmitted record stood before (billing.md §7).
//!
//! ```text
//! RegionSealed    chains × { region u8, reserved 3, incarnation u32, last_index u64,
//!                           last_hash 32 }
//! RegionRestored  region u8, reserved 3, incarnation u32
//! Readmitted      region u8, reserved 3, incarnation u32, index u64, hlc u64, hash 32
//! ChainPart       chain as in RegionSealed, kept u64, offset u64, bytes
//! ```

use crate::codec::{DecodeError, Reader};
use crate::hlc::Hlc;
use crate::ids::{Hash, Incarnation, LogIndex, RegionId};
use crate::limits::{CHAIN_PART_BYTES_MAX, REGIONS_MAX};
use crate::record::RecordKind;

const WHAT: &str = "control part of a record";

/// A region log as it is sealed: its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedChain {
    /// The region.
    pub region: RegionId,
    /// The incarnation that ends here.
    pub incarnation: Incarnation,
    /// Its last entry; 0 when it has none.
    pub last_index: LogIndex,
    /// Hash of that entry; zeros when there is none.
    pub last_hash: Hash,
}

impl SealedChain {
    /// Bytes of one chain.
    pub const BYTES: usize = 48;

    /// Appends the chain.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_region(out, self.region, self.incarnation);
        out.extend_from_slice(&self.last_index.to_le_bytes());
        out.extend_from_slice(&self.last_hash);
    }

    /// Reads a chain.
    ///
    /// # Errors
    /// Truncation, a region out of range.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (region, incarnation) = take_region(r)?;
        Ok(Self { region, incarnation, last_index: r.u64()?, last_hash: r.hash()? })
    }
}

/// Where a readmitted record stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its region.
    pub region: RegionId,
    /// The incarnation that was sealed without it.
    pub incarnation: Incarnation,
    /// Its index there.
    pub index: LogIndex,
    /// Its stamp there.
    pub hlc: Hlc,
    /// Its hash: what it is known by.
    pub hash: Hash,
}

/// A piece of the end of a log that is about to be sealed, in the log that seals it. The copy that
/// was chosen may lie on one disk; this way what only it holds is as durable as the seal itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPart {
    /// The chain that is about to be sealed.
    pub chain: SealedChain,
    /// The chain's first so many records are known to lie elsewhere; the end begins behind them.
    pub kept: LogIndex,
    /// Where the piece stands in the records of the end, one after the other, in bytes.
    pub offset: u64,
    /// The piece: at most [`CHAIN_PART_BYTES_MAX`], not cut where a record ends.
    pub bytes: Vec<u8>,
}

/// The control part of a record, by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Control {
    /// Nothing: every other kind.
    #[default]
    None,
    /// These region logs end here, and no longer hold up the others.
    Sealed(Vec<SealedChain>),
    /// A sealed region is back under a new incarnation; nothing of it comes before this entry.
    Restored {
        /// The region.
        region: RegionId,
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// The submissions of this record stood elsewhere before.
    Readmitted(Origin),
    /// A piece of the end of a log that is about to be sealed.
    ChainPart(ChainPart),
}

impl Control {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Sealed(chains) => chains.iter().for_each(|chain| chain.encode(out)),
            Self::Restored { region, incarnation } => put_region(out, *region, *incarnation),
            Self::Readmitted(origin) => {
                put_region(out, origin.region, origin.incarnation);
                out.extend_from_slice(&origin.index.to_le_bytes());
                out.extend_from_slice(&origin.hlc.0.to_le_bytes());
                out.extend_from_slice(&origin.hash);
            }
            Self::ChainPart(part) => {
                part.chain.encode(out);
                out.extend_from_slice(&part.kept.to_le_bytes());
                out.extend_from_slice(&part.offset.to_le_bytes());
                out.extend_from_slice(&part.bytes);
            }
        }
    }

    /// Reads exactly the control part of a record of this kind.
    ///
    /// # Errors
    /// Truncation, trailing bytes, a region out of range, no chain or too many.
    pub fn decode(kind: RecordKind, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        let control = match kind {
            RecordKind::RegionSealed => {
                let count = (bytes.len() / SealedChain::BYTES).max(1);
                r.at_most("chains", count as u64, REGIONS_MAX as u64 - 1)?;
                let chains = (0..count).map(|_| SealedChain::decode(&mut r));
                Self::Sealed(chains.collect::<Result<_, _>>()?)
            }
            RecordKind::RegionRestored => {
                let (region, incarnation) = take_region(&mut r)?;
                Self::Restored { region, incarnation }
            }
            RecordKind::Readmitted => {
                let (region, incarnation) = take_region(&mut r)?;
                let (index, hlc, hash) = (r.u64()?, Hlc(r.u64()?), r.hash()?);
                Self::Readmitted(Origin { region, incarnation, index, hlc, hash })
            }
            RecordKind::ChainPart => {
                let chain = SealedChain::decode(&mut r)?;
                let (kept, offset) = (r.u64()?, r.u64()?);
                let length = r.left();
                r.at_most("bytes", length as u64, CHAIN_PART_BYTES_MAX as u64)?;
                let bytes = r.take(length)?.to_vec();
                Self::ChainPart(ChainPart { chain, kept, offset, bytes })
            }
            _ => Self::None,
        };
        r.finish()?;
        Ok(control)
    }
}

fn put_region(out: &mut Vec<u8>, region: RegionId, incarnation: Incarnation) {
    out.extend_from_slice(&[region.0, 0, 0, 0]);
    out.extend_from_slice(&incarnation.0.to_le_bytes());
}

fn take_region(r: &mut Reader<'_>) -> Result<(RegionId, Incarnation), DecodeError> {
    let region = RegionId(r.u8()?);
    r.at_most("region", region.0.into(), REGIONS_MAX as u64 - 1)?;
    r.take(3)?;
    Ok((region, Incarnation(r.u32()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(region: u8) -> SealedChain {
        let (incarnation, last_index) = (Incarnation(1), 77);
        SealedChain { region: RegionId(region), incarnation, last_index, last_hash: [7; 32] }
    }

    #[test]
    fn a_piece_of_a_chain_survives_and_is_bounded() {
        let piece = |length| {
            let bytes = vec![9; length];
            Control::ChainPart(ChainPart { chain: chain(1), kept: 70, offset: 3, bytes })
        };
        for length in [0, 1, CHAIN_PART_BYTES_MAX] {
            let mut bytes = Vec::new();
            piece(length).encode(&mut bytes);
            assert_eq!(Control::decode(RecordKind::ChainPart, &bytes), Ok(piece(length)));
            let cut = Control::decode(RecordKind::ChainPart, &bytes[..SealedChain::BYTES + 15]);
            assert!(cut.is_err(), "cut before the piece");
        }
        let mut bytes = Vec::new();
        piece(CHAIN_PART_BYTES_MAX + 1).encode(&mut bytes);
        assert!(Control::decode(RecordKind::ChainPart, &bytes).is_err(), "too long");
    }

    #[test]
    fn every_control_part_survives_and_none_survives_damage() {
        let origin = Origin {
            region: RegionId(1),
            incarnation: Incarnation(2),
            index: 9,
            hlc: Hlc(5),
            hash: [3; 32],
        };
        let restored = Control::Restored { region: RegionId(1), incarnation: Incarnation(3) };
        let parts = [
            (RecordKind::CloseTs, Control::None),
            (RecordKind::RegionSealed, Control::Sealed(vec![chain(1)])),
            (RecordKind::RegionSealed, Control::Sealed(vec![chain(1), chain(2)])),
            (RecordKind::RegionRestored, restored),
            (RecordKind::Readmitted, Control::Readmitted(origin)),
        ];
        for (kind, control) in parts {
            let mut bytes = Vec::new();
            control.encode(&mut bytes);
            assert_eq!(Control::decode(kind, &bytes), Ok(control));
            bytes.push(0);
            assert!(Control::decode(kind, &bytes).is_err(), "{kind:?} with a byte too many");
            for length in 0..bytes.len().saturating_sub(1) {
                let cut = Control::decode(kind, &bytes[..length]);
                let is_shorter_list = length > 0 && length % SealedChain::BYTES == 0;
                assert!(cut.is_err() || is_shorter_list, "{kind:?} cut to {length}");
            }
        }
    }
}
