//! What the engine tells of load and messages that it has made worse on purpose.

use super::Jury;
use crate::promises::c3_twice_is_once;
use billing_wire::NodeId;
use std::ops::Range;

impl Jury {
    /// In this run nothing goes wrong but that much more is asked from `from` to `to` (L6). To be
    /// told before the first call.
    pub fn spike(&mut self, from: u64, to: u64) {
        self.spike.is_from_to(from, to);
    }

    /// A node was given the same frame twice; `changed` says what the second one did to it (C3).
    pub fn delivered_twice(&mut self, at: u64, node: NodeId, changed: Option<&'static str>) {
        c3_twice_is_once::delivered(&mut self.verdicts, at, node, changed);
    }

    /// In this run one thing at a time goes wrong (L7); during these times no node of any region
    /// and a majority of that region hear each other. To be told before the first call.
    pub fn one_fault_at_a_time(&mut self, unserved: Vec<Range<u64>>) {
        self.availability.is_judged(unserved);
    }
}
