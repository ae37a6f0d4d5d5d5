//! Where the second of two rivals is sent: to another region than the first.

use crate::scenario::Scenario;
use crate::seed::Stream;
use billing_wire::NodeId;
use billsim_oracle::history::Endpoint;
use std::collections::BTreeMap;

/// The region of each node, and a stream of its own to choose by.
#[derive(Debug)]
pub(super) struct Rivals {
    regions: BTreeMap<NodeId, usize>,
    stream: Stream,
}

impl Rivals {
    /// Nodes come region by region.
    pub(super) fn new(scenario: &Scenario, endpoints: &[Endpoint], stream: Stream) -> Self {
        let size = usize::from(scenario.cluster.nodes_per_region);
        let nodes = endpoints.iter().filter_map(|endpoint| match endpoint {
            Endpoint::Node(node) => Some(*node),
            Endpoint::Edge(_) => None,
        });
        Self { regions: nodes.zip(0..).map(|(node, place)| (node, place / size)).collect(), stream }
    }

    /// A place among the endpoints in another region than that of `taken`; where there is none, it
    /// stays at `from`.
    pub(super) fn turn(&mut self, endpoints: &[Endpoint], taken: usize, from: usize) -> usize {
        let region = |place: usize| match endpoints[place] {
            Endpoint::Node(node) => self.regions.get(&node).copied(),
            Endpoint::Edge(nearest) => Some(nearest.0.into()),
        };
        let here = region(taken);
        let elsewhere: Vec<usize> =
            (0..endpoints.len()).filter(|place| region(*place) != here).collect();
        if elsewhere.is_empty() { from } else { *self.stream.pick(&elsewhere) }
    }
}
