//! Fault kinds as scenarios name them, and how a seed draws each.

use super::Between;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of fault; the names are those of fault plans.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
// The numbers select the kind's random stream, so they are never reused.
pub enum FaultKind {
    /// Power cut of a node: un-synced data is lost or torn.
    PowerCut = 1,
    /// The process dies, the machine lives.
    Kill = 2,
    /// Power cut in the middle of the k-th disk step; intensity: k.
    PowerCutAtWrite = 3,
    /// Power cut of every node at once.
    PowerCutAll = 4,
    /// The process stands still.
    Pause = 5,
    /// Frames are lost; intensity: parts per million.
    Loss = 6,
    /// Frames take longer; intensity: microseconds.
    Delay = 7,
    /// Frames arrive twice; intensity: parts per million.
    Duplicate = 8,
    /// Frames are overtaken; intensity: parts per million.
    Reorder = 9,
    /// Bits of frames flip; intensity: parts per million.
    BitFlip = 10,
    /// A link carries little; intensity: bytes per second.
    SlowLink = 11,
    /// Nothing gets through in one direction, or in both.
    Cut = 12,
    /// Nothing gets from or to a node.
    Isolate = 13,
    /// Clients cannot reach a node.
    ClientCut = 14,
    /// Disk steps take longer; intensity: times as long.
    SlowDisk = 15,
    /// The next writes fail; intensity: how many.
    WriteFails = 16,
    /// The next syncs fail; intensity: how many.
    SyncFails = 17,
    /// The wall clock is off, ahead or behind; intensity: milliseconds.
    ClockOffset = 18,
    /// The wall clock runs fast or slow; intensity: parts per million.
    ClockDrift = 19,
    /// The wall clock stands still.
    ClockFreeze = 20,
    /// The disk finishes nothing.
    DiskStall = 21,
    /// Nothing gets from one region to another, in one direction or in both.
    RegionCut = 22,
    /// Nothing gets from one region to another, on and off; intensity: the period in
    /// milliseconds.
    RegionFlap = 23,
    /// A region loses its power and comes back.
    RegionDark = 24,
    /// A region is gone for good, with its disks. At most once in a run.
    RegionDestroyed = 25,
    /// Every link and disk of a region takes longer; intensity: times as long.
    RegionSlow = 26,
    /// One node of every region loses its power at once.
    ZoneDark = 27,
    /// Power cut at the k-th disk step, that of a recovery or of the ledger database included,
    /// sometimes once more in the recovery that follows; intensity: k.
    CrashPoint = 28,
    /// A disk is full; intensity: bytes that are left at first, and 1 more.
    DiskFull = 29,
    /// What a disk holds of a segment is damaged; intensity: bytes, 1 for one bit.
    SegmentRot = 30,
    /// One of the two copies of a superblock is damaged; intensity: bytes, 1 for one bit.
    SuperblockRot = 31,
    /// What a disk holds of the ledger database is damaged; intensity: bytes, 1 for one bit.
    LedgerRot = 32,
    /// All disks of a region are damaged, and one good copy of each record stays; intensity: 1
    /// for all of them on one node, 2 for copies on all.
    Helix = 33,
    /// A node's directory is gone, and it comes back without.
    Wipe = 34,
    /// A part of what a node keeps cannot be read until it is written again; intensity: bytes.
    ReadError = 35,
    /// A write lands somewhere else; intensity: 1 for the next sector, up to 2 for anywhere in its
    /// file, up to 3 for another file.
    MisdirectedWrite = 36,
    /// A write lands nowhere.
    PhantomWrite = 37,
    /// Reads of a page give another page.
    MisdirectedRead = 38,
    /// Syncs say that they are done and are not.
    LyingSync = 39,
    /// A node's disk becomes what it was so long ago.
    Rollback = 40,
    /// A region loses its power and two or three of its disks, and is rebuilt by an operator;
    /// intensity: disks.
    RegionWiped = 41,
    /// What a node serves to others that repair their logs is wrong by one bit, under checksums
    /// that fit.
    RepairRot = 42,
    /// A node is asked to stop, as for an upgrade, finishes what it has, ends and comes back.
    Restart = 43,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 43] = [
        Self::PowerCut,
        Self::Kill,
        Self::PowerCutAtWrite,
        Self::PowerCutAll,
        Self::Pause,
        Self::Loss,
        Self::Delay,
        Self::Duplicate,
        Self::Reorder,
        Self::BitFlip,
        Self::SlowLink,
        Self::Cut,
        Self::Isolate,
        Self::ClientCut,
        Self::SlowDisk,
        Self::WriteFails,
        Self::SyncFails,
        Self::ClockOffset,
        Self::ClockDrift,
        Self::ClockFreeze,
        Self::DiskStall,
        Self::RegionCut,
        Self::RegionFlap,
        Self::RegionDark,
        Self::RegionDestroyed,
        Self::RegionSlow,
        Self::ZoneDark,
        Self::CrashPoint,
        Self::DiskFull,
        Self::SegmentRot,
        Self::SuperblockRot,
        Self::LedgerRot,
        Self::Helix,
        Self::Wipe,
        Self::ReadError,
        Self::MisdirectedWrite,
        Self::PhantomWrite,
        Self::MisdirectedRead,
        Self::LyingSync,
        Self::Rollback,
        Self::RegionWiped,
        Self::RepairRot,
        Self::Restart,
    ];

    /// The name as in plans, scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::PowerCut => "power-cut",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::PowerCutAtWrite => "power-cut-at-write",
            Self::CrashPoint => "crash-point",
            Self::PowerCutAll => "power-cut-all",
            Self::Pause => "pause",
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::BitFlip => "bit-flip",
            Self::SlowLink => "slow-link",
            Self::Cut => "cut",
            Self::Isolate => "isolate",
            Self::ClientCut => "client-cut",
            Self::SlowDisk => "slow-disk",
            Self::DiskStall => "disk-stall",
            Self::RegionCut => "region-cut",
            Self::RegionFlap => "region-flap",
            Self::RegionDark => "region-dark",
            Self::RegionDestroyed => "region-destroyed",
            Self::RegionSlow => "region-slow",
            Self::ZoneDark => "zone-dark",
            Self::WriteFails => "write-fails",
            Self::SyncFails => "sync-fails",
            Self::DiskFull => "disk-full",
            Self::SegmentRot => "segment-rot",
            Self::SuperblockRot => "superblock-rot",
            Self::LedgerRot => "ledger-rot",
            Self::Helix => "helix",
            Self::Wipe => "wipe",
            Self::ReadError => "read-error",
            Self::MisdirectedWrite => "misdirected-write",
            Self::PhantomWrite => "phantom-write",
            Self::MisdirectedRead => "misdirected-read",
            Self::LyingSync => "lying-sync",
            Self::Rollback => "rollback",
            Self::RegionWiped => "region-wiped",
            Self::RepairRot => "repair-rot",
            Self::ClockOffset => "clock-offset",
            Self::ClockDrift => "clock-drift",
            Self::ClockFreeze => "clock-freeze",
        }
    }

    /// Legal intensities, both included, with their unit; `None` for a kind that has none.
    pub fn intensities(self) -> Option<(u64, u64, &'static str)> {
        match self {
            Self::Loss | Self::Duplicate | Self::Reorder | Self::BitFlip => {
                Some((1, 1_000_000, "parts per million"))
            }
            Self::PowerCutAtWrite | Self::CrashPoint => {
                Some((1, 1_000_000, "the number of the disk step"))
            }
            Self::Delay => Some((1, 60_000_000, "microseconds")),
            Self::SlowLink => Some((1, 1_000_000_000, "bytes per second")),
            Self::SlowDisk | Self::RegionSlow => Some((2, 100_000, "times as long")),
            Self::RegionFlap => Some((2, 600_000, "milliseconds from one cut to the next")),
            Self::WriteFails | Self::SyncFails => Some((1, 1_000, "how many fail")),
            Self::DiskFull => Some((1, 1 << 30, "bytes that are left, and 1 more")),
            Self::SegmentRot | Self::SuperblockRot | Self::LedgerRot => {
                Some((1, 1 << 24, "bytes, 1 for one bit"))
            }
            Self::ReadError => Some((1, 1 << 24, "bytes")),
            Self::MisdirectedWrite => Some((1, 3, "1 for the next sector, 2 its file, 3 another")),
            Self::RegionWiped => Some((2, 3, "disks that are lost")),
            Self::Helix => Some((1, 2, "1 for good copies on one node, 2 for all nodes")),
            Self::ClockOffset => Some((1, 3_600_000, "milliseconds")),
            Self::ClockDrift => Some((1, 100_000, "parts per million")),
            Self::PowerCut
            | Self::Kill
            | Self::Restart
            | Self::PowerCutAll
            | Self::Pause
            | Self::Cut
            | Self::Isolate
            | Self::ClientCut
            | Self::DiskStall
            | Self::Wipe
            | Self::PhantomWrite
            | Self::MisdirectedRead
            | Self::RepairRot
            | Self::LyingSync
            | Self::Rollback
            | Self::RegionCut
            | Self::RegionDark
            | Self::RegionDestroyed
            | Self::ZoneDark
            | Self::ClockFreeze => None,
        }
    }

    /// Whether it has a duration; the others are over when they have fired.
    pub fn lasts(self) -> bool {
        !matches!(
            self,
            Self::WriteFails
                | Self::SyncFails
                | Self::RegionDestroyed
                | Self::SegmentRot
                | Self::SuperblockRot
                | Self::LedgerRot
                | Self::ReadError
                | Self::MisdirectedWrite
                | Self::PhantomWrite
                | Self::Helix
        )
    }

    /// Whether it needs two regions.
    pub fn is_between_regions(self) -> bool {
        matches!(
            self,
            Self::RegionCut | Self::RegionFlap | Self::RegionDestroyed | Self::RegionWiped
        )
    }

    /// Whether it needs two nodes.
    pub fn is_of_a_link(self) -> bool {
        matches!(
            self,
            Self::Loss
                | Self::Delay
                | Self::Duplicate
                | Self::Reorder
                | Self::BitFlip
                | Self::SlowLink
                | Self::Cut
        )
    }
}

/// How a seed draws one kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultDraw {
    /// Per cent of the seeds that have the kind at all; 1 to 100.
    pub percent: u8,
    /// How often in such a seed; it draws one rate, log-scaled. This or `at_ms`.
    pub per_minute: Option<Between>,
    /// Once, at this time. This or `per_minute`.
    pub at_ms: Option<Between>,
    /// How long each takes, log-scaled; needed by the kinds that last.
    pub duration_ms: Option<Between>,
    /// How strong each is, log-scaled, in the kind's unit; needed by the kinds that have one.
    pub intensity: Option<Between>,
    /// Of `cut` between regions: two nodes, one of each of two regions, hear each other and no
    /// other node, and no other node hears them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pairs: bool,
}

/// How seeds differ in their faults and loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Swarm {
    /// Per cent of the seeds that have no fault at all; 0 to 100.
    pub none_percent: u8,
    /// Per cent of the seeds that have each of the load's features: bursts, spike, herd, backlog;
    /// 0 to 100.
    pub load_percent: u8,
}

impl Default for Swarm {
    fn default() -> Self {
        Self { none_percent: 3, load_percent: 100 }
    }
}
