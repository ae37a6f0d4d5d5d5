//! The same frame twice in a row (C3): now and then a node is fed again what it was fed just now,
//! and must have nothing left to do. In runs whose plan duplicates frames only, so that what others
//! run stays what it was.
//!
//! A frame that the node refused has not arrived: by the second feeding the node may have learned
//! what it takes to read it. Nothing is compared then.

use super::{Phase, World};
use crate::trace::Traced;
use billing_core::{Input, Status};
use billing_shell::Replica;
use billing_wire::RegionId;
use billsim_record::{Fault, FaultPlan};
use bytes::Bytes;

/// One frame in so many is fed twice.
const SAMPLE: u64 = 16;

/// What a message may change, and a second one must not.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    status: Status,
    /// Last indexes in memory, durable or not.
    last: Vec<u64>,
    /// What is to be logged as soon as the log takes it.
    waiting: usize,
    /// Persists and ledger commits that the node has begun.
    begun: u64,
}

/// Whether a plan duplicates frames anywhere.
pub(super) fn is_planned(plan: &FaultPlan) -> bool {
    plan.faults.iter().any(|planned| matches!(planned.fault, Fault::Duplicate { .. }))
}

impl World {
    /// Whether the input of a node is a frame that it is fed once more.
    pub fn is_fed_twice(&self, input: &Input) -> Option<Bytes> {
        let Input::Message(frame) = input else { return None };
        let is_sampled = self.delivered.is_multiple_of(SAMPLE) && self.phase == Phase::Safety;
        (is_sampled && self.duplicates).then(|| frame.clone())
    }

    /// Feeds the frame again by `again`, and tells the oracle what that changed. `true`: the node
    /// must be dropped.
    pub fn feed_twice(
        &mut self,
        slot: usize,
        replica: &mut Replica,
        frame: &Bytes,
        again: impl FnOnce(&mut Self, &mut Replica) -> bool,
    ) -> bool {
        let before = self.held(replica);
        self.trace.add(self.now, Traced::Delivery, slot as u8, frame);
        let is_dropped = again(self, replica);
        if is_dropped {
            return true;
        }
        let after = self.held(replica);
        let changed = if before.begun != after.begun {
            Some("is written to the disk")
        } else if before.last != after.last || before.waiting != after.waiting {
            Some("is logged again")
        } else {
            (before.status != after.status).then_some("changes the node")
        };
        let node = self.machines[slot].node;
        self.jury.delivered_twice(self.now, node, changed);
        false
    }

    fn held(&self, replica: &Replica) -> Held {
        let node = replica.node();
        let regions = self.regions().map(|region| RegionId(region as u8));
        Held {
            // The second may be of no use where the first was.
            status: Status { frames_refused: 0, ..replica.status() },
            last: regions.map(|region| node.last_index(region)).collect(),
            waiting: node.waiting_to_be_logged(),
            begun: self.begun,
        }
    }
}
