//! A fault plan: every fault of a run with its target and time, drawn from the seed, stored,
//! editable, and replayable without the seed's `process`, `net`, `disk` and `clock` draws.

use crate::crash_point::{InRecovery, Moment};
use crate::document::Document;
use crate::planned_load::PlannedLoad;
use crate::planned_service::PlannedService;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroU8;

/// The format that this release writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// The faults of one run, and what of its load is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Version of this format.
    pub format: u32,
    /// What this plan once showed, in a line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The scenario.
    pub scenario: String,
    /// Seed of everything that is not a planned fault: load, link latencies, tie-breaks.
    pub seed: u64,
    /// What of the load is sent; absent: all that the seed draws.
    #[serde(default, skip_serializing_if = "PlannedLoad::is_as_drawn")]
    pub load: PlannedLoad,
    /// The faults in order of time.
    pub faults: Vec<PlannedFault>,
    /// What an operator does, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator: Vec<PlannedAction>,
    /// How the payment provider misbehaves; absent: not at all.
    #[serde(default, skip_serializing_if = "PlannedService::is_sound")]
    pub provider: PlannedService,
    /// How the mail service misbehaves; absent: not at all.
    #[serde(default, skip_serializing_if = "PlannedService::is_sound")]
    pub mail: PlannedService,
}

impl FaultPlan {
    /// A plan of this release with these faults and the load as the seed draws it.
    pub fn new(scenario: String, seed: u64, faults: Vec<PlannedFault>) -> Self {
        let load = PlannedLoad::default();
        let operator = Vec::new();
        let provider = PlannedService::default();
        let (about, mail) = (None, PlannedService::default());
        Self { format: PLAN_FORMAT, about, scenario, seed, load, faults, operator, provider, mail }
    }
}

/// What an operator does, with its time. The command goes to a node of a region that is not the
/// one it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedAction {
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// The region that is sealed, by its id, from 0: it is gone and nothing of it will follow.
    pub seal: u8,
}

/// One fault with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// When it starts, in simulated milliseconds.
    pub at_ms: u64,
    /// How long it lasts, in simulated milliseconds; 0 for an instant.
    pub for_ms: u64,
    /// What it is.
    pub fault: Fault,
}

/// A node by its id, from 1, as in the nodes' own logs and in every report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct NodeNumber(pub NonZeroU8);

impl NodeNumber {
    /// The node in this slot of the world, from 0; at most 254.
    pub fn at(slot: u8) -> Self {
        Self(NonZeroU8::MIN.saturating_add(slot))
    }

    /// Its slot in the world, from 0.
    pub fn slot(self) -> usize {
        usize::from(self.0.get() - 1)
    }
}

impl Display for NodeNumber {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, out)
    }
}

