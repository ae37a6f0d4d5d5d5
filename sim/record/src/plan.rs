//! A fault plan: every fault of a run with its target and time, drawn from the seed, stored,
//! editable, and replayable without the seed's `process`, `net`, `disk` and `clock` draws.

use crate::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The format that this release writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// The faults of one run. Nodes are named by their slot: 0, 1, 2 within region 0, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Version of this format.
    pub format: u32,
    /// The scenario.
    pub scenario: String,
    /// Seed of everything that is not a planned fault: load, link latencies, tie-breaks.
    pub seed: u64,
    /// The faults in order of time.
    pub faults: Vec<PlannedFault>,
}

/// One fault with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// When it starts, in simulated milliseconds.
    pub at_ms: u64,
    /// How long it lasts, in simulated milliseconds; 0 for an instant.
    pub for_ms: u64,
    /// What it is.
    pub fault: Fault,
}

/// A fault and its target. Probabilities are in parts per million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Power cut: un-synced data is lost or torn; back after `for_ms`.
    PowerCut {
        /// The node.
        node: u8,
    },
    /// The process dies, the machine lives: un-synced data survives; back after `for_ms`.
    Kill {
        /// The node.
        node: u8,
    },
    /// Power cut in the middle of the k-th disk step from `at_ms` on; back after `for_ms`.
    PowerCutAtWrite {
        /// The node.
        node: u8,
        /// Which step, from 1.
        step: u32,
    },
    /// Power cut of every node at once; back after `for_ms`, each with its own delay.
    PowerCutAll,
    /// The process stands still for `for_ms`, then goes on as if nothing had happened.
    Pause {
        /// The node.
        node: u8,
    },
    /// Frames from one node to another are lost.
    Loss {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Parts per million.
        ppm: u32,
    },
    /// Frames from one node to another take longer.
    Delay {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Added to each, in microseconds.
        extra_us: u32,
    },
    /// Frames from one node to another arrive twice.
    Duplicate {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Parts per million.
        ppm: u32,
    },
    /// Frames from one node to another are overtaken by later ones.
    Reorder {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Parts per million.
        ppm: u32,
    },
    /// A bit of a frame flips on the way.
    BitFlip {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Parts per million.
        ppm: u32,
    },
    /// A link carries few bytes per second, so that its bounded queue fills.
    SlowLink {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
        /// Bytes per second.
        bytes_per_s: u32,
    },
    /// Nothing gets from one node to another; the other direction is not touched.
    Cut {
        /// Sender.
        from: u8,
        /// Receiver.
        to: u8,
    },
    /// Nothing gets from or to a node, clients included.
    Isolate {
        /// The node.
        node: u8,
    },
    /// Clients cannot reach a node; its peers can.
    ClientCut {
        /// The node.
        node: u8,
    },
    /// Every disk step takes longer.
    SlowDisk {
        /// The node.
        node: u8,
        /// Times as long.
        factor: u32,
    },
    /// The next writes fail with EIO.
    WriteFails {
        /// The node.
        node: u8,
        /// How many.
        count: u32,
    },
    /// The next syncs fail and drop what they should have kept.
    SyncFails {
        /// The node.
        node: u8,
        /// How many.
        count: u32,
    },
    /// The wall clock is off.
    ClockOffset {
        /// The node.
        node: u8,
        /// By so many milliseconds.
        offset_ms: i64,
    },
    /// The wall clock runs fast or slow.
    ClockDrift {
        /// The node.
        node: u8,
        /// By so many parts per million.
        ppm: i32,
    },
    /// The wall clock stands still.
    ClockFreeze {
        /// The node.
        node: u8,
    },
}

impl Fault {
    /// The kind as in plans, scenarios and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PowerCut { .. } => "power-cut",
            Self::Kill { .. } => "kill",
            Self::PowerCutAtWrite { .. } => "power-cut-at-write",
            Self::PowerCutAll => "power-cut-all",
            Self::Pause { .. } => "pause",
            Self::Loss { .. } => "loss",
            Self::Delay { .. } => "delay",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::BitFlip { .. } => "bit-flip",
            Self::SlowLink { .. } => "slow-link",
            Self::Cut { .. } => "cut",
            Self::Isolate { .. } => "isolate",
            Self::ClientCut { .. } => "client-cut",
            Self::SlowDisk { .. } => "slow-disk",
            Self::WriteFails { .. } => "write-fails",
            Self::SyncFails { .. } => "sync-fails",
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
