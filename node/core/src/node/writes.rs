//! Writes: admitted, replayed or joined, then queued on the leader or forwarded to it, proposed
//! in batches, and answered once they are committed and folded.
//!
//! What an answer claims is true of this submission: `Unavailable` is said only by who knows that
//! it was never proposed, everything else that fails is `Unknown` (billing.md §3).

use super::frames::Forward;
use super::{Node, answer_client};
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{HaltReason, Outputs, RequestId, Role};
use crate::ledger::{Operation, admission};
use crate::session::{Pending, Released, Stage, Waiter};
use crate::sometimes;
use crate::time::Now;
use billing_wire::answer::Unavailable;
use billing_wire::{
    Command, Disposition, FrameKind, Grade, Hash, Hlc, NodeId, OpId, Position, Receipt, RecordView,
    Refusal, Submission, Token, WriteAnswer, WriteOptions,
};

/// When a client should try again after a refusal, in milliseconds.
const RETRY_AFTER_MS: u32 = 250;

/// What stands beside a client's submission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// For the answer.
    pub(super) request: RequestId,
    /// How it is to be acknowledged.
    pub(super) options: WriteOptions,
    /// What the session has seen, unverified.
    pub(super) token: Option<Token>,
}

pub(super) fn unavailable(reason: Unavailable) -> WriteAnswer {
    WriteAnswer::Unavailable { reason, retry_after_ms: RETRY_AFTER_MS }
}

impl Node {
    pub(super) fn write(
        &mut self,
        now: Now,
        asked: Asked,
        submission: Submission,
        out: &mut Outputs,
    ) {
        let Asked { request, options, token } = asked;
        let checked = admission::check(&submission.command)
            .and_then(|()| self.check_token(&token))
            .and_then(|()| self.check_payout(&submission.command));
        if let Err(refusal) = checked {
            answer_client(request, WriteAnswer::Refused(refusal), out);
            return;
        }
        let waiter = Waiter::Client { request, options, seen: token };
        let after = token.map_or(Hlc::ZERO, |token| token.stamp);
        let fingerprint = submission.command.fingerprint();
        if self.settle_at_once(now, submission.op_id, &fingerprint, waiter, out) {
            return;
        }
        if let Some(reason) = self.refuses_writes(options) {
            answer_client(request, unavailable(reason), out);
            return;
        }
        let own = self.own_log();
        match own.leader() {
            _ if own.role() == Role::Leader => {
                self.accept(now, after, submission, fingerprint, waiter, out);
            }
            Some(leader) => {
                sometimes!("write-forwarded");
                let term = own.term();
                let sequence =
                    self.sessions.forward(now.monotonic, term, &submission, fingerprint, waiter);
                let region = self.region;
                self.logs_and_desk(now, out).1.send_frame(
                    FrameKind::Forward,
                    leader,
                    region,
                    128,
                    |bytes| {
                        Forward::encode((sequence, term), after, &submission, &options, bytes);
                    },
                );
            }
            None => answer_client(request, unavailable(self.without_leader(now)), out),
        }
    }

