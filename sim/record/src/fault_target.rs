//! What a planned fault strikes, and its name for people.

use crate::plan::{Fault, NodeNumber};
use std::fmt::{self, Display, Formatter};

/// What a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Every node.
    All,
    /// One node.
    Node(NodeNumber),
    /// What one node sends to another.
    Link(NodeNumber, NodeNumber),
    /// What one region's nodes send to another's.
    Regions(u8, u8),
    /// Every node of a region.
    Region(u8),
    /// The node of every region that has this place in it, from 0.
    Zone(u8),
}

impl Fault {
    /// What it strikes.
    pub fn target(&self) -> Target {
        match *self {
            Self::PowerCutAll => Target::All,
            Self::RegionCut { from_region, to_region }
            | Self::RegionFlap { from_region, to_region, .. } => {
                Target::Regions(from_region, to_region)
            }
            Self::RegionDark { region }
            | Self::RegionWiped { region, .. }
            | Self::RegionDestroyed { region }
            | Self::RegionSlow { region, .. }
            | Self::Helix { region, .. } => Target::Region(region),
            Self::ZoneDark { zone } => Target::Zone(zone),
            Self::Loss { from, to, .. }
            | Self::Delay { from, to, .. }
            | Self::Duplicate { from, to, .. }
            | Self::Reorder { from, to, .. }
            | Self::BitFlip { from, to, .. }
            | Self::SlowLink { from, to, .. }
            | Self::Cut { from, to } => Target::Link(from, to),
            Self::PowerCut { node }
            | Self::Kill { node }
            | Self::Restart { node }
            | Self::PowerCutAtWrite { node, .. }
            | Self::CrashPoint { node, .. }
            | Self::Pause { node }
            | Self::Isolate { node }
            | Self::ClientCut { node }
            | Self::SlowDisk { node, .. }
            | Self::DiskStall { node }
            | Self::WriteFails { node, .. }
            | Self::SyncFails { node, .. }
            | Self::DiskFull { node, .. }
            | Self::SegmentRot { node, .. }
            | Self::SuperblockRot { node, .. }
            | Self::LedgerRot { node, .. }
            | Self::ReadError { node, .. }
            | Self::MisdirectedWrite { node, .. }
            | Self::PhantomWrite { node }
            | Self::RepairRot { node }
            | Self::MisdirectedRead { node }
            | Self::LyingSync { node }
            | Self::Rollback { node }
            | Self::Wipe { node }
            | Self::ClockOffset { node, .. }
            | Self::ClockDrift { node, .. }
            | Self::ClockFreeze { node } => Target::Node(node),
        }
    }
}

impl Display for Target {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all nodes"),
            Self::Node(node) => write!(out, "node {node}"),
            Self::Link(from, to) => write!(out, "link {from} to {to}"),
            Self::Regions(from, to) => write!(out, "all links from region {from} to {to}"),
            Self::Region(region) => write!(out, "region {region}"),
            Self::Zone(zone) => write!(out, "zone {zone} of every region"),
        }
    }
}
