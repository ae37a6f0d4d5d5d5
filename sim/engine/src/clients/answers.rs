//! What a client does with an answer: it is done, tries another node after a pause, or gives up.

use super::operation::Heard;
use super::{Action, MILLISECOND_NS, Population};
use billing_wire::answer::Unavailable;
use billing_wire::{QueryResult, ReadAnswer, Token, WriteAnswer};
use std::cmp::Reverse;

impl Population {
    pub(super) fn write_answered(
        &mut self,
        number: u32,
        now: u64,
        answer: &WriteAnswer,
        out: &mut Vec<Action>,
    ) {
        match answer {
            WriteAnswer::Done(receipt) => {
                let session = &mut self.sessions[number as usize];
                session.see(receipt.token);
                let Some(operation) = session.operation.as_mut() else { return };
                self.acknowledged += u64::from(operation.acknowledge());
                if operation.wants_more() {
                    self.turn_elsewhere(number);
                    self.send(number, now, out);
                } else {
                    self.finish(number, now, out);
                }
            }
            WriteAnswer::Refused(refusal) if refusal.field == Token::FIELD => {
                self.failed(number, now, Heard::ForeignToken, 0, out);
            }
            // Both are definite: this body is not logged under this operation.
            WriteAnswer::Conflict { .. } | WriteAnswer::Refused(_) => {
                self.finish(number, now, out);
            }
            WriteAnswer::Unavailable { reason: Unavailable::GradeUnreachable, .. } => {
                self.failed(number, now, Heard::GradeUnreachable, 0, out);
            }
            WriteAnswer::Unavailable { retry_after_ms, .. } => {
                self.failed(number, now, Heard::Unavailable, (*retry_after_ms).into(), out);
            }
            WriteAnswer::Unknown => self.failed(number, now, Heard::Unknown, 0, out),
        }
    }

    pub(super) fn read_answered(
        &mut self,
        number: u32,
        now: u64,
        answer: &ReadAnswer,
        out: &mut Vec<Action>,
    ) {
        match answer.result {
            QueryResult::Unavailable => self.failed(number, now, Heard::Unavailable, 0, out),
            QueryResult::BadToken => {
                self.sessions[number as usize].token = None;
                self.finish(number, now, out);
            }
            _ => {
                self.sessions[number as usize].see(answer.token);
                self.finish(number, now, out);
            }
        }
    }

    /// A sending without a result: another node after a pause, as long as the budget lasts.
    pub(super) fn failed(
        &mut self,
        number: u32,
        now: u64,
        heard: Heard,
        retry_after_ms: u64,
        out: &mut Vec<Action>,
    ) {
        let session = &mut self.sessions[number as usize];
        let Some(operation) = session.operation.as_mut() else { return };
        operation.hear(heard);
        if !self.liveness && self.choices.chance_ppm(self.changed_retry_ppm) {
            operation.change_body();
        }
        let is_write = operation.is_write();
        let attempts = operation.attempts();
        if (self.liveness && !is_write) || (!self.liveness && attempts >= self.attempts_max) {
            self.give_up(number, now, out);
            return;
        }
        let hurried = operation.is_hurried();
        self.turn_elsewhere(number);
        if hurried {
            self.send(number, now, out);
            return;
        }
        let longest = self.backoff_ms.max;
        let doubled = self.backoff_ms.min << attempts.saturating_sub(1).min(16);
        let pause_ms = doubled.max(retry_after_ms).min(longest);
        let pause_ns = pause_ms * MILLISECOND_NS;
        let until = now + self.choices.range(pause_ns / 2, pause_ns);
        self.pauses.push(Reverse((until, number)));
    }

    fn turn_elsewhere(&mut self, number: u32) {
        let n = self.endpoints.len();
        if n > 1 {
            let session = &mut self.sessions[number as usize];
            session.endpoint =
                (session.endpoint + 1 + self.choices.below(n as u64 - 1) as usize) % n;
        }
    }

    fn give_up(&mut self, number: u32, now: u64, out: &mut Vec<Action>) {
        let operation = self.sessions[number as usize].operation.take();
        match operation {
            Some(operation) if operation.is_unknown() => self.given_up.push_back(operation),
            _ => self.abandoned += 1,
        }
        self.finish(number, now, out);
    }

    fn finish(&mut self, number: u32, now: u64, out: &mut Vec<Action>) {
        self.sessions[number as usize].operation = None;
        self.free.push(number);
        self.serve(now, out);
    }
}
