//! The booking rules of everything but payments: openings, adjustments, and what is out of range
//! before any rule looks at it.

use crate::Model;
use crate::bounds::{BAD_DEBT_MAX, GOODWILL_MAX, LATE_FEE_MAX, REGISTER_MAX, is_amount, is_date};
use crate::subledger::{Account, Case};
use billing_wire::command_view::CommandView;
use billing_wire::{
    AccountId, AdjustmentReason, CommandClass, DenyReason, Disposition, LedgerCode, RedirectReason,
    ServicePointId,
};

pub(crate) fn redirected(reason: RedirectReason) -> Disposition {
    Disposition::Redirected { reason }
}

fn denied(reason: DenyReason) -> Disposition {
    Disposition::Denied { reason }
}

/// Whether every value of a command is inside its legal range.
fn is_in_range(command: &CommandView<'_>) -> bool {
    match command {
        CommandView::OpenAccount { date, .. } => is_date(*date),
        CommandView::RecordPayment { amount, date, .. }
        | CommandView::PostAdjustment { amount, date, .. }
        | CommandView::ReversePayment { amount, date, .. } => is_amount(*amount) && is_date(*date),
        CommandView::RecordRead { reads } => {
            !reads.is_empty()
                && reads.iter().all(|read| read.register <= REGISTER_MAX && is_date(read.date))
        }
        CommandView::CloseAccount { .. }
        | CommandView::RequestRefund { .. }
        | CommandView::IssueInvoice { .. }
        | CommandView::ConfirmPayout { .. } => false,
    }
}

impl Model {
    /// Books the first submission of an operation.
    pub(crate) fn book(
        &mut self,
        command: Option<&CommandView<'_>>,
        case: &mut Case,
    ) -> Disposition {
        let Some(command) = command else {
            return redirected(RedirectReason::Malformed);
        };
        if !is_in_range(command) {
            return match command.class() {
                CommandClass::Intent => denied(DenyReason::OutOfRange),
                CommandClass::Fact => redirected(RedirectReason::OutOfRange),
            };
        }
        match *command {
            CommandView::OpenAccount { account, service_point, .. } => {
                self.open(account, service_point, case)
            }
            CommandView::RecordPayment { account, amount, .. } => self.pay(account, amount, case),
            CommandView::RecordRead { reads } => self.note_reads(&reads),
            CommandView::PostAdjustment { account, amount, reason, .. } => {
                self.adjust(account, amount, reason, case)
            }
            CommandView::ReversePayment { payment, amount, .. } => {
                self.reverse(payment, amount, case)
            }
            CommandView::CloseAccount { .. }
            | CommandView::RequestRefund { .. }
            | CommandView::IssueInvoice { .. } => denied(DenyReason::OutOfRange),
            CommandView::ConfirmPayout { .. } => redirected(RedirectReason::OutOfRange),
        }
    }

    fn open(
        &mut self,
        account: AccountId,
        service_point: ServicePointId,
        case: &mut Case,
    ) -> Disposition {
        if self.accounts.contains_key(&account) {
            return denied(DenyReason::AccountExists);
        }
        if !self.service_points.insert(service_point) {
            return denied(DenyReason::ServicePointTaken);
        }
        let mut opened = Account::default();
        opened.push(case, case.op_id, 0);
        self.accounts.insert(account, opened);
        self.sweep(account, case);
        Disposition::Applied
    }

    fn adjust(
        &mut self,
        account: AccountId,
        amount: i64,
        reason: AdjustmentReason,
        case: &mut Case,
    ) -> Disposition {
        let (limit, contra, change) = match reason {
            AdjustmentReason::Goodwill => (GOODWILL_MAX, LedgerCode::GOODWILL, -amount),
            AdjustmentReason::LateFee => (LATE_FEE_MAX, LedgerCode::LATE_FEES, amount),
            AdjustmentReason::BadDebt => (BAD_DEBT_MAX, LedgerCode::BAD_DEBT, -amount),
        };
        let Some(holder) = self.accounts.get(&account) else {
            return denied(DenyReason::UnknownAccount);
        };
        if amount > limit {
            return denied(DenyReason::OverLimit);
        }
        if !holder.takes(change) {
            return denied(DenyReason::Overflow);
        }
        // The debit comes first, whichever side it is on.
        if change > 0 {
            self.post_to(case, account, case.op_id, change);
            self.post(case, contra, -change);
        } else {
            self.post(case, contra, -change);
            self.post_to(case, account, case.op_id, change);
        }
        Disposition::Applied
    }
}
