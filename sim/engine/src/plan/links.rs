//! Which links a fault between nodes is on.

use crate::scenario::Cluster;
use crate::seed::Stream;
use billsim_record::NodeNumber;

/// Which links a fault is on: one direction, both (with three nodes: a bridge), everything from
/// a node, everything to a node, all between two halves, or all.
pub(super) fn drawn(stream: &mut Stream, nodes: u8) -> Vec<(NodeNumber, NodeNumber)> {
    let a = stream.below(nodes.into()) as u8;
    let b = (a + 1 + stream.below(u64::from(nodes) - 1) as u8) % nodes;
    let others = (0..nodes).filter(|n| *n != a).map(NodeNumber::at);
    let (a, b) = (NodeNumber::at(a), NodeNumber::at(b));
    match stream.below(10) {
        0..3 => vec![(a, b)],
        3..5 => vec![(a, b), (b, a)],
        5 => others.map(|n| (a, n)).collect(),
        6 => others.map(|n| (n, a)).collect(),
        7..9 => between_halves(stream, nodes),
        _ => {
            let each = || (0..nodes).map(NodeNumber::at);
            let all = each().flat_map(|from| each().map(move |to| (from, to)));
            all.filter(|(from, to)| from != to).collect()
        }
    }
}

/// The links between two drawn nodes, one of each of two regions, and all others.
pub(super) fn around_pair(stream: &mut Stream, cluster: &Cluster) -> Vec<(NodeNumber, NodeNumber)> {
    let (regions, size) = (cluster.regions, cluster.nodes_per_region);
    let a = stream.below(regions.into()) as u8;
    let b = (a + 1 + stream.below(u64::from(regions) - 1) as u8) % regions;
    let mut node_of = |region: u8| region * size + stream.below(size.into()) as u8;
    around(1 << node_of(a) | 1 << node_of(b), cluster.nodes())
}

/// The links between two drawn halves of the nodes, neither empty, wherever their regions are.
fn between_halves(stream: &mut Stream, nodes: u8) -> Vec<(NodeNumber, NodeNumber)> {
    around(1 + stream.below((1 << nodes) - 2), nodes)
}

/// The links between the nodes whose bits are set and the others.
fn around(half: u64, nodes: u8) -> Vec<(NodeNumber, NodeNumber)> {
    let is_in = |node: u8| half >> node & 1 == 1;
    let each = || 0..nodes;
    let all = each().flat_map(|from| each().map(move |to| (from, to)));
    let between = all.filter(|(from, to)| is_in(*from) != is_in(*to));
    between.map(|(from, to)| (NodeNumber::at(from), NodeNumber::at(to))).collect()
}
