//! Frames between nodes, and clients: what they send, what reaches a node, what comes back.

use super::event::{Event, NodeEvent};
use super::links::Struck;
use super::machine::Power;
use super::{OpenCall, Todo, World};
use crate::clients::Action;
use crate::trace::Traced;
use billing_core::sometimes;
use billing_wire::{Grade, NodeId, WriteAnswer};
use billsim_oracle::evidence::DurableLogs;
use billsim_oracle::{Answer, CallId, Endpoint, Event as HistoryEvent, Request};
use bytes::Bytes;

/// Events that wait for a process that stands still, at most; frames beyond are lost.
const BACKLOG_MAX: usize = 10_000;

/// The disks of all machines as the oracles see them.
struct Disks<'a>(&'a [super::Machine]);

impl DurableLogs for Disks<'_> {
    fn record_hash(
        &self,
        node: NodeId,
        region: billing_wire::RegionId,
        index: u64,
    ) -> Option<billing_wire::Hash> {
        let machine = self.0.iter().find(|machine| machine.node == node)?;
        // What an injected fault took away had been there: it was promised no better.
        machine.disk().has_held(region, index)
    }
}

impl World {
    /// Shows an oracle the bytes that would survive a power cut of all machines now.
    pub(super) fn look_at_disks<T>(
        &mut self,
        look: impl FnOnce(&mut billsim_oracle::Jury, u64, &dyn DurableLogs) -> T,
    ) -> T {
        for machine in &self.machines {
            machine.disk().advance(self.now);
        }
        look(&mut self.jury, self.now, &Disks(&self.machines))
    }

    /// A frame as it is delivered.
    pub(super) fn maybe_altered(&self, bytes: Bytes) -> Bytes {
        if self.altered_frame != Some(self.delivered) {
            return bytes;
        }
        let mut altered = bytes.to_vec();
        if let Some(last) = altered.last_mut() {
            *last ^= 1;
        }
        Bytes::from(altered)
    }

    /// A frame leaves a machine.
    pub(super) fn send(&mut self, from: usize, to: NodeId, frame: Bytes) {
        let Some(to) = self.machines.iter().position(|machine| machine.node == to) else { return };
        if self.machines[from].isolated + self.machines[to].isolated > 0 {
            self.tallies.observed("isolate");
            self.tell_sent(from, to, &frame, (Struck::default(), [None; 2]));
            return;
        }
        let frame = self.served(from, frame);
        // Cheap: frames are counted references.
        let told = self.teller.is_some().then(|| frame.clone());
        let passage = self.links.pass(self.now, from, to, frame);
        self.note_struck(passage.struck);
        if let Some(frame) = told {
            let arrivals = passage.arrivals.each_ref().map(|one| one.as_ref().map(|(at, _)| *at));
            self.tell_sent(from, to, &frame, (passage.struck, arrivals));
        }
        let life = self.machines[to].life;
        for (at, frame) in passage.arrivals.into_iter().flatten() {
            self.queue.push(at, Event::Node { slot: to, life, event: NodeEvent::Frame(frame) });
        }
    }

    /// Something reaches a node, if it still lives that life.
    pub(super) fn reach(&mut self, slot: usize, life: u32, event: NodeEvent) -> Option<Todo> {
        let is_gone = self.machines[slot].life != life || self.machines[slot].power == Power::Down;
        if matches!(event, NodeEvent::Frame(_)) {
            self.tell_arrived(slot, is_gone.then_some("the node that it was for is gone"));
        }
        if is_gone {
            return None;
        }
        let machine = &mut self.machines[slot];
        if let Power::Paused(_) = machine.power {
            self.tallies.observed("pause");
            let is_bounded = matches!(event, NodeEvent::Frame(_));
            if !is_bounded || machine.backlog.len() < BACKLOG_MAX {
                machine.backlog.push(event);
            }
            return None;
        }
        // Not before: what waits while it is paused comes here again.
        if let NodeEvent::DiskDone { token, .. } = &event
            && !machine.disk().tells(*token)
        {
            return None;
        }
        Some(self.feed(slot, event))
    }

    fn note_struck(&mut self, struck: Struck) {
        let kinds = [
            (struck.cut, "cut"),
            (struck.region_cut, "region-cut"),
            (struck.region_flap, "region-flap"),
            (struck.region_slow, "region-slow"),
            (struck.lost, "loss"),
            (struck.delayed, "delay"),
            (struck.duplicated, "duplicate"),
            (struck.reordered, "reorder"),
            (struck.flipped, "bit-flip"),
            (struck.queued, "slow-link"),
        ];
        for (_, kind) in kinds.into_iter().filter(|(struck, _)| *struck) {
            self.tallies.observed(kind);
        }
    }

    pub(super) fn is_cut_from_clients(&mut self, slot: usize) -> bool {
        let machine = &self.machines[slot];
        if machine.client_cuts > 0 {
            self.tallies.observed("client-cut");
        } else if machine.isolated > 0 {
            self.tallies.observed("isolate");
        } else {
            return false;
        }
        true
    }

    /// The clients act; what they send is on its way.
    pub(super) fn wake_clients(&mut self) -> Option<Todo> {
        if self.now < self.clients_wake_at {
            // They were woken earlier meanwhile, and will be again.
            return None;
        }
        self.clients_wake_at = u64::MAX;
        let mut actions = std::mem::take(&mut self.actions);
        self.clients.wake(self.now, &mut actions);
        self.actions = actions;
        self.carry_out();
        None
    }