/// A fault and its target. Probabilities are in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Power cut: un-synced data is lost or torn; back after `for_ms`.
    PowerCut {
        /// The node.
        node: NodeNumber,
    },
    /// The process dies, the machine lives: un-synced data survives; back after `for_ms`.
    Kill {
        /// The node.
        node: NodeNumber,
    },
    /// The node is asked to stop, finishes what it has, and ends; back after `for_ms`, or when it
    /// has ended.
    Restart {
        /// The node.
        node: NodeNumber,
    },
    /// Power cut in the middle of the k-th disk step from `at_ms` on; back after `for_ms`.
    PowerCutAtWrite {
        /// The node.
        node: NodeNumber,
        /// Which step, from 1.
        step: u32,
    },
    /// Power cut at the k-th disk step from `at_ms` on, whoever takes it: a persist, the ledger
    /// database, or the opening of a node; back after `for_ms`.
    CrashPoint {
        /// The node.
        node: NodeNumber,
        /// Which step, from 1.
        step: u32,
        /// Which part of it takes place.
        moment: Moment,
        /// And once more while the node recovers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<InRecovery>,
    },
    /// Power cut of every node at once; back after `for_ms`, each with its own delay.
    PowerCutAll,
    /// The process stands still for `for_ms`, then goes on as if nothing had happened.
    Pause {
        /// The node.
        node: NodeNumber,
    },
    /// Frames from one node to another are lost.
    Loss {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Parts per million.
        ppm: u32,
    },
    /// Frames from one node to another take longer.
    Delay {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Added to each, in microseconds.
        extra_us: u32,
    },
    /// Frames from one node to another arrive twice.
    Duplicate {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Parts per million.
        ppm: u32,
    },
    /// Frames from one node to another are overtaken by later ones.
    Reorder {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Parts per million.
        ppm: u32,
    },
    /// A bit of a frame flips on the way.
    BitFlip {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Parts per million.
        ppm: u32,
    },
    /// A link carries few bytes per second, so that its bounded queue fills.
    SlowLink {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
        /// Bytes per second.
        bytes_per_s: u32,
    },
    /// Nothing gets from one node to another; the other direction is not touched.
    Cut {
        /// Sender.
        from: NodeNumber,
        /// Receiver.
        to: NodeNumber,
    },
    /// Nothing gets from one region's nodes to another's; the other direction is not touched.
    RegionCut {
        /// Sending region, by its id, from 0.
        from_region: u8,
        /// Receiving region.
        to_region: u8,
    },
    /// A [`Self::RegionCut`] that comes and goes: cut for half of each period, then open.
    RegionFlap {
        /// Sending region, by its id, from 0.
        from_region: u8,
        /// Receiving region.
        to_region: u8,
        /// From one cut to the next, in milliseconds.
        period_ms: u32,
    },
    /// The power of a whole region goes, and nobody there answers; back after `for_ms`, each node
    /// with its own delay.
    RegionDark {
        /// The region, by its id, from 0.
        region: u8,
    },
    /// The power of a whole region goes, and so many of its disks are lost with it. Its nodes are
    /// back after `for_ms`, those with empty directories that say so; an operator rebuilds the
    /// region.
    RegionWiped {
        /// The region, by its id, from 0.
        region: u8,
        /// Disks that are lost.
        disks: u8,
    },
    /// All nodes of a region are gone for good, with their disks.
    RegionDestroyed {
        /// The region, by its id, from 0.
        region: u8,
    },
    /// Every link from, to and within a region, and every disk there, takes longer.
    RegionSlow {
        /// The region, by its id, from 0.
        region: u8,
        /// Times as long.
        factor: u32,
    },
    /// One node of every region loses its power at once; back after `for_ms`.
    ZoneDark {
        /// Its place in each region, from 0.
        zone: u8,
    },
    /// Nothing gets from or to a node, clients included.
    Isolate {
        /// The node.
        node: NodeNumber,
    },
    /// Clients cannot reach a node; its peers can.
    ClientCut {
        /// The node.
        node: NodeNumber,
    },
    /// Every disk step takes longer.
    SlowDisk {
        /// The node.
        node: NodeNumber,
        /// Times as long.
        factor: u32,
    },
    /// Disk steps that begin now are done when it is over, not before.
    DiskStall {
        /// The node.
        node: NodeNumber,
    },
    /// The next writes fail with EIO.
    WriteFails {
        /// The node.
        node: NodeNumber,
        /// How many.
        count: u32,
    },
    /// The next syncs fail and drop what they should have kept.
    SyncFails {
        /// The node.
        node: NodeNumber,
        /// How many.
        count: u32,
    },
    /// What a file grows by finds no space once so much has been taken; what it finds is written.
    DiskFull {
        /// The node.
        node: NodeNumber,
        /// Space that is left when it begins, in bytes.
        bytes_left: u32,
    },
    /// What a disk holds of a segment is damaged, where a good copy of each record stays.
    SegmentRot {
        /// The node.
        node: NodeNumber,
        /// How much, in bytes; 0 for one bit.
        bytes: u32,
    },
    /// One copy of a superblock is damaged, where its other one is good.
    SuperblockRot {
        /// The node.
        node: NodeNumber,
        /// How much, in bytes; 0 for one bit.
        bytes: u32,
    },
    /// What a disk holds of the ledger database is damaged.
    LedgerRot {
        /// The node.
        node: NodeNumber,
        /// How much, in bytes; 0 for one bit.
        bytes: u32,
    },
    /// A stretch of the log, of a copy of the superblock or of the ledger database cannot be read
    /// (EIO) until it is written again.
    ReadError {
        /// The node.
        node: NodeNumber,
        /// How much, in bytes.
        bytes: u32,
    },
    /// One write of the next persist lands somewhere else, where a good copy of each record stays.
    MisdirectedWrite {
        /// The node.
        node: NodeNumber,
        /// How far: 1 for the next sector, 2 for anywhere in its file, 3 for another file.
        reach: u8,
    },
    /// One write of the next persist lands nowhere, where a good copy of each record stays.
    PhantomWrite {
        /// The node.
        node: NodeNumber,
    },
    /// What a node serves to others that repair their logs is wrong by one bit meanwhile, under
    /// checksums that fit: it went bad in memory, or another release wrote it.
    RepairRot {
        /// The node.
        node: NodeNumber,
    },
    /// Reads of a page of the log or of the ledger database give another page meanwhile.
    MisdirectedRead {
        /// The node.
        node: NodeNumber,
    },
    /// Syncs say that they are done and are not: a power cut meanwhile may lose anything that was
    /// written since it began.
    LyingSync {
        /// The node.
        node: NodeNumber,
    },
    /// When it ends, the power goes and the node's disk is as it was when it began.
    Rollback {
        /// The node.
        node: NodeNumber,
    },
    /// A node's directory is gone. It comes back after `for_ms` with an empty one, which says that
    /// the node lost its disk.
    Wipe {
        /// The node.
        node: NodeNumber,
    },
    /// All disks of a region are damaged, and one good copy of each record stays.
    Helix {
        /// The region, by its id, from 0.
        region: u8,
        /// The good copies are on all of the nodes, not on one.
        spread: bool,
    },
    /// The wall clock is off.
    ClockOffset {
        /// The node.
        node: NodeNumber,
        /// By so many milliseconds.
        offset_ms: i64,
    },
    /// The wall clock runs fast or slow.
    ClockDrift {
        /// The node.
        node: NodeNumber,
        /// By so many parts per million.
        ppm: i32,
    },
    /// The wall clock stands still.
    ClockFreeze {
        /// The node.
        node: NodeNumber,
    },
}

