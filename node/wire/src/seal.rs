//! What an operator who seals a region is told.

use crate::control::SealedChain;
use crate::ids::RegionId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a region was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum SealRefusal {
    /// There is no such region.
    #[error("there is no region {region}: see `billing-node status` for their names")]
    UnknownRegion {
        /// What was asked for.
        region: RegionId,
    },
    /// Its log has ended already.
    #[error("region {region} is sealed already")]
    AlreadySealed {
        /// Which.
        region: RegionId,
    },
    /// No region would be left.
    #[error("no region would be left to go on: name the lost regions only")]
    NoRegionLeft,
    /// What was acknowledged as `geo` or `final` may lie in two of the lost regions alone.
    #[error(
        "what is durable in two regions survives the loss of one: seal one, and the next when that \
         is done (`force` gives up what only these regions hold)"
    )]
    SeveralAtOnce,
    /// A node seals other regions than its own.
    #[error("this node is of region {region} itself: ask a node of a region that is left")]
    OwnRegion {
        /// Which.
        region: RegionId,
    },
    /// Somebody hears the region.
    #[error(
        "region {region} is alive: a node heard its leader within {silence_ms} ms; only a region \
         that is gone is sealed (`force` overrides)"
    )]
    Alive {
        /// Which.
        region: RegionId,
        /// How long it must have been silent, in milliseconds.
        silence_ms: u64,
    },
    /// The leader of the node's region must do it.
    #[error("this node does not lead its region: ask the leader, or again in a moment")]
    NotLeader,
    /// Too few nodes of the regions that are left answered.
    #[error(
        "two nodes of each region that is left must say where the lost log ends, and too few \
         answered: repeat it when they are back"
    )]
    TooFewReports,
    /// One seal at a time.
    #[error("another seal is under way: wait for it")]
    UnderWay,
    /// The cluster has one region.
    #[error("the cluster has one region: there is nothing to seal")]
    OneRegion,
}

/// What became of a seal.
pub type SealAnswer = Result<Vec<SealedChain>, SealRefusal>;