    /// Refuses a token that no node of this cluster made.
    fn check_token(&self, token: &Option<Token>) -> Result<(), Refusal> {
        match token {
            Some(token)
                if !token.verify(&self.config.genesis.secret)
                    && !canary!("foreign-token-taken") =>
            {
                sometimes!("foreign-token");
                let detail =
                    "no node of this cluster made this token: drop it and start a new session";
                Err(Refusal { field: Token::FIELD.to_owned(), detail: detail.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// How many milliseconds a stamp that a session has seen is too far ahead of this node's
    /// clock to be taken over; 0 when it may be. One that a log has moves nothing.
    fn too_far_ahead_ms(&self, now: Now, after: Hlc) -> u64 {
        let bound = now.wall.ms() + self.config.clock_skew_max_ms;
        if after <= self.last_stamp() { 0 } else { after.ms().saturating_sub(bound) }
    }

    pub(super) fn refuses_writes(&self, options: WriteOptions) -> Option<Unavailable> {
        if self.stopping {
            return Some(Unavailable::Stopping);
        }
        if self.sessions.len() >= self.config.in_flight_max {
            sometimes!("write-shed");
            return Some(Unavailable::Overloaded);
        }
        if self.cannot_reach(options) {
            sometimes!("write-fails-fast");
            return Some(Unavailable::GradeUnreachable);
        }
        None
    }

    /// Answers from the log or joins what is in flight. `false`: the operation is new here.
    pub(super) fn settle_at_once(
        &mut self,
        now: Now,
        op_id: OpId,
        fingerprint: &Hash,
        waiter: Waiter,
        out: &mut Outputs,
    ) -> bool {
        match self.ledger.operation(op_id) {
            Err(_) => self.halt(HaltReason::Ledger, out),
            Ok(Some(known))
                if known.fingerprint == *fingerprint || canary!("fingerprint-not-compared") =>
            {
                sometimes!("op-replayed");
                let receipt = self.receipt(op_id, &known, true, waiter.options());
                self.answer(now, waiter, WriteAnswer::Done(receipt), out);
            }
            Ok(Some(_)) => {
                sometimes!("op-conflict");
                self.answer(now, waiter, WriteAnswer::Conflict { op_id }, out);
            }
            Ok(None) => match self.sessions.join(op_id, fingerprint, &waiter) {
                None => return false,
                Some(true) => {}
                Some(false) => {
                    sometimes!("op-conflict");
                    self.answer(now, waiter, WriteAnswer::Conflict { op_id }, out);
                }
            },
        }
        true
    }

    /// Takes a new operation on the leader, to be stamped above what its session has seen.
    pub(super) fn accept(
        &mut self,
        now: Now,
        after: Hlc,
        mut submission: Submission,
        fingerprint: Hash,
        waiter: Waiter,
        out: &mut Outputs,
    ) {
        if self.skew.is_off(now) {
            self.answer(now, waiter, unavailable(Unavailable::ClockSkew), out);
            return;
        }
        let ahead_ms = self.too_far_ahead_ms(now, after);
        if ahead_ms > 0 {
            sometimes!("token-ahead-of-clock");
            let retry_after_ms = u32::try_from(ahead_ms).unwrap_or(u32::MAX);
            let reason = Unavailable::TokenAhead;
            self.answer(now, waiter, WriteAnswer::Unavailable { reason, retry_after_ms }, out);
            return;
        }
        if after > self.last_stamp() {
            sometimes!("clock-moved-by-token");
        }
        self.clock.hear(after);
        if canary!("reads-merged-before-logging")
            && let Command::RecordRead { reads } = &mut submission.command
        {
            reads.dedup_by_key(|read| read.meter);
        }
        self.sessions.enqueue(now.monotonic, submission, fingerprint, waiter);
    }

    pub(super) fn take_forward(
        &mut self,
        now: Now,
        from: NodeId,
        forward: Forward,
        out: &mut Outputs,
    ) {
        let Forward { sequence, term, submission, options, after } = forward;
        let waiter = Waiter::Follower { node: from, sequence, options };
        let fingerprint = submission.command.fingerprint();
        let again = self.sessions.is_heard_again(from, sequence);
        if again && canary!("forward-heard-again-is-queued") {
            self.sessions.put_back(vec![submission.clone()]);
        }
        if self.settle_at_once(now, submission.op_id, &fingerprint, waiter, out) {
            return;
        }
        let own = self.own_log();
        if again || own.role() != Role::Leader || own.term() != term {
            // An earlier copy of this frame may have been proposed in another life of this
            // node: only the leader of that very term could know that it was not. One that it
            // refused must not be taken after all.
            self.answer(now, waiter, WriteAnswer::Unknown, out);
            return;
        }
        if admission::check(&submission.command).is_err() {
            // The follower has checked it; a peer that did not is not obeyed.
            sometimes!("frame-refused");
            return;
        }
        match self.refuses_writes(options) {
            Some(reason) => self.answer(now, waiter, unavailable(reason), out),
            None => self.accept(now, after, submission, fingerprint, waiter, out),
        }
    }

    pub(super) fn take_answer(
        &mut self,
        now: Now,
        sequence: u64,
        answer: WriteAnswer,
        out: &mut Outputs,
    ) {
        let Some(op_id) = self.sessions.forwarded(sequence) else { return };
        let overdue = self.sessions.is_overdue(op_id, now.monotonic);
        let answer = if overdue { WriteAnswer::Unknown } else { answer };
        // Who joined may have asked for another grade than the leader was told of.
        let waiters = self.sessions.answered(op_id, |options| match &answer {
            _ if canary!("joined-waiters-take-any-grade") => true,
            WriteAnswer::Done(receipt) => receipt.grade >= options.wanted(),
            WriteAnswer::Unavailable { reason, .. } => *reason != Unavailable::GradeUnreachable,
            _ => true,
        });
        for waiter in waiters {
            self.answer(now, waiter, answer.clone(), out);
        }
        if !matches!(answer, WriteAnswer::Done(_)) {
            // Nothing was logged for them, as far as this node knows.
            for waiter in self.sessions.finish(op_id).into_iter().flat_map(|left| left.waiters) {
                self.answer(now, waiter, WriteAnswer::Unknown, out);
            }
        }
    }

    /// The own log was cut back to what a seal keeps of it: what waits may be in what was left
    /// out, and will be appended again in its time.
    pub(super) fn forget_writes(&mut self, now: Now, out: &mut Outputs) {
        for (_, pending) in self.sessions.drop_queued() {
            for waiter in pending.waiters {
                self.answer(now, waiter, unavailable(Unavailable::NoLeader), out);
            }
        }
        for pending in self.sessions.drain() {
            for waiter in pending.waiters {
                self.answer(now, waiter, WriteAnswer::Unknown, out);
            }
        }
    }

    /// Answers whoever waits for the submissions of a record that was just folded.
    pub(super) fn answer_folded(&mut self, now: Now, view: &RecordView<'_>, out: &mut Outputs) {
        if self.sessions.is_empty() {
            return;
        }
        for submission in view.submissions().flatten() {
            let (op_id, fingerprint) = (submission.op_id, &submission.fingerprint);
            let Some(pending) = self.sessions.folded(op_id, fingerprint) else { continue };
            let position = view.header.position(submission.offset);
            let Ok(known) = self.ledger.operation(submission.op_id) else {
                self.halt(HaltReason::Ledger, out);
                return;
            };
            let known = known.expect("a folded submission has its row");
            self.answer_pending(now, submission.op_id, &pending, &known, position, out);
        }
    }

    /// The first entry of a new leader was folded: what was meant for an earlier term and is not
    /// before it never will be logged, so its clients may know at once instead of waiting. With
    /// several regions that entry may be lost with this one, and a copy of what it had overtaken
    /// found: then the write is unknown, and may be tried again at once.
    pub(super) fn answer_overtaken(&mut self, now: Now, term: u64, out: &mut Outputs) {
        let answer = if self.logs.len() > 1 {
            WriteAnswer::Unknown
        } else {
            unavailable(Unavailable::NoLeader)
        };
        for pending in self.sessions.overtaken(term) {
            sometimes!("write-overtaken");
            for waiter in pending.waiters {
                self.answer(now, waiter, answer.clone(), out);
            }
        }
    }

    /// Tells everybody who waits for a folded submission. Its `op_id` may have been bound to
    /// another body just before it, in the same log: a conflict, now as on every retry.
    fn answer_pending(
        &mut self,
        now: Now,
        op_id: OpId,
        pending: &Pending,
        known: &Operation,
        position: Position,
        out: &mut Outputs,
    ) {
        let is_bound_elsewhere = pending.fingerprint != known.fingerprint;
        let heard = if canary!("joined-waiters-forgotten") { 1 } else { pending.waiters.len() };
        for waiter in &pending.waiters[..heard] {
            let answer = if is_bound_elsewhere {
                WriteAnswer::Conflict { op_id }
            } else {
                let replayed = position != known.position;
                WriteAnswer::Done(self.receipt(op_id, known, replayed, waiter.options()))
            };
            self.answer(now, *waiter, answer, out);
        }
    }

    pub(super) fn receipt(
        &self,
        op_id: OpId,
        known: &Operation,
        replayed: bool,
        options: WriteOptions,
    ) -> Receipt {
        // One region has no geo grade; what is folded there is final (billing.md §3, §7). One that
        // is alone because the others are sealed is sure of an entry's place only when this node
        // has their sealed logs whole, and that is what its watermark says.
        let grade = match options.min_durability {
            _ if self.has_company() => self.grade_now(known.position),
            Some(Grade::Final) if canary!("alone-calls-all-final") => Grade::Final,
            Some(Grade::Final) if known.position.hlc <= self.ledger.watermark() => Grade::Final,
            _ => Grade::Region,
        };
        let token = self.token();
        let (mut disposition, position) = (known.disposition, known.position);
        if canary!("new-receipt-says-applied") && !replayed {
            disposition = Disposition::Applied;
        }
        if canary!("replay-says-duplicate") && replayed {
            disposition = Disposition::Duplicate { of: position };
        }
        Receipt { op_id, grade, disposition, position, replayed, token }
    }

    pub(super) fn answer(
        &mut self,
        now: Now,
        waiter: Waiter,
        mut answer: WriteAnswer,
        out: &mut Outputs,
    ) {
        match waiter {
            Waiter::Client { request, seen, .. } => {
                if let (WriteAnswer::Done(receipt), Some(seen)) = (&mut answer, &seen)
                    && !receipt.token.covers(seen)
                {
                    receipt.token = receipt.token.join(&self.config.genesis.secret, seen);
                }
                answer_client(request, answer, out);
            }
            Waiter::Outbox { refund } => self.payout_answered(now, refund, &answer),
            Waiter::Follower { node, sequence, .. } => {
                let region = self.region;
                let kind = FrameKind::ForwardAnswer;
                self.logs_and_desk(now, out).1.send_frame(kind, node, region, 144, |bytes| {
                    bytes.extend_from_slice(&sequence.to_le_bytes());
                    answer.encode(bytes);
                });
            }
        }
    }

    pub(super) fn expire_writes(&mut self, now: Now, out: &mut Outputs) {
        while let Some((op_id, pending)) = self.sessions.expire(now.monotonic) {
            if let Some(position) = pending.place {
                // It is logged, so no error may suggest that it is not: the grade that it has.
                sometimes!("grade-timed-out");
                let Pending { fingerprint, waiters, .. } = pending;
                let released = Released { fingerprint, position, waiters };
                self.answer_placed(now, op_id, &released, out);
                continue;
            }
            let answer = match pending.stage {
                Stage::Queued => unavailable(Unavailable::Overloaded),
                Stage::Proposed { .. } => {
                    sometimes!("write-unknown");
                    WriteAnswer::Unknown
                }
                Stage::Forwarded { .. } => {
                    sometimes!("forward-timed-out");
                    WriteAnswer::Unknown
                }
            };
            for waiter in pending.waiters {
                self.answer(now, waiter, answer.clone(), out);
            }
        }
    }

    /// This node no longer leads: what was never proposed is refused, truthfully.
    pub(super) fn drop_queued(&mut self, now: Now, out: &mut Outputs) {
        for (_, pending) in self.sessions.drop_queued() {
            for waiter in pending.waiters {
                self.answer(now, waiter, unavailable(Unavailable::NoLeader), out);
            }
        }
    }

    /// A planted bug: the leader's own disk is taken for a quorum.
    pub(super) fn answer_persisted(&mut self, out: &mut Outputs) {
        let Some(slot) = self.own_log().window().last().copied() else { return };
        let Some(bytes) = self.record(self.region, slot.index).cloned() else { return };
        let Ok(view) = RecordView::decode(&bytes) else { return };
        for submission in view.submissions().flatten() {
            let Some(pending) = self.sessions.finish(submission.op_id) else { continue };
            let known = Operation {
                fingerprint: submission.fingerprint,
                position: slot.position(submission.offset),
                disposition: Disposition::Applied,
            };
            for waiter in pending.waiters {
                if let Waiter::Client { request, options, .. } = waiter {
                    let receipt = self.receipt(submission.op_id, &known, false, options);
                    answer_client(request, WriteAnswer::Done(receipt), out);
                }
            }
        }
    }
}
