//! Money that goes back to customers: refunds as they are granted, and the bank's word that one
//! was paid out.

use crate::Model;
use crate::booking::{denied, redirected};
use crate::subledger::Case;
use billing_wire::{
    DenyReason, Disposition, LedgerCode, OpId, OutboxItem, Position, RedirectReason, derived_op_id,
};

/// A refund that was granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refund {
    item: OutboxItem,
    /// The payment as this grant left it.
    payment: RefundedPayment,
    is_paid: bool,
}

/// A payment, as the grant of a refund left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundedPayment {
    /// Sum of the refunds that were granted, in minor units.
    pub granted: i64,
    /// The payment, less what was taken back, in minor units.
    pub left: i64,
}

impl Model {
    /// What a payment that was booked brought, in minor units.
    pub fn payment_amount(&self, op_id: OpId) -> Option<i64> {
        self.payments.get(&op_id).map(|payment| payment.amount)
    }

    /// The payment of a refund as the grant at that position left it.
    pub fn refunded_payment(&self, refund: OpId, at: Position) -> Option<RefundedPayment> {
        let granted = self.refunds.get(&refund).filter(|refund| refund.item.position == at)?;
        Some(granted.payment)
    }

    /// A refund that was granted, as it was put into the outbox.
    pub fn granted_refund(&self, refund: OpId) -> Option<OutboxItem> {
        self.refunds.get(&refund).map(|granted| granted.item)
    }

    /// Every refund that was granted.
    pub fn granted_refunds(&self) -> impl Iterator<Item = OutboxItem> + '_ {
        self.refunds.values().map(|granted| granted.item)
    }

    /// Those whose payout is not confirmed.
    pub fn unpaid_refunds(&self) -> impl Iterator<Item = OutboxItem> + '_ {
        self.refunds.values().filter(|granted| !granted.is_paid).map(|granted| granted.item)
    }

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
        self.outbox.put(case.step, position, item);
        let granted = payment.granted + amount;
        if let Some(payment) = self.payments.get_mut(&of) {
            payment.granted = granted;
        }
        let payment = RefundedPayment { granted, left: payment.amount - reversed };
        self.refunds.insert(refund, Refund { item, payment, is_paid: false });
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
