//! Refunds: granted here, paid out by the outbox, confirmed by the bank.
//!
//! A grant counts against what is left of its payment at that place of the merged order: the
//! amount, less what was granted before, less a reversal. It waits in the outbox until the fact
//! that the money left the bank comes in; that fact has a derived `op_id`, so that two regions
//! that hear of it report one operation.

use super::fold::{Booking, denied, redirected};
use super::rows::{AccountRow, OperationRow, Place};
use super::store::StoreError;
use super::waiting_rows::{OutboxRow, RefundRow};
use crate::{canary, sometimes};
use billing_wire::{DenyReason, Disposition, LedgerCode, OpId, RedirectReason, derived_op_id};

impl Booking<'_> {
    pub(super) fn request_refund(
        &mut self,
        payment: OpId,
        amount: i64,
    ) -> Result<Disposition, StoreError> {
        let operation = self.state.get::<OperationRow>(&payment)?;
        let effect = operation.and_then(|operation| operation.payment);
        let (Some(mut operation), Some(mut effect)) =
            (operation, effect.filter(|effect| effect.place == Place::Account))
        else {
            sometimes!("refund-of-no-payment");
            return Ok(denied(DenyReason::NoSuchPayment));
        };
        let granted = if canary!("refund-guard-forgets-granted") { 0 } else { effect.granted };
        if amount > effect.left() - granted {
            if effect.reversed_by.is_some() {
                sometimes!("refund-after-reversal");
            }
            if effect.granted > 0 {
                sometimes!("refund-after-refund");
            }
            return Ok(denied(DenyReason::OverPaid));
        }
        let account = effect.account;
        let Some(mut row) = self.state.get::<AccountRow>(&account)? else {
            return Err(StoreError(format!("a payment lies on account {account} without a row")));
        };
        if self.change_balance(account, &mut row, amount, self.op_id).is_err() {
            return Ok(denied(DenyReason::Overflow));
        }
        sometimes!("refund-granted");
        if row.closed.is_some() {
            sometimes!("refund-after-closing");
        }
        self.line_pair(LedgerCode::RECEIVABLE, LedgerCode::REFUNDS, amount, Some(account));
        effect.granted += amount;
        operation.payment = Some(effect);
        self.state.put(payment, operation);
        let (refund, position) = (self.op_id, self.position);
        self.state.put(refund, RefundRow { position, amount, paid_by: None });
        self.state.put(position, OutboxRow { refund, payment, account, amount });
        Ok(Disposition::Applied)
    }

    pub(super) fn confirm_payout(
        &mut self,
        refund: OpId,
        amount: i64,
    ) -> Result<Disposition, StoreError> {
        let granted = match self.op_id == derived_op_id(refund, "paid") {
            true => self.state.get::<RefundRow>(&refund)?,
            false => None,
        };
        let waits = |row: &RefundRow| row.paid_by.is_none() && row.amount == amount;
        let Some(row) = granted.filter(waits) else {
            sometimes!("payout-of-no-refund");
            self.keep_in_suspense(None, -amount, RedirectReason::NotThatRefund);
            return Ok(redirected(RedirectReason::NotThatRefund));
        };
        sometimes!("payout-confirmed");
        if self.state.get::<OutboxRow>(&row.position)?.is_none() {
            return Err(StoreError(format!("refund {refund} is unpaid and not in the outbox")));
        }
        self.state.remove::<OutboxRow>(row.position);
        self.state.put(refund, RefundRow { paid_by: Some(self.position), ..row });
        self.line_pair(LedgerCode::REFUNDS, LedgerCode::CASH, amount, None);
        Ok(Disposition::Applied)
    }
}
