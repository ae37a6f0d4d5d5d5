//! The life of a write on one node: waiting for a place in the log, proposed or forwarded,
//! folded, answered. One operation has one life at a time; a second sending of it joins.

mod pending;

pub use pending::{Pending, Released, Stage, Waiter};

use crate::sometimes;
use crate::time::Monotonic;
use billing_wire::{Hash, NodeId, OpId, Position, Submission, WriteOptions};
use std::collections::{BTreeMap, VecDeque};

/// Every write that this node owes an answer for.
#[derive(Debug)]
pub struct Sessions {
    timeout_ms: u64,
    in_flight: BTreeMap<OpId, Pending>,
    /// Submissions that wait for a place in the log, in order of arrival.
    queue: VecDeque<Submission>,
    /// Deadlines in order; an operation that was answered leaves its own behind.
    deadlines: VecDeque<(Monotonic, OpId)>,
    forwards: BTreeMap<u64, OpId>,
    next_forward: u64,
    /// Number behind the highest of the forwards that came in, by follower and its life.
    heard: BTreeMap<(NodeId, u64), u64>,
    /// Operations that were folded and wait for their grade, in the order of the fold.
    placed: Vec<OpId>,
    has_new_places: bool,
}

/// Bits of a forward's number that count; those above are drawn anew in each life of a follower.
const COUNTING_BITS: u32 = 24;

impl Sessions {
    /// No writes yet. Sequence numbers of forwards start at a place that `seed` decides, so that
    /// an answer to an earlier life of this node finds nothing.
    pub fn new(timeout_ms: u64, seed: u64) -> Self {
        Self {
            timeout_ms,
            in_flight: BTreeMap::new(),
            queue: VecDeque::new(),
            deadlines: VecDeque::new(),
            forwards: BTreeMap::new(),
            next_forward: seed << COUNTING_BITS,
            heard: BTreeMap::new(),
            placed: Vec::new(),
            has_new_places: false,
        }
    }

    /// Notes that a forward came in. Whether it, or a later one of that follower, came before:
    /// networks repeat frames, and an earlier copy may have been refused.
    pub fn is_heard_again(&mut self, from: NodeId, sequence: u64) -> bool {
        let next = self.heard.entry((from, sequence >> COUNTING_BITS)).or_default();
        let again = sequence < *next;
        *next = (*next).max(sequence + 1);
        again
    }

    /// Operations in flight.
    pub fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether submissions wait for a place in the log.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Submissions that wait for a place in the log.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Lets a waiter join an operation in flight. `None`: it is not in flight. `Some(false)`:
    /// it is, with another body.
    pub fn join(&mut self, op_id: OpId, fingerprint: &Hash, waiter: &Waiter) -> Option<bool> {
        let pending = self.in_flight.get_mut(&op_id)?;
        if pending.fingerprint != *fingerprint {
            return Some(false);
        }
        sometimes!("op-joined-in-flight");
        if !pending.waiters.contains(waiter) {
            pending.waiters.push(*waiter);
        }
        Some(true)
    }

    fn start(&mut self, now: Monotonic, op_id: OpId, pending: Pending) {
        self.deadlines.push_back((pending.deadline, op_id));
        let before = self.in_flight.insert(op_id, pending);
        assert!(before.is_none(), "an operation has one life at a time, at {now:?}");
    }

    /// Puts a submission into the queue for the log.
    pub fn enqueue(
        &mut self,
        now: Monotonic,
        submission: Submission,
        fingerprint: Hash,
        waiter: Waiter,
    ) {
        let deadline = now.plus_ms(self.timeout_ms);
        let pending = Pending::new(fingerprint, waiter, Stage::Queued, deadline);
        self.start(now, submission.op_id, pending);
        self.queue.push_back(submission);
    }

    /// Notes that a submission was forwarded to the leader of a term; returns the number under
    /// which it travels.
    pub fn forward(
        &mut self,
        now: Monotonic,
        term: u64,
        submission: &Submission,
        fingerprint: Hash,
        waiter: Waiter,
    ) -> u64 {
        let sequence = self.next_forward;
        self.next_forward += 1;
        let deadline = now.plus_ms(self.timeout_ms);
        let stage = Stage::Forwarded { sequence, term, options: waiter.options() };
        let pending = Pending::new(fingerprint, waiter, stage, deadline);
        self.start(now, submission.op_id, pending);
        self.forwards.insert(sequence, submission.op_id);
        sequence
    }

    /// Takes up to `count` submissions out of the queue: they are about to be proposed in a term.
    pub fn take_queued(&mut self, count: usize, term: u64) -> Vec<Submission> {
        let count = count.min(self.queue.len());
        let batch: Vec<Submission> = self.queue.drain(..count).collect();
        for submission in &batch {
            if let Some(pending) = self.in_flight.get_mut(&submission.op_id) {
                pending.stage = Stage::Proposed { term };
            }
        }
        batch
    }

    /// The proposal was refused: the submissions wait again, in their order.
    pub fn put_back(&mut self, batch: Vec<Submission>) {
        for submission in batch.into_iter().rev() {
            if let Some(pending) = self.in_flight.get_mut(&submission.op_id) {
                pending.stage = Stage::Queued;
            }
            self.queue.push_front(submission);
        }
    }

    /// A submission was folded: takes out the operation if that is what waits here. The same
    /// `op_id` with another body, sent through another node, is somebody else's submission; the
    /// one that waits here has its own end still to come.
    pub fn folded(&mut self, op_id: OpId, fingerprint: &Hash) -> Option<Pending> {
        let waits = self.in_flight.get(&op_id).is_some_and(|p| p.fingerprint == *fingerprint);
        if waits { self.finish(op_id) } else { None }
    }

