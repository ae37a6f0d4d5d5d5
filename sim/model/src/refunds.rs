//! Money that goes back to customers: refunds as they are granted, and the bank's word that one
//! was paid out.

use crate::Model;
use crate::booking::{denied, redirected};
use crate::subledger::Case;
use billing_wire::{
    DenyReason, Disposition, LedgerCode, OpId, OutboxItem, RedirectReason, derived_op_id,
};

/// A refund that was granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refund {
    item: OutboxItem,
    is_paid: bool,
}

impl Model {
    pub(crate) fn refund(&mut self, of: OpId, amount: i64, case: &mut Case) -> Disposition {
        let Some(payment) = self.payments.get(&of).copied().filter(|p| p.on_account) else {
            return denied(DenyReason::NoSuchPayment);
        };
        let reversed = if payment.reversed_by.is_some() { payment.amount } else { 0 };
        let used = i128::from(payment.granted) + i128::from(reversed) + i128::from(amount);
        if used > i128::from(payment.amount) {
            return denied(DenyReason::OverPaid);
        }
        let account = payment.account;
        if !self.accounts.get(&account).is_some_and(|holder| holder.takes(amount)) {
            return denied(DenyReason::Overflow);
        }
        self.post_to(case, account, case.op_id, amount);
        self.post(case, LedgerCode::REFUNDS, -amount);
        let (refund, position) = (case.op_id, case.position);
        let item = OutboxItem { position, refund, payment: of, account, amount };
        self.refunds.insert(refund, Refund { item, is_paid: false });
        self.outbox.put(case.step, position, item);
        if let Some(payment) = self.payments.get_mut(&of) {
            payment.granted += amount;
        }
        Disposition::Applied
    }

    pub(crate) fn paid_out(&mut self, of: OpId, amount: i64, case: &mut Case) -> Disposition {
        let is_derived = case.op_id == derived_op_id(of, "paid");
        let refund = self.refunds.get_mut(&of).filter(|_| is_derived);
        match refund.filter(|refund| !refund.is_paid && refund.item.amount == amount) {
            Some(refund) => {
                refund.is_paid = true;
                let position = refund.item.position;
                self.outbox.take(case.step, position);
                self.post(case, LedgerCode::REFUNDS, amount);
                self.post(case, LedgerCode::CASH, -amount);
                Disposition::Applied
            }
            None => {
                self.post(case, LedgerCode::SUSPENSE, amount);
                self.post(case, LedgerCode::CASH, -amount);
                self.hold(case, None, -amount, RedirectReason::NotThatRefund);
                redirected(RedirectReason::NotThatRefund)
            }
        }
    }
}
