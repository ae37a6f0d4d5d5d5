//! The birth certificate of a cluster: made once by an explicit command, the same on every node.

use crate::codec::{DecodeError, Reader, put_text};
use crate::ids::{ClusterId, Incarnation, NodeId, RegionId};
use crate::limits::{MEMBERS_MAX, REGIONS_MAX, TEXT_BYTES_MAX};

const WHAT: &str = "genesis";
/// The format that this release writes and reads.
pub const GENESIS_FORMAT: u8 = 1;
const MAGIC: &[u8; 8] = b"BILLGEN\x01";

/// A region and its voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionMembers {
    /// The region.
    pub region: RegionId,
    /// Its name (`east`).
    pub name: String,
    /// Which founding of the region this is.
    pub incarnation: Incarnation,
    /// The voters of its region log; learners are all other nodes of the cluster.
    pub nodes: Vec<NodeId>,
}

/// What every node of a cluster knows from its first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Identity of the cluster.
    pub cluster: ClusterId,
    /// ISO 4217 code of the one currency.
    pub currency: [u8; 3],
    /// Key of the MAC of session tokens.
    pub secret: [u8; 32],
    /// The regions, ascending by id, ids dense from 0.
    pub regions: Vec<RegionMembers>,
}

impl Genesis {
    /// The region that a node belongs to.
    pub fn region_of(&self, node: NodeId) -> Option<RegionId> {
        self.regions.iter().find(|r| r.nodes.contains(&node)).map(|r| r.region)
    }

    /// Every node, in order of regions.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.regions.iter().flat_map(|r| r.nodes.iter().copied())
    }

    /// The bytes of the genesis file: magic, length, CRC32C, content.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = vec![GENESIS_FORMAT];
        body.extend_from_slice(&self.cluster.0.to_le_bytes());
        body.extend_from_slice(&self.currency);
        body.extend_from_slice(&self.secret);
        body.push(self.regions.len() as u8);
        for region in &self.regions {
            body.push(region.region.0);
            put_text(&mut body, &region.name);
            body.extend_from_slice(&region.incarnation.0.to_le_bytes());
            body.push(region.nodes.len() as u8);
            for node in &region.nodes {
                body.extend_from_slice(&node.0.to_le_bytes());
            }
        }
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }

    /// Reads a genesis file.
    ///
    /// # Errors
    /// Whatever is not exactly what [`Genesis::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        let magic = r.take(8)?;
        let length = r.u32()? as usize;
        let stored = r.u32()?;
        let body = r.take(length)?;
        r.finish()?;
        let computed = crc32c::crc32c(body);
        if stored != computed || magic != MAGIC {
            return Err(DecodeError::Checksum { what: WHAT, stored, computed });
        }
        Self::decode_body(body)
    }

    fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, body);
        let found = r.u8()?;
        if found != GENESIS_FORMAT {
            return Err(DecodeError::Version { what: WHAT, found, expected: GENESIS_FORMAT });
        }
        let cluster = ClusterId(r.u128()?);
        let mut currency = [0; 3];
        currency.copy_from_slice(r.take(3)?);
        let secret = r.hash()?;
        let count = r.u8()?;
        r.at_most("regions", count.into(), REGIONS_MAX as u64)?;
        let mut regions = Vec::with_capacity(count.into());
        for _ in 0..count {
            regions.push(decode_region(&mut r)?);
        }
        r.finish()?;
        Ok(Self { cluster, currency, secret, regions })
    }
}

fn decode_region(r: &mut Reader<'_>) -> Result<RegionMembers, DecodeError> {
    let region = RegionId(r.u8()?);
    r.at_most("region", region.0.into(), REGIONS_MAX as u64 - 1)?;
    let name = r.text("name", TEXT_BYTES_MAX)?.to_owned();
    let incarnation = Incarnation(r.u32()?);
    let count = r.u8()?;
    r.at_most("nodes", count.into(), MEMBERS_MAX as u64)?;
    let nodes = (0..count).map(|_| r.u16().map(NodeId)).collect::<Result<_, _>>()?;
    Ok(RegionMembers { region, name, incarnation, nodes })
}