    /// A submission was folded and is not answered yet: notes where it stands. A provisional fold
    /// may note it again.
    pub fn place(&mut self, op_id: OpId, fingerprint: &Hash, position: Position) {
        let Some(pending) = self.in_flight.get_mut(&op_id) else { return };
        if pending.fingerprint == *fingerprint && pending.place.is_none() {
            pending.place = Some(position);
            self.placed.push(op_id);
            self.has_new_places = true;
        }
    }

    /// Whether something was placed since [`Self::placed`] was last asked.
    pub fn has_new_places(&self) -> bool {
        self.has_new_places
    }

    /// How many operations wait for their grade.
    pub fn waiting_for_grade(&self) -> u64 {
        self.placed.len() as u64
    }

    /// Operations that wait for their grade.
    pub fn placed(&mut self) -> Vec<OpId> {
        self.has_new_places = false;
        self.placed.retain(|op_id| self.in_flight.contains_key(op_id));
        self.placed.clone()
    }

    /// Takes out the waiters of an operation that `may_leave` lets go.
    pub fn release(
        &mut self,
        op_id: OpId,
        may_leave: impl Fn(WriteOptions, Position) -> bool,
    ) -> Option<Released> {
        let pending = self.in_flight.get_mut(&op_id)?;
        let position = pending.place?;
        let (waiters, stay): (Vec<Waiter>, Vec<Waiter>) = std::mem::take(&mut pending.waiters)
            .into_iter()
            .partition(|waiter| may_leave(waiter.options(), position));
        let fingerprint = pending.fingerprint;
        pending.waiters = stay;
        if pending.waiters.is_empty() {
            self.finish(op_id);
        }
        (!waiters.is_empty()).then_some(Released { fingerprint, position, waiters })
    }

    /// The operation's forward was answered: takes out whom the answer `suits`, besides those who
    /// asked as the leader was told. The others wait until this node has folded it.
    pub fn answered(&mut self, op_id: OpId, suits: impl Fn(WriteOptions) -> bool) -> Vec<Waiter> {
        let Some(pending) = self.in_flight.get_mut(&op_id) else { return Vec::new() };
        let Stage::Forwarded { sequence, options: told, .. } = pending.stage else {
            return Vec::new();
        };
        let (waiters, stay): (Vec<Waiter>, Vec<Waiter>) = std::mem::take(&mut pending.waiters)
            .into_iter()
            .partition(|waiter| waiter.options() == told || suits(waiter.options()));
        pending.waiters = stay;
        self.forwards.remove(&sequence);
        if pending.waiters.is_empty() {
            self.finish(op_id);
        } else {
            sometimes!("joined-with-another-wish");
        }
        waiters
    }

    /// Takes an operation out.
    pub fn finish(&mut self, op_id: OpId) -> Option<Pending> {
        let pending = self.in_flight.remove(&op_id)?;
        if let Stage::Forwarded { sequence, .. } = pending.stage {
            self.forwards.remove(&sequence);
        }
        Some(pending)
    }

    /// The operation that was forwarded under a number, while it waits.
    pub fn forwarded(&self, sequence: u64) -> Option<OpId> {
        self.forwards.get(&sequence).copied()
    }

    /// Whether the answer of an operation is overdue: it must then be answered `Unknown`.
    pub fn is_overdue(&self, op_id: OpId, now: Monotonic) -> bool {
        self.in_flight.get(&op_id).is_some_and(|pending| pending.deadline <= now)
    }

    /// Takes out one operation that waited too long.
    pub fn expire(&mut self, now: Monotonic) -> Option<(OpId, Pending)> {
        while let Some((deadline, op_id)) = self.deadlines.front().copied() {
            if deadline > now {
                return None;
            }
            self.deadlines.pop_front();
            let is_its_own = self.in_flight.get(&op_id).is_some_and(|p| p.deadline == deadline);
            if is_its_own {
                let pending = self.finish(op_id);
                if pending.as_ref().is_some_and(|p| p.stage == Stage::Queued) {
                    self.queue.retain(|submission| submission.op_id != op_id);
                }
                return pending.map(|pending| (op_id, pending));
            }
        }
        None
    }

    /// An entry of this term was folded: takes out what could only have come before it and did
    /// not. Terms never fall along a log (Raft, section 5.3), so none of it is logged, ever.
    pub fn overtaken(&mut self, term: u64) -> Vec<Pending> {
        let late: Vec<OpId> = self
            .in_flight
            .iter()
            .filter(|(_, pending)| pending.is_of_before(term))
            .map(|(op_id, _)| *op_id)
            .collect();
        late.into_iter().filter_map(|op_id| self.finish(op_id)).collect()
    }

    /// Takes out everything.
    pub fn drain(&mut self) -> Vec<Pending> {
        let ids: Vec<OpId> = self.in_flight.keys().copied().collect();
        ids.into_iter().filter_map(|op_id| self.finish(op_id)).collect()
    }

    /// This node no longer leads: takes out what was queued and never proposed.
    pub fn drop_queued(&mut self) -> Vec<(OpId, Pending)> {
        self.heard.clear();
        let queue = std::mem::take(&mut self.queue);
        let ids = queue.into_iter().map(|submission| submission.op_id);
        ids.filter_map(|op_id| Some((op_id, self.in_flight.remove(&op_id)?))).collect()
    }
}

#[cfg(test)]
mod tests;