impl Fault {
    /// The kind as in plans, scenarios and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PowerCut { .. } => "power-cut",
            Self::Kill { .. } => "kill",
            Self::Restart { .. } => "restart",
            Self::PowerCutAtWrite { .. } => "power-cut-at-write",
            Self::CrashPoint { .. } => "crash-point",
            Self::PowerCutAll => "power-cut-all",
            Self::Pause { .. } => "pause",
            Self::Loss { .. } => "loss",
            Self::Delay { .. } => "delay",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::BitFlip { .. } => "bit-flip",
            Self::SlowLink { .. } => "slow-link",
            Self::Cut { .. } => "cut",
            Self::RegionCut { .. } => "region-cut",
            Self::RegionFlap { .. } => "region-flap",
            Self::RegionDark { .. } => "region-dark",
            Self::RegionWiped { .. } => "region-wiped",
            Self::RegionDestroyed { .. } => "region-destroyed",
            Self::RegionSlow { .. } => "region-slow",
            Self::ZoneDark { .. } => "zone-dark",
            Self::Isolate { .. } => "isolate",
            Self::ClientCut { .. } => "client-cut",
            Self::SlowDisk { .. } => "slow-disk",
            Self::DiskStall { .. } => "disk-stall",
            Self::WriteFails { .. } => "write-fails",
            Self::SyncFails { .. } => "sync-fails",
            Self::DiskFull { .. } => "disk-full",
            Self::SegmentRot { .. } => "segment-rot",
            Self::SuperblockRot { .. } => "superblock-rot",
            Self::LedgerRot { .. } => "ledger-rot",
            Self::ReadError { .. } => "read-error",
            Self::MisdirectedWrite { .. } => "misdirected-write",
            Self::PhantomWrite { .. } => "phantom-write",
            Self::RepairRot { .. } => "repair-rot",
            Self::MisdirectedRead { .. } => "misdirected-read",
            Self::LyingSync { .. } => "lying-sync",
            Self::Rollback { .. } => "rollback",
            Self::Wipe { .. } => "wipe",
            Self::Helix { .. } => "helix",
            Self::ClockOffset { .. } => "clock-offset",
            Self::ClockDrift { .. } => "clock-drift",
            Self::ClockFreeze { .. } => "clock-freeze",
        }
    }
}

impl Document for FaultPlan {
    const KIND: &'static str = "the fault plan";
    const FORMAT: u32 = PLAN_FORMAT;
}
