//! A1: debits equal credits, in every journal and in every trial balance that a node answers.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::TrialBalanceView;
use billsim_model::Outcome;

pub(crate) const WORDS: &str = "every journal balances, and so does the ledger";

/// The journal of one submission.
pub(crate) fn booked(verdicts: &mut Verdicts, at: u64, outcome: &Outcome) {
    let lines = &outcome.lines;
    let sum: i128 = lines.iter().map(|line| i128::from(line.amount)).sum();
    let holds = sum == 0 && lines.len() != 1;
    verdicts.check(Promise::A1, at, Some(outcome.op_id), holds, || {
        let shape = "journal does not balance".to_owned();
        let sum = words::money(sum);
        (shape, format!("its {} lines at {} add up to {sum}", lines.len(), outcome.position))
    });
}

/// A trial balance as a client saw it.
pub(crate) fn answered(verdicts: &mut Verdicts, at: u64, view: &TrialBalanceView) {
    let sum = view.sums.iter().try_fold(0_i128, |sum, (_, amount)| sum.checked_add(*amount));
    verdicts.check(Promise::A1, at, None, sum == Some(0), || {
        let shape = "trial balance is not 0".to_owned();
        let sum = sum.map_or_else(|| "more than can be counted".to_owned(), words::money);
        (shape, format!("the sums of a trial balance add up to {sum}"))
    });
}