    /// Many operations arrive at once; see [`crate::scenario::Load`].
    pub(super) fn clients_surge(&mut self, fault: u64, over: bool) {
        let mut actions = std::mem::take(&mut self.actions);
        self.clients.surge(self.now, fault, over, &mut actions);
        self.actions = actions;
        self.carry_out();
    }

    /// The clients finish what is unknown and prove that new work is done.
    pub(super) fn clients_enter_liveness(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        self.clients.enter_liveness(self.now, &mut actions);
        self.actions = actions;
        self.carry_out();
    }

    /// Makes sure that the clients are woken when they want to be.
    pub(super) fn wake_clients_later(&mut self) {
        let at = self.clients.next_wake().max(self.now);
        if at < self.clients_wake_at {
            self.clients_wake_at = at;
            self.queue.push(at, Event::Clients);
        }
    }

    fn carry_out(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            self.send_request(action);
        }
        self.actions = actions;
        self.wake_clients_later();
    }

    fn send_request(&mut self, action: Action) {
        let Action::Send { call, session, to, request, retry, deadline_ns } = action;
        let slot = match to {
            Endpoint::Node(node) => self.slot_of(node),
            Endpoint::Edge(region) => usize::from(region.0),
        };
        self.trace.add(self.now, Traced::Request, slot as u8, &call.0.to_le_bytes());
        self.calls.insert(call, OpenCall { invoked_at: self.now, slot });
        self.queue.push(deadline_ns, Event::Deadline(call));
        if let Endpoint::Edge(_) = to {
            self.send_to_edge(call, session, slot, &request);
            let at = self.now;
            self.note_history(&HistoryEvent::Invoke { at, call, session, to, request, retry });
            return;
        }
        let event = match &request {
            Request::Write(submission, token, options) => {
                NodeEvent::Write(call, Box::new((submission.clone(), *token, *options)))
            }
            Request::Read(read) => NodeEvent::Read(call, Box::new(*read)),
        };
        let (at, invoke) =
            (self.now, HistoryEvent::Invoke { at: self.now, call, session, to, request, retry });
        self.note_history(&invoke);
        if !self.is_cut_from_clients(slot) {
            let at = at + self.client_latency();
            self.queue.push(at, Event::Request { slot, event });
        }
    }

    fn slot_of(&self, node: NodeId) -> usize {
        let slot = self.machines.iter().position(|machine| machine.node == node);
        slot.expect("clients know the cluster's nodes")
    }

    pub(super) fn client_latency(&mut self) -> u64 {
        let latency = self.network.range(self.client_latency_ns.0, self.client_latency_ns.1);
        #[cfg(feature = "canaries")]
        let latency = latency + crate::canaries::moved_by_ns();
        latency
    }

    pub(super) fn request_arrives(&mut self, slot: usize, event: NodeEvent) -> Option<Todo> {
        match self.machines[slot].power {
            Power::Up => Some(self.feed(slot, event)),
            Power::Paused(_) => {
                self.tallies.observed("pause");
                self.machines[slot].backlog.push(event);
                None
            }
            Power::Down if let Some(kind) = self.darkness(slot) => {
                // Nobody is there to say so: the client waits in vain.
                self.tallies.observed(kind);
                None
            }
            Power::Down => {
                // Nobody listens: the connection is refused.
                let call = event.call()?;
                self.answer_goes(slot, call, Answer::Refused);
                None
            }
        }
    }

    /// The answers of one dispatch leave a machine.
    pub(super) fn answers_leave(&mut self, slot: usize) {
        let mut leaving = std::mem::take(&mut self.leaving);
        for (call, answer) in leaving.drain(..) {
            self.jury.answer_leaves(self.now, self.machines[slot].node, call);
            if let Answer::Write(WriteAnswer::Done(receipt)) = &answer {
                let node = self.machines[slot].node;
                self.look_at_disks(|jury, now, disks| {
                    jury.acknowledgement_leaves(now, node, receipt, disks);
                });
            }
            if self.is_cut_from_clients(slot) {
                sometimes!("answer-lost-on-the-way");
                continue;
            }
            self.answer_goes(slot, call, answer);
        }
        self.leaving = leaving;
    }

    /// A client has its answer or gives up. Later answers find no call.
    pub(super) fn close_call(&mut self, call: CallId, answer: Answer) -> Option<Todo> {
        let open = self.calls.remove(&call)?;
        if answer == Answer::TimedOut && self.has_edges() {
            self.hang_up(open.slot, call);
        }
        let at = self.now;
        let (kind, position) = match &answer {
            Answer::Write(WriteAnswer::Done(receipt)) => {
                let took_us = (at - open.invoked_at) / 1_000;
                self.latency.saturating_record(took_us);
                if receipt.grade >= Grade::Geo && self.is_calm_since(open.invoked_at) {
                    self.geo_latency.saturating_record(took_us);
                }
                (1, receipt.position.index)
            }
            Answer::Write(_) => (2, 0),
            Answer::Read(answer) => (3, answer.frontier.0[0]),
            Answer::TimedOut => (4, 0),
            Answer::Refused => (5, 0),
        };
        let mut bytes = [0; 17];
        bytes[..8].copy_from_slice(&call.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&position.to_le_bytes());
        bytes[16] = kind;
        self.trace.add(at, Traced::Answer, open.slot as u8, &bytes);
        self.note_history(&HistoryEvent::Return { at, call, answer: answer.clone() });
        let mut actions = std::mem::take(&mut self.actions);
        self.clients.answered(at, call, answer, &mut actions);
        self.actions = actions;
        self.carry_out();
        None
    }

    /// Writes that clients saw acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.clients.acknowledged()
    }
}
