//! What a planned fault strikes, and its name for people.

use crate::plan::NodeNumber;
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
