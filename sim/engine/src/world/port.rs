//! What a simulated machine offers its node: the [`Host`] of one dispatch.

use super::World;
use super::event::{Event, NodeEvent};
use super::faults::CRASH_POINT;
use crate::trace::Traced;
use billing_core::consensus::message::granted_vote;
use billing_core::ledger::store::LedgerBatch;
use billing_core::{DiskStep, Effect, HaltReason, Notice, PersistToken, Probe, RequestId};
use billing_shell::{Host, LedgerDatabase};
use billing_wire::frame::FRAME_KIND_AT;
use billing_wire::{Frame, FrameKind, NodeId, ReadAnswer, SealAnswer, WriteAnswer};
use billsim_oracle::{Answer, CallId};
use bytes::Bytes;
use std::sync::Arc;

const MESSAGE_KIND_AT: usize = 32;
/// Kind of a vote's answer in `billing_core::consensus::message`.
const VOTE_ANSWER: u8 = 3;

/// A machine during one dispatch.
#[derive(Debug)]
pub struct Port<'a> {
    /// The world.
    pub world: &'a mut World,
    /// The machine.
    pub slot: usize,
}

impl Port<'_> {
    fn schedule(&mut self, at: u64, event: NodeEvent) {
        let life = self.world.machines[self.slot].life;
        self.world.queue.push(at, Event::Node { slot: self.slot, life, event });
    }

    fn watch_votes(&mut self, frame: &Bytes) {
        let is_vote = frame[FRAME_KIND_AT] == FrameKind::Raft as u8
            && frame.get(MESSAGE_KIND_AT) == Some(&VOTE_ANSWER);
        if !is_vote {
            return;
        }
        let Some((group, term, candidate)) =
            Frame::decode(frame).ok().and_then(|frame| granted_vote(&frame))
        else {
            return;
        };
        let (now, machine) = (self.world.now, &self.world.machines[self.slot]);
        let durable = {
            let mut disk = machine.disk();
            disk.advance(now);
            let promise = disk.promised().promise(group.0);
            if promise.is_some_and(|promise| promise.forgotten) {
                self.world.jury.vote_of_forgotten(now, machine.node);
            }
            promise.map(|p| (p.term, NodeId(p.vote as u16)))
        };
        let granted = (term, candidate);
        self.world.jury.vote_leaves(now, machine.node, group, granted, durable);
    }
}

fn trace_steps(world: &mut World, slot: usize, steps: &[DiskStep]) {
    for step in steps {
        if let DiskStep::Write { bytes, .. } = step {
            world.trace.add(world.now, Traced::Disk, slot as u8, bytes);
        }
    }
}

impl Host for Port<'_> {
    fn persist(&mut self, token: PersistToken, steps: Vec<DiskStep>) {
        let (now, slot) = (self.world.now, self.slot);
        self.world.begun += 1;
        trace_steps(self.world, slot, &steps);
        let machine = &self.world.machines[slot];
        let submitted = machine.disk().submit(now, token, steps);
        let faults = machine.disk().faults;
        let life = machine.life;
        if faults.slow > 1 {
            self.world.tallies.observed("slow-disk");
        }
        if faults.stalled_until > now {
            self.world.tallies.observed("disk-stall");
        }
        if let Some(at) = submitted.power_cut_at {
            let kind = "power-cut-at-write";
            self.world.queue.push(at, Event::PowerCut { slot, life, kind });
        }
        if let Some(at) = submitted.crash_at {
            self.world.queue.push(at, Event::PowerCut { slot, life, kind: CRASH_POINT });
        }
        let event = NodeEvent::DiskDone { token, result: submitted.result };
        self.schedule(submitted.done_at, event);
    }

    fn send(&mut self, to: NodeId, frame: Bytes) {
        self.watch_votes(&frame);
        self.world.send(self.slot, to, frame);
    }

    fn answer_write(&mut self, request: RequestId, answer: WriteAnswer) {
        self.world.leaving.push((CallId(request.0), Answer::Write(answer)));
    }

    fn answer_read(&mut self, request: RequestId, answer: ReadAnswer) {
        self.world.leaving.push((CallId(request.0), Answer::Read(Box::new(answer))));
    }

    fn answer_probe(&mut self, request: RequestId, probe: Probe) {
        self.world.probed.push((CallId(request.0), probe));
    }

    fn answer_seal(&mut self, request: RequestId, answer: SealAnswer) {
        self.world.seal_answered(request, &answer);
    }

    fn call_effect(&mut self, effect: Effect) {
        self.world.effects.push(effect);
    }

    fn send_notice(&mut self, notice: Notice) {
        self.world.notices.push(notice);
    }

    fn commit_ledger(&mut self, database: &Arc<LedgerDatabase>, batch: LedgerBatch) {
        let rows = (batch.changes.len() as u64).to_le_bytes();
        let now = self.world.now;
        self.world.begun += 1;
        self.world.trace.add(now, Traced::Disk, self.slot as u8, &rows);
        let result = database.commit(&batch);
        let machine = &self.world.machines[self.slot];
        if machine.disk().is_power_gone() {
            let (slot, life) = (self.slot, machine.life);
            self.world.queue.push(now, Event::PowerCut { slot, life, kind: CRASH_POINT });
        }
        // The work is done at once; what it would have cost is charged now.
        let takes = self.world.process.range(1_000_000, 20_000_000);
        self.schedule(now + takes, NodeEvent::LedgerDone(result));
    }

    fn halt(&mut self, reason: HaltReason) {
        self.world.machines[self.slot].halted = Some(reason);
    }
}
