//! A3: at the end the cash that a node shows is what the bank has: payments, less charge-backs,
//! less what the bank by its own books paid out. A payment counts once for each body reported;
//! another body under a used `op_id` is money of its own, for a person to look into. What went with
//! a region is in no log and counts for nothing: that each of it was announced, D2 says.
//!
//! Where no bank pays refunds, clients report payouts, and their word counts for the bank's.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::promises::a5_paid_out_once::Payouts;
use crate::verdicts::Verdicts;
use billing_wire::{
    CommandView, Disposition, LedgerCode, Query, QueryResult, RecordView, RedirectReason,
};
use billsim_model::{Model, Outcome};

pub(crate) const WORDS: &str = "the cash in the books is what the bank has, to the cent";

/// A legal amount is at most this: money beyond is kept for a person and booked nowhere.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// What the bank reported that it moved, by what is final.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    payments: i128,
    charge_backs: i128,
    /// By clients who say what the bank did.
    payouts: i128,
}

impl Reported {
    /// A final record was folded by the reference.
    pub(crate) fn booked(&mut self, model: &Model, record: &RecordView<'_>, outcomes: &[Outcome]) {
        for (submission, outcome) in record.submissions().flatten().zip(outcomes) {
            let Ok(command) = CommandView::decode(submission.body) else { continue };
            match command {
                CommandView::RecordPayment { amount, .. } if is_money(amount) => {
                    let known = model.operation(submission.op_id);
                    let is_a_retry = known.is_some_and(|first| {
                        first.fingerprint == submission.fingerprint
                            && first.position != outcome.position
                    });
                    self.payments += if is_a_retry { 0 } else { i128::from(amount) };
                }
                CommandView::ReversePayment { amount, .. } if moved(outcome) => {
                    self.charge_backs += i128::from(amount);
                }
                CommandView::ConfirmPayout { amount, .. } if moved(outcome) => {
                    self.payouts += i128::from(amount);
                }
                _ => {}
            }
        }
    }

    /// At quiescence: the cash of a node.
    pub(crate) fn asked(
        &self,
        facts: &Facts,
        payouts: &Payouts,
        verdicts: &mut Verdicts,
        at: u64,
        (node, books): (&NodeView, &dyn Books),
    ) {
        // Behind the end of a region that is gone and not sealed nothing is final, but shown.
        if facts.has_unsealed_loss() {
            return;
        }
        let Some(QueryResult::TrialBalance(shown)) = books.answer(node.node, &Query::TrialBalance)
        else {
            return;
        };
        let of_cash = |(code, _): &&(LedgerCode, i128)| *code == LedgerCode::CASH;
        let cash = shown.sums.iter().find(of_cash).map_or(0, |(_, sum)| *sum);
        let paid_out = payouts.paid_in_all().unwrap_or(self.payouts);
        let Self { payments, charge_backs, .. } = self;
        let expected = payments - charge_backs - paid_out;
        verdicts.check(Promise::A3, at, None, cash == expected, || {
            let detail = format!(
                "node {} has {cash}; the bank {expected}: {payments} of payments less \
                 {charge_backs} of charge-backs less {paid_out} of payouts",
                node.node
            );
            ("cash is not what the bank has".to_owned(), detail)
        });
    }
}

fn is_money(amount: i64) -> bool {
    (1..=AMOUNT_MAX).contains(&amount)
}

/// Whether money moved at the bank that was not reported before.
fn moved(outcome: &Outcome) -> bool {
    match outcome.disposition {
        Disposition::Applied => true,
        Disposition::Redirected { reason } => !matches!(
            reason,
            RedirectReason::OutOfRange
                | RedirectReason::Malformed
                | RedirectReason::FingerprintMismatch
        ),
        Disposition::Duplicate { .. }
        | Disposition::Denied { .. }
        | Disposition::Compensated { .. } => false,
    }
}
