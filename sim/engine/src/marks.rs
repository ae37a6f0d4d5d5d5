//! The `sometimes!` marks of the engine, and the collection of everybody's.

use std::collections::BTreeMap;

billing_core::catalogue_of_marks![
    "crash-with-unsynced-bytes",
    "answer-lost-on-the-way",
    "node-opened-again",
    "node-rebuilt-from-the-log",
    "edge-cut-from-node",
    "payout-asked-for-again",
    "payout-after-its-caller-gave-up",
];

/// Names of all marks, in node and engine.
pub fn catalogue() -> impl Iterator<Item = &'static str> {
    let edge = billing_edge::marks::CATALOGUE;
    CATALOGUE.iter().chain(billing_core::marks::CATALOGUE).chain(edge).copied()
}

/// All counts of this thread since the last call.
pub fn take_all() -> BTreeMap<String, u64> {
    let all =
        take().into_iter().chain(billing_core::marks::take()).chain(billing_edge::marks::take());
    all.map(|(name, count)| (name.to_owned(), count)).collect()
}
