//! Lives of nodes: a machine is switched on and opens its node from the disk; a node that halts is
//! dropped and opened again; a life that ends owes nothing any more.

use super::event::{self, Event, NodeEvent};
use super::machine::{Machine, Power};
use super::scrub::Scrub;
use super::{Phase, Todo, World};
use crate::trace::Traced;
use billing_core::{DiskFault, HaltReason, sometimes};
use billing_shell::{OpenError, Replica};
use billing_wire::RegionId;
use billsim_oracle::Violation;
use billsim_oracle::evidence::Tail;
use billsim_record::Happening;

/// A machine that could not open its node tries again after this, in nanoseconds.
const OPEN_AGAIN_NS: u64 = 500_000_000;

impl World {
    /// A machine is to be switched on. `None`: its region has no power yet.
    pub(super) fn switch_on(&mut self, slot: usize, life: u32) -> Option<Todo> {
        let machine = &mut self.machines[slot];
        if machine.life != life || machine.power != Power::Down {
            return None;
        }
        if let Some((until, _)) = machine.dark.filter(|(until, _)| *until > self.now) {
            self.queue.push(until, Event::Start { slot, life });
            return None;
        }
        machine.dark = None;
        Some(Todo::Start { slot })
    }

    /// Opens the node of a machine: what whoever runs the nodes calls for [`Todo::Start`].
    /// `None`: it could not be opened and will be tried again, or something broke.
    pub fn start(&mut self, slot: usize) -> Option<Replica> {
        self.health_changes();
        let (now, seed) = (self.now, self.process.next_u64());
        let regions = self.genesis.regions.len();
        let machine = &mut self.machines[slot];
        machine.life += 1;
        self.disturbed_at = now;
        self.trouble_at = now;
        let (node, life) = (machine.node, machine.life);
        self.trace.add(now, Traced::Life, slot as u8, &[1]);
        let before = durable_tails(machine, regions);
        let (harmed, is_damaged) = (machine.harm_to_find(), machine.is_damaged());
        let in_doubt = machine.disk().promise_in_doubt();
        let opened = machine.open(now, seed);
        if machine.disk().is_power_gone() {
            self.cut_while_opening(slot);
            return None;
        }
        match opened {
            Ok(replica) => {
                machine.disk().opened();
                machine.power = Power::Up;
                machine.halted = None;
                machine.scrub = Scrub::new(machine.scrub_pace, machine, now);
                machine.told = replica.node().committed();
                // After a kill the process sees what the disk has not got yet; what it opened
                // with must then be what recovery has made durable.
                let after = durable_tails(machine, regions);
                let disk = if machine.lost_power { before } else { after.clone() };
                machine.lost_power = false;
                let tick_ns = machine.tick_ns();
                // After a kill the superblock may promise what was struck before it was durable.
                let is_damaged = is_damaged || machine.is_damaged();
                let forgot = in_doubt.filter(|_| machine.disk().inspector().is_forgotten());
                if let Some(promised) = forgot {
                    // It says so, and cuts nothing: its segments stay behind new ones.
                    machine.disk().forgot_promise(promised);
                    self.jury.wiped(node);
                } else if is_damaged {
                    self.judge_damaged(slot, (&disk, &after), &replica);
                } else {
                    self.judge_recovery(node, &disk, &replica);
                }
                self.note_damage(slot, harmed, &replica);
                self.note_setback(slot);
                self.tell(|_| Happening::NodeUp { node: node.0 });
                if life > 1 {
                    sometimes!("node-opened-again");
                }
                if self.rebuilt_slot == Some(slot) {
                    sometimes!("node-rebuilt-from-the-log");
                }
                let at = now + self.process.range(1, tick_ns);
                self.queue.push(at, Event::Node { slot, life, event: NodeEvent::Tick });
                Some(replica)
            }
            Err(error @ (OpenError::Io(_) | OpenError::Ledger(_)))
                if self.phase == Phase::Safety =>
            {
                if error.is_full() {
                    machine.halted = Some(HaltReason::Disk(DiskFault::Full));
                    self.tallies.observed("disk-full");
                }
                // An armed disk fault struck; whoever supervises the process starts it again.
                self.queue.push(now + OPEN_AGAIN_NS, Event::Start { slot, life });
                None
            }
            Err(error) => {
                self.break_down(slot, "a node cannot be opened from its disk", &error.to_string());
                None
            }
        }
    }

    /// Something broke that no oracle watches: the run ends here.
    pub fn break_down(&mut self, slot: usize, shape: &str, detail: &str) {
        let node = event::name(self.machines[slot].node);
        self.broken.get_or_insert(Violation {
            oracle: "D9",
            promise: "a node comes back from any crash with everything that it acknowledged",
            shape: shape.to_owned(),
            detail: format!("{node}: {detail}"),
            transaction: None,
            at: self.now,
        });
    }

    pub(super) fn reopen(&mut self, slot: usize) {
        let now = self.now;
        self.close_calls(slot);
        self.note_trouble();
        self.tell_down(slot, true);
        let machine = &mut self.machines[slot];
        machine.disk().reopen(now);
        machine.power = Power::Down;
        machine.life += 1;
        machine.backlog.clear();
        machine.stopping = None;
        let life = machine.life;
        let at = now + self.process.range(1_000_000, 50_000_000);
        self.queue.push(at, Event::Start { slot, life });
    }

    /// A node's life ends, or the run does.
    pub(super) fn close_calls(&mut self, slot: usize) {
        let machine = &self.machines[slot];
        if machine.is_running() {
            self.jury.ended(self.now, machine.node, machine.patience_ns());
        }
        self.jury.ended(self.now, machine.node, u64::MAX - self.now);
    }
}

fn durable_tails(machine: &Machine, regions: usize) -> Vec<Tail> {
    let disk = machine.disk();
    let tail = |region| {
        let promise = disk.promised().promise(region);
        promise.map_or(Tail { index: 0, hash: [0; 32] }, |promise| Tail {
            index: promise.durable_index,
            hash: promise.last_hash,
        })
    };
    (0..).map(RegionId).take(regions).map(tail).collect()
}
