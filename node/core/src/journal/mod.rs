//! The region logs on disk: records in segments, a superblock that says how far they are
//! durable, the recovery that reads both back, and an inspection that changes nothing.

mod chain;
pub mod inspection;
mod recovery;
pub mod segment;
pub mod superblock;
pub mod writer;

pub use inspection::{Inspection, LogReport, Torn, inspect};
pub use recovery::recover;
pub use superblock::{RegionPromise, Superblock};
pub use writer::{Tail, Writer};

use crate::io::{DiskStep, FileName};
use billing_wire::{Genesis, Hash, Incarnation, LogIndex, NodeId, RegionId};
use bytes::Bytes;
use thiserror::Error;

/// The files that recovery reads, whole.
pub type Image = Vec<(FileName, Vec<u8>)>;

/// What recovery found.
#[derive(Debug)]
pub struct Recovered {
    /// The promises, made durable again by the steps of recovery.
    pub superblock: Superblock,
    /// The logs, in the order of the superblock.
    pub logs: Vec<RecoveredLog>,
    /// Why the superblock is a new one, if it is.
    pub forgot: Option<Forgot>,
}

/// One region log up to its durable index.
#[derive(Debug)]
pub struct RecoveredLog {
    /// The region log.
    pub region: RegionId,
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// This node has promised to take no more of it.
    pub fenced: bool,
    /// Its records from index 1 up to the first that is missing.
    pub records: Vec<Bytes>,
    /// What is missing of it, ascending: promised, and not readable any more.
    pub holes: Vec<Hole>,
    /// The records that are left behind the first one that is missing or must be written again,
    /// ascending. Which of them are part of the log is certain once the holes behind them are
    /// filled: each hole is pinned by what follows it.
    pub behind: Vec<Bytes>,
    /// Records of earlier incarnations that were sealed without them.
    pub orphans: Vec<Bytes>,
    /// Where the next record goes.
    pub tail: Tail,
}

/// Why a node does not know any more what it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Forgot {
    /// There was a superblock: what it promised about the other files is not known.
    #[error(
        "superblock is missing beside {beside}: the node forgot what it promised, and takes part \
         in nothing before the others let it in again"
    )]
    SuperblockMissing {
        /// The first of the files that a superblock belongs to.
        beside: FileName,
    },
    /// All copies are broken.
    #[error(
        "superblock: none of the copies at offsets 0, 4096, 8192 and 12288 verifies: the node \
         forgot what it promised, and takes part in nothing before the others let it in again"
    )]
    SuperblockDamaged,
    /// Both copies of one are broken, which may have been the last.
    #[error(
        "superblock: neither copy of one verifies, and what is left may be older: the node forgot \
         what it promised, and takes part in nothing before the others let it in again"
    )]
    SuperblockPairDamaged,
}

/// A stretch of a region log that was promised and is not readable any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The first record that is missing.
    pub first: LogIndex,
    /// The last one.
    pub last: LogIndex,
    /// Hash of the last one, as the record behind it or the superblock says.
    pub last_hash: Hash,
}

/// Why a directory cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecoverError {
    /// Nothing was ever promised here.
    #[error(
        "no superblock: an empty directory never starts by itself, run `billing-node init` (with \
         `--lost-disk` if the node was there before)"
    )]
    NoSuperblock,
    /// What was promised is not known any more, and there is no other node that could know.
    #[error("{0}; there are none: restore the file")]
    Alone(Forgot),
    /// The directory belongs to another cluster.
    #[error("directory of another cluster (mark {found:016x}, expected {expected:016x})")]
    OtherCluster {
        /// What the superblock says.
        found: u64,
        /// What genesis says.
        expected: u64,
    },
    /// The directory belongs to another node.
    #[error("directory of node {found}, but this is node {expected}: check `node` and `dir`")]
    OtherNode {
        /// What the superblock says.
        found: NodeId,
        /// What the configuration says.
        expected: NodeId,
    },
    /// The superblock is of another set of region logs than genesis.
    #[error("superblock of {found} region logs, genesis has {expected}: check `dir`")]
    OtherRegions {
        /// Region logs in the superblock.
        found: usize,
        /// Regions of the cluster.
        expected: usize,
    },
}

/// The first superblock of an empty node: what `init` writes beside the genesis file.
pub fn first_steps(genesis: &Genesis, node: NodeId) -> Vec<DiskStep> {
    steps_of(genesis, node, None)
}

/// As [`first_steps`], of a node whose directory was lost: it takes part in nothing before the
/// others let it in again. `generation` tells its messages from those of earlier lives: 1 to
/// [`GENERATION_MAX`], drawn.
///
/// # Panics
/// With a generation out of range.
pub fn first_steps_of_lost(genesis: &Genesis, node: NodeId, generation: u8) -> Vec<DiskStep> {
    steps_of(genesis, node, Some(generation))
}

/// Highest generation.
pub const GENERATION_MAX: u8 = 127;

fn steps_of(genesis: &Genesis, node: NodeId, lost: Option<u8>) -> Vec<DiskStep> {
    let generation = lost.unwrap_or(0);
    assert!(lost.is_none_or(|lost| (1..=GENERATION_MAX).contains(&lost)), "7 bits, not zero");
    let promise = |r: &billing_wire::RegionMembers| RegionPromise {
        forgotten: lost.is_some(),
        generation,
        ..RegionPromise::empty(r.region, r.incarnation)
    };
    let superblock = Superblock {
        node,
        cluster: billing_wire::frame::cluster_mark(genesis.cluster),
        sequence: 1,
        regions: genesis.regions.iter().map(promise).collect(),
        seen: Vec::new(),
    };
    let mut steps = vec![
        DiskStep::Write {
            file: FileName::Genesis,
            offset: 0,
            bytes: Bytes::from(genesis.encode()),
        },
        DiskStep::Sync { file: FileName::Genesis },
    ];
    superblock.steps(&mut steps);
    steps
}
