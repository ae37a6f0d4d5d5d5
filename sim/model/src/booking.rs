//! The booking rules of accounts: openings, closings, adjustments, and what is out of range
//! before any rule looks at it.

use crate::Model;
use crate::bounds::{
    BAD_DEBT_MAX, GOODWILL_MAX, LATE_FEE_MAX, REGISTER_MAX, is_amount, is_date, is_month,
};
use crate::invoices::Wanted;
use crate::subledger::{Account, Case};
use billing_wire::command_view::CommandView;
use billing_wire::{
    AccountId, AdjustmentReason, CommandClass, DenyReason, Disposition, DocumentNumber, LedgerCode,
    RedirectReason, ServicePointId,
};

pub(crate) fn redirected(reason: RedirectReason) -> Disposition {
    Disposition::Redirected { reason }
}

pub(crate) fn denied(reason: DenyReason) -> Disposition {
    Disposition::Denied { reason }
}

/// Whether every value of a command is inside its legal range.
fn is_in_range(command: &CommandView<'_>) -> bool {
    match command {
        CommandView::OpenAccount { date, .. } | CommandView::CloseAccount { date, .. } => {
            is_date(*date)
        }
        CommandView::IssueInvoice { period, date, .. } => is_month(*period) && is_date(*date),
        CommandView::RecordPayment { amount, date, .. }
        | CommandView::PostAdjustment { amount, date, .. }
        | CommandView::ReversePayment { amount, date, .. }
        | CommandView::RequestRefund { amount, date, .. }
        | CommandView::ConfirmPayout { amount, date, .. } => is_amount(*amount) && is_date(*date),
        CommandView::RecordRead { reads } => {
            !reads.is_empty()
                && reads.iter().all(|read| read.register <= REGISTER_MAX && is_date(read.date))
        }
    }
}

impl Model {
    /// Books the first submission of an operation. An invoice has its `number`.
    pub(crate) fn book(
        &mut self,
        command: Option<&CommandView<'_>>,
        number: Option<DocumentNumber>,
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
            CommandView::CloseAccount { account, .. } => self.close(account, case),
            CommandView::RequestRefund { payment, amount, .. } => {
                self.refund(payment, amount, case)
            }
            CommandView::ConfirmPayout { refund, amount, .. } => {
                self.paid_out(refund, amount, case)
            }
            CommandView::IssueInvoice { account, period, date } => {
                let number = number.expect("whoever submits an invoice takes a number");
                self.invoice(number, Wanted { account, period, date }, case)
            }
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
        let mut opened = Account::new(service_point, case.date);
        opened.push(case, case.op_id, 0);
        self.accounts.insert(account, opened);
        self.sweep(account, case);
        Disposition::Applied
    }

    fn close(&mut self, account: AccountId, case: &mut Case) -> Disposition {
        match self.accounts.get(&account) {
            None => return denied(DenyReason::UnknownAccount),
            Some(holder) if holder.is_closed => return denied(DenyReason::AccountClosed),
            Some(_) if self.lacks_final_bill(account) => {
                return denied(DenyReason::FinalBillMissing);
            }
            Some(_) => {}
        }
        if let Some(holder) = self.accounts.get_mut(&account) {
            holder.is_closed = true;
            holder.push(case, case.op_id, 0);
            self.service_points.remove(&holder.service_point);
        }
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
        if holder.is_closed {
            return denied(DenyReason::AccountClosed);
        }
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
