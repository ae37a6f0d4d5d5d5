//! Conservation: the sums of the general ledger add up to nothing, and cash is what the facts in
//! the logs moved. Facts are never denied, so that no account needs to be known for it: a payment
//! brings its amount wherever it is booked, a reversal takes it back once.

use crate::calls::Calls;
use crate::merged::{Logged, Merged};
use crate::{Report, Rule};
use billing_wire::command_view::CommandView;
use billing_wire::{Date, Hash, LedgerCode, OpId, QueryResult};
use std::collections::BTreeMap;

/// Legal amounts of a command, in minor units (billing.md §6).
const AMOUNTS: std::ops::RangeInclusive<i64> = 1..=1_000_000_000_000;
/// Legal days: 1990-01-01 to 2199-12-31, in days since 1970-01-01 (billing.md §6).
const DAYS: std::ops::RangeInclusive<u32> = 7_305..=84_005;

pub(crate) fn check(calls: &Calls<'_>, merged: &Merged<'_>, report: &mut Report) {
    for shown in &calls.shown {
        let QueryResult::TrialBalance(view) = &shown.answer.result else { continue };
        let what = (Rule::Cash, shown.at, None);
        let sum: i128 = view.sums.iter().map(|(_, sum)| sum).sum();
        report.compare(what, sum == 0, || format!("the general ledger sums to {sum}"));
        // What is final never changes; the rest may have been left out by a seal since.
        let frontier = shown.answer.frontier;
        let is_kept = !merged.is_sealed || !shown.answer.provisional;
        if !is_kept || !merged.covers(&frontier) {
            continue;
        }
        let mut till = Till::default();
        merged.up_to(&frontier).for_each(|logged| till.take(logged));
        let cash = view.sums.iter().find(|(code, _)| *code == LedgerCode::CASH);
        let cash = cash.map_or(0, |(_, sum)| *sum);
        report.compare(what, cash == till.cash, || {
            let frontier = frontier.0;
            format!("cash {cash} at frontier {frontier:?}, the facts up to it moved {}", till.cash)
        });
    }
}

/// Money as facts move it, in merged order.
#[derive(Debug, Default)]
struct Till {
    cash: i128,
    seen: BTreeMap<OpId, Hash>,
    /// Amount of each payment, and whether it was taken back.
    payments: BTreeMap<OpId, (i64, bool)>,
    /// Reversals whose payment has not come, or came with another amount.
    early: BTreeMap<OpId, i64>,
}

impl Till {
    fn take(&mut self, logged: &Logged<'_>) {
        let command = CommandView::decode(logged.body).ok();
        let known = self.seen.get(&logged.op_id).copied();
        match (known, command) {
            (None, Some(command)) => self.first(logged.op_id, &command),
            // The operation is another one, the money may be real.
            (Some(known), Some(CommandView::RecordPayment { amount, .. }))
                if known != logged.fingerprint && AMOUNTS.contains(&amount) =>
            {
                self.cash += i128::from(amount);
            }
            _ => {}
        }
        self.seen.entry(logged.op_id).or_insert(logged.fingerprint);
    }

    fn first(&mut self, op_id: OpId, command: &CommandView<'_>) {
        let is_legal =
            |amount: i64, date: Date| AMOUNTS.contains(&amount) && DAYS.contains(&date.0);
        match *command {
            CommandView::RecordPayment { amount, date, .. } if is_legal(amount, date) => {
                self.cash += i128::from(amount);
                let is_back = self.early.get(&op_id) == Some(&amount);
                if is_back {
                    self.early.remove(&op_id);
                }
                self.payments.insert(op_id, (amount, is_back));
            }
            CommandView::ReversePayment { payment, amount, date, .. } if is_legal(amount, date) => {
                self.reverse(payment, amount);
            }
            CommandView::ConfirmPayout { amount, date, .. } if is_legal(amount, date) => {
                self.cash -= i128::from(amount);
            }
            _ => {}
        }
    }

    /// The bank takes money back; the second time it only says so again.
    fn reverse(&mut self, of: OpId, amount: i64) {
        let is_payment = self.payments.get(&of).copied();
        let is_other = match is_payment {
            Some((paid, _)) => paid != amount,
            None => self.seen.contains_key(&of),
        };
        let is_known =
            is_payment.is_some_and(|(_, is_back)| is_back) || self.early.contains_key(&of);
        if !is_other && is_known {
            return;
        }
        self.cash -= i128::from(amount);
        match (is_other, is_payment) {
            (false, Some((paid, _))) => {
                self.payments.insert(of, (paid, true));
            }
            (false, None) => {
                self.early.insert(of, amount);
            }
            (true, _) => {}
        }
    }
}
