//! L6: ten times the load is answered in time or turned down before it is logged, and half a
//! minute later it is as if it had never been. Judged where nothing but the load is wrong, and for
//! as long: what returns after nodes were broken for the liveness phase says nothing of a spike.
//!
//! P0 are the payments. *In time*: of those that were acknowledged 99 of 100 within the limit; of
//! the others each was told that it was not logged. A payment counts once, with the first of its
//! acknowledgements: whoever sends it to another region, too, hears when it is final that it is a
//! duplicate, and it was acknowledged long before. *Goodput* is the share of payments that succeed
//! at the first sending, so that it does not depend on how many happened to be asked, nor on how
//! often. Who gives up before the limit has not waited for an answer: no cluster can be that fast.

use crate::catalogue::Promise;
use crate::facts::Call;
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::{OpId, WriteAnswer};
use std::collections::BTreeSet;

pub(crate) const WORDS: &str =
    "ten times the load is answered in 50 ms or shed, and is over 30 s after it is over";

/// An acknowledged payment may take so long, in nanoseconds, but for one in a hundred.
const LIMIT_NS: u64 = 50_000_000;
/// After a spike everything is as before within so many nanoseconds.
const OVER_NS: u64 = 30_000_000_000;
/// Fewer payments have no 99th percentile, and no share.
const PAYMENTS_MIN: usize = 100;

/// Payments of a part of a run.
#[derive(Debug, Default)]
struct Share {
    asked: u64,
    succeeded: u64,
}

/// A spike, and the payments before, in and after it.
#[derive(Debug, Default)]
pub(crate) struct Spike {
    /// From when until when, in nanoseconds.
    window: Option<(u64, u64)>,
    took: Vec<u64>,
    /// Payments of the spike that were acknowledged.
    acknowledged: BTreeSet<OpId>,
    /// Payments in the spike that were neither acknowledged nor turned down.
    left_open: u64,
    before: Share,
    after: Share,
    /// Payments that count in one of these.
    shared: BTreeSet<OpId>,
}

impl Spike {
    /// There is one in this run, and nothing else goes wrong.
    pub(crate) fn is_from_to(&mut self, from: u64, to: u64) {
        self.window = Some((from, to));
    }

    /// A write returned.
    pub(crate) fn returned(&mut self, at: u64, call: &Call, op_id: OpId, answer: &Answer) {
        let Some((from, to)) = self.window else { return };
        let refused = answer.is_refused_for_its_grade()
            || matches!(
                answer,
                Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. })
            );
        if !call.pays || refused {
            return;
        }
        let is_done = matches!(answer, Answer::Write(WriteAnswer::Done(_)));
        if (from..to).contains(&call.at) && !self.acknowledged.contains(&op_id) {
            match answer {
                Answer::Write(WriteAnswer::Done(_)) => {
                    self.acknowledged.insert(op_id);
                    self.took.push(at - call.at);
                }
                Answer::Write(WriteAnswer::Unavailable { .. }) | Answer::Refused => {}
                _ => self.left_open += u64::from(at - call.at >= LIMIT_NS),
            }
        }
        let gave_up = *answer == Answer::TimedOut && at - call.at < LIMIT_NS;
        if !self.shared.insert(op_id) || gave_up {
            return;
        }
        let share = match call.at {
            // Until a leader is there nothing can succeed.
            5_000_000_000.. if call.at < from => &mut self.before,
            at if at >= to + OVER_NS => &mut self.after,
            _ => return,
        };
        share.asked += 1;
        share.succeeded += u64::from(is_done);
    }

    /// The run is over.
    pub(crate) fn settled(&mut self, verdicts: &mut Verdicts, at: u64) {
        if self.window.is_none() {
            return;
        }
        if self.took.len() >= PAYMENTS_MIN {
            self.took.sort_unstable();
            let late = self.took.iter().filter(|took| **took > LIMIT_NS).count() as u64;
            let all = self.took.len() as u64;
            let holds = (late + self.left_open) * 100 <= all + self.left_open;
            let worst = self.took.last().copied().unwrap_or(0) / 1_000_000;
            verdicts.check(Promise::L6, at, None, holds, || {
                let open = self.left_open;
                let detail = format!(
                    "of {all} payments of the spike {late} took longer than 50 ms, the longest \
                     {worst} ms; {open} more were not answered"
                );
                ("payments wait in a spike".to_owned(), detail)
            });
        }
        let Self { before, after, .. } = self;
        if before.asked.min(after.asked) >= PAYMENTS_MIN as u64 {
            // after / asked >= 95 % of before / asked
            let holds = after.succeeded * before.asked * 100 >= before.succeeded * after.asked * 95;
            verdicts.check(Promise::L6, at, None, holds, || {
                let detail = format!(
                    "{} of {} payments succeeded before the spike, {} of {} from 30 s after it",
                    before.succeeded, before.asked, after.succeeded, after.asked
                );
                ("less is done after a spike than before it".to_owned(), detail)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Ask;
    use billing_wire::{Disposition, Grade, Position, Receipt, Token};

    const SECOND: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;

    fn done() -> Answer {
        Answer::Write(WriteAnswer::Done(Receipt {
            op_id: OpId(1),
            grade: Grade::Geo,
            disposition: Disposition::Applied,
            position: Position::default(),
            replayed: false,
            token: Token::default(),
        }))
    }

    /// `after`: what a payment is answered that is sent 31 s after the spike, and when.
    fn complaints(took_ms: u64, after: (&Answer, u64)) -> Vec<String> {
        let mut spike = Spike::default();
        spike.is_from_to(10 * SECOND, 20 * SECOND);
        let done = done();
        let call = |at| Call {
            at,
            session: 0,
            region: None,
            pays: true,
            is_legal: true,
            ask: Ask::Write { op_id: OpId(1), fingerprint: [0; 32] },
            options: billing_wire::WriteOptions::default(),
        };
        for number in 0..200 {
            let (step, op_id) = (number * MS, |part: u64| OpId((number + part * 1_000).into()));
            spike.returned(7 * SECOND + step, &call(6 * SECOND + step), op_id(0), &done);
            let began = 11 * SECOND + step;
            spike.returned(began + took_ms * MS, &call(began), op_id(1), &done);
            // The same payment elsewhere: it is a duplicate, which takes its time to tell.
            spike.returned(began + 200 * MS, &call(began), op_id(1), &done);
            let (began, (after, took_ms)) = (51 * SECOND + step, after);
            spike.returned(began + took_ms * MS, &call(began), op_id(2), after);
            // It is sent again, and that fails: it counts once, as the first sending.
            spike.returned(began + SECOND, &call(began), op_id(2), &Answer::TimedOut);
        }
        let mut verdicts = Verdicts::new();
        spike.settled(&mut verdicts, 60 * SECOND);
        verdicts.into_judgement().violations.into_iter().map(|found| found.shape).collect()
    }

    #[test]
    fn slow_payments_and_a_cluster_that_stays_down_are_seen() {
        let done = done();
        assert_eq!(complaints(20, (&done, 20)), [""; 0]);
        assert_eq!(complaints(60, (&done, 20)), ["payments wait in a spike"]);
        let down = complaints(20, (&Answer::TimedOut, 50));
        assert_eq!(down, ["less is done after a spike than before it"]);
        assert_eq!(complaints(20, (&Answer::TimedOut, 49)), [""; 0], "their clients gave up");
    }
}
