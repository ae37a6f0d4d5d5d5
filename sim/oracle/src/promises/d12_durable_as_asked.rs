//! D12: an answer is as durable as its client asked (billing.md §3). A weaker grade is told only by
//! a region that acknowledges alone, as its own log says, or that has waited as long as a write
//! waits; and only who would rather be refused is refused for the grade.

use crate::catalogue::Promise;
use crate::facts::{Call, Facts};
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::{OnUnmet, OpId, Receipt};

pub(crate) const WORDS: &str =
    "an answer is as durable as its client asked, unless its region is alone";

/// How long the nodes of this cluster wait.
#[derive(Debug, Default)]
pub(crate) struct Durabilities {
    /// A write is answered after so many nanoseconds, whatever its grade is; the shortest of all
    /// nodes.
    pub(crate) write_timeout: u64,
}

impl Durabilities {
    /// A client has a receipt. What was logged before is told with the grade that it has now.
    pub(crate) fn acknowledged(
        &self,
        facts: &Facts,
        verdicts: &mut Verdicts,
        at: u64,
        call: &Call,
        receipt: &Receipt,
    ) {
        if facts.genesis.regions.len() == 1 || receipt.replayed {
            return;
        }
        let wanted = call.options.wanted();
        let position = receipt.position;
        let is_alone = || {
            facts.log(position.region).last_degraded >= position.index
                || facts.finality.has_ever_sealed()
        };
        // Who joins a write that another client sent waits no longer than that one. A clock may go
        // twice as fast as it should.
        let has_waited = || {
            let operation = facts.operations.get(&receipt.op_id);
            at - operation.map_or(0, |known| known.first_asked_at) >= self.write_timeout / 2
        };
        let holds = receipt.grade >= wanted || is_alone() || has_waited();
        verdicts.check(Promise::D12, at, Some(receipt.op_id), holds, || {
            let shape = format!("{:?} answer to who asked for {wanted:?}", receipt.grade);
            (shape, format!("{position} is not from a region that was alone"))
        });
    }

    /// A write was not logged.
    pub(crate) fn refused(
        &self,
        facts: &Facts,
        verdicts: &mut Verdicts,
        at: u64,
        (call, op_id): (&Call, OpId),
        answer: &Answer,
    ) {
        if !answer.is_refused_for_its_grade() {
            return;
        }
        let asks = call.options.on_unmet == OnUnmet::FailFast;
        verdicts.check(Promise::D12, at, Some(op_id), asks, || {
            let shape = "refused for a grade by who did not ask to be".to_owned();
            (shape, format!("the client asked {:?}", call.options))
        });
        let mut regions = facts.genesis.regions.iter().map(|members| members.region);
        let is_alone = |region| facts.log(region).last_degraded > 0;
        let was_alone = facts.finality.has_ever_sealed()
            || match call.region {
                Some(region) => is_alone(region),
                None => regions.any(is_alone),
            };
        verdicts.check(Promise::D12, at, Some(op_id), was_alone, || {
            let shape = "refused for a grade by a region that was never alone".to_owned();
            (shape, format!("the client asked {:?}", call.options))
        });
    }
}
