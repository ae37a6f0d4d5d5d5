//! Restarts in order, as for an upgrade: a node is asked to stop, takes no more writes, finishes
//! what it has and ends; whoever runs it starts it again. One that dies or halts before that is not
//! asked again.

use super::{Todo, World};
use billing_core::{Input, sometimes};
use billing_shell::Replica;

/// Who is not done so long after it was asked is ended anyway, in nanoseconds: what `drain_ms` of
/// a node's settings is by default.
const DRAIN_NS: u64 = 10_000_000_000;

/// A node that was asked to stop.
#[derive(Debug, Clone, Copy)]
pub struct Stopping {
    /// It is ended then, done or not.
    until: u64,
    /// It is not started again before.
    back_at: u64,
}

impl World {
    /// Asks a node to stop. One that is down, stands still or has been asked is left alone.
    pub(super) fn restart(&mut self, slot: usize, back_at: u64) -> Todo {
        let machine = &mut self.machines[slot];
        if !machine.is_running() || machine.stopping.is_some() {
            return Todo::Nothing;
        }
        machine.stopping = Some(Stopping { until: self.now + DRAIN_NS, back_at });
        Todo::Feed { slot, input: Input::Stop }
    }

    /// Ends a node that was asked to stop and is done, or has had its time. `true`: it has ended.
    pub(super) fn ends_in_order(&mut self, slot: usize, replica: &Replica) -> bool {
        let Some(stopping) = self.machines[slot].stopping else { return false };
        let is_done = replica.node().is_drained();
        if !is_done && self.now < stopping.until {
            return false;
        }
        if is_done {
            sometimes!("node-stopped-in-order");
            self.jury.stopped(self.now, self.machines[slot].node);
        } else {
            sometimes!("node-stopped-half-done");
        }
        self.machines[slot].disk().kill(self.now);
        self.dies(slot, "restart", stopping.back_at);
        true
    }
}
