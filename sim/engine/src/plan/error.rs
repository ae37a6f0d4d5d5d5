//! What can be wrong with a plan, with the fault and its place.

use billsim_record::plan::PLAN_FORMAT;
use billsim_record::{NodeNumber, Target};

/// What makes a plan unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Written for another release.
    #[error("the plan has format {found}, this release runs format {PLAN_FORMAT}")]
    Format {
        /// What it says.
        found: u32,
    },
    /// Out of order.
    #[error("fault {place} ({kind}) is at {at_ms} ms, before the one ahead of it: sort by at_ms")]
    Order {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// Its time.
        at_ms: u64,
    },
    /// A target that does not exist.
    #[error("fault {place} ({kind}) names node {node}, the cluster has nodes 1 to {last}")]
    Node {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// The target.
        node: NodeNumber,
        /// The last node.
        last: u8,
    },
    /// A link from a node to itself.
    #[error("fault {place} ({kind}) is on a link from node {node} to itself")]
    OwnLink {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// The node.
        node: NodeNumber,
    },
    /// Regions that do not exist, or one and the same.
    #[error("fault {place} ({kind}) needs two of the {regions} regions, numbered from 0")]
    Regions {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// Regions of the cluster.
        regions: u8,
    },
    /// A region or a place in one that does not exist.
    #[error("fault {place} ({kind}) names {target}, the cluster has {size}, numbered from 0")]
    Place {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// What it says.
        target: Target,
        /// What there is.
        size: String,
    },
    /// Nobody would be left.
    #[error("fault {place} destroys the last region: leave one")]
    NothingLeft {
        /// Which fault, from 0.
        place: usize,
    },
    /// A seal of a region that there is not, or of a cluster of one.
    #[error("operator action {place} seals region {region}: the scenario has {regions} regions")]
    Seal {
        /// Which action, from 0.
        place: usize,
        /// The region.
        region: u8,
        /// Regions that there are.
        regions: u8,
    },
    /// Actions out of order.
    #[error("operator action {place} is at {at_ms} ms, before the one before it: sort by at_ms")]
    OperatorOrder {
        /// Which action, from 0.
        place: usize,
        /// Its time.
        at_ms: u64,
    },
    /// More than all calls.
    #[error("{service}.{key} is {found}, 0 to 100 expected")]
    Service {
        /// The provider or the mail service.
        service: &'static str,
        /// Which kind.
        key: &'static str,
        /// Its percentage.
        found: u8,
    },
    /// A fault that the safety phase does not see.
    #[error(
        "fault {place} ({kind}) is at {at_ms} ms, but load.until_ms ends the safety phase at \
         {until_ms} ms: leave it out, or end later"
    )]
    AfterEnd {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// Its time.
        at_ms: u64,
        /// The end of the phase.
        until_ms: u64,
    },
    /// A load that means nothing.
    #[error("load.{key} is 0, at least 1 expected")]
    EmptyLoad {
        /// Which restriction.
        key: &'static str,
    },
    /// A strength that means nothing.
    #[error("fault {place} ({kind}) has intensity {found}, {low} to {high} {unit} expected")]
    Intensity {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// What it says.
        found: u64,
        /// Smallest.
        low: u64,
        /// Largest.
        high: u64,
        /// Unit.
        unit: &'static str,
    },
    /// A duration where there is none, or none where one is needed.
    #[error("fault {place} ({kind}) has for_ms {found}, {expected} expected")]
    Duration {
        /// Which fault, from 0.
        place: usize,
        /// Its kind.
        kind: &'static str,
        /// What it says.
        found: u64,
        /// What is needed.
        expected: &'static str,
    },
}
