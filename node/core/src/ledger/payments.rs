//! Payments and their reversals, in whichever order they appear.
//!
//! A payment lies on its account or in suspense; a reversal takes it back from where it lies. A
//! reversal that comes first is parked under the payment's `op_id`: its cash is booked against
//! suspense, and the payment settles that when it appears.

use super::fold::{Booking, redirected};
use super::rows::{AccountRow, OperationRow, ParkedRow, PaymentEffect, Place, SuspenseRow};
use super::store::StoreError;
use crate::sometimes;
use billing_wire::{AccountId, Disposition, LedgerCode, OpId, RedirectReason};

impl Booking<'_> {
    pub(super) fn record_payment(
        &mut self,
        account: AccountId,
        amount: i64,
    ) -> Result<(Disposition, Option<PaymentEffect>), StoreError> {
        let mut row = self.state.get::<AccountRow>(&account)?;
        let (disposition, place) = match &mut row {
            Some(row) if row.closed.is_some() => {
                sometimes!("payment-after-closing");
                (redirected(RedirectReason::ClosedAccount), Place::Suspense)
            }
            Some(row) => match self.change_balance(account, row, -amount, self.op_id) {
                Ok(()) => (Disposition::Applied, Place::Account),
                Err(_) => (redirected(RedirectReason::Overflow), Place::Suspense),
            },
            None => (redirected(RedirectReason::UnknownAccount), Place::SuspenseWaiting),
        };
        if place == Place::Account {
            self.line_pair(LedgerCode::CASH, LedgerCode::RECEIVABLE, amount, Some(account));
        } else {
            sometimes!("payment-redirected");
            self.line_pair(LedgerCode::CASH, LedgerCode::SUSPENSE, amount, None);
        }
        let mut payment = PaymentEffect { account, amount, place, reversed_by: None, granted: 0 };
        self.settle_parked_reversal(&mut payment, row.as_mut())?;
        if let Disposition::Redirected { reason } = disposition
            && payment.reversed_by.is_none()
        {
            self.note_in_suspense(Some(account), amount, reason);
        }
        if payment.place == Place::SuspenseWaiting {
            self.state.put((account, self.position), SuspenseRow { op_id: self.op_id });
        }
        Ok((disposition, Some(payment)))
    }

    /// Settles the reversal that was parked for this payment. One that names another amount
    /// stays parked, for a person.
    fn settle_parked_reversal(
        &mut self,
        payment: &mut PaymentEffect,
        row: Option<&mut AccountRow>,
    ) -> Result<(), StoreError> {
        let Some(parked) = self.state.get::<ParkedRow>(&self.op_id)? else { return Ok(()) };
        if parked.amount != payment.amount {
            return Ok(());
        }
        sometimes!("reversal-swept");
        let (account, amount) = (payment.account, payment.amount);
        match (payment.place, row) {
            (Place::Account, Some(row)) => {
                let back = self.change_balance(account, row, amount, parked.op_id);
                assert!(back.is_ok(), "the balance goes back to what it was");
                self.line_pair(LedgerCode::RECEIVABLE, LedgerCode::SUSPENSE, amount, Some(account));
            }
            // What the reversal took out of suspense is what the payment put in.
            _ => payment.place = Place::Suspense,
        }
        payment.reversed_by = Some(parked.position);
        self.state.remove::<ParkedRow>(self.op_id);
        self.settle_in_suspense(parked.position)
    }

    pub(super) fn reverse_payment(
        &mut self,
        payment: OpId,
        amount: i64,
    ) -> Result<Disposition, StoreError> {
        let operation = self.state.get::<OperationRow>(&payment)?;
        let parked = self.state.get::<ParkedRow>(&payment)?;
        let Some(operation) = operation else {
            if let Some(parked) = parked {
                sometimes!("reversal-duplicate");
                return Ok(Disposition::Duplicate { of: parked.position });
            }
            sometimes!("reversal-parked");
            self.keep_in_suspense(None, -amount, RedirectReason::PaymentNotSeen);
            let row = ParkedRow { op_id: self.op_id, position: self.position, amount };
            self.state.put(payment, row);
            return Ok(redirected(RedirectReason::PaymentNotSeen));
        };
        let Some(effect) = operation.payment.filter(|effect| effect.amount == amount) else {
            self.keep_in_suspense(None, -amount, RedirectReason::NotThatPayment);
            return Ok(redirected(RedirectReason::NotThatPayment));
        };
        if let Some(of) = effect.reversed_by.or(parked.map(|parked| parked.position)) {
            sometimes!("reversal-duplicate");
            return Ok(Disposition::Duplicate { of });
        }
        self.take_back(payment, operation, effect)
    }

    /// Takes a payment back from where it lies.
    fn take_back(
        &mut self,
        op_id: OpId,
        mut operation: OperationRow,
        mut effect: PaymentEffect,
    ) -> Result<Disposition, StoreError> {
        let disposition = if effect.place == Place::Account {
            self.take_back_from_account(effect.account, effect.amount)?
        } else {
            sometimes!("reversal-of-suspense");
            let key = (effect.account, operation.position);
            if self.state.get::<SuspenseRow>(&key)?.is_some() {
                self.state.remove::<SuspenseRow>(key);
            }
            self.settle_in_suspense(operation.position)?;
            effect.place = Place::Suspense;
            self.line_pair(LedgerCode::SUSPENSE, LedgerCode::CASH, effect.amount, None);
            Disposition::Applied
        };
        if effect.granted > 0 {
            sometimes!("reversal-after-refund");
        }
        effect.reversed_by = Some(self.position);
        operation.payment = Some(effect);
        self.state.put(op_id, operation);
        Ok(disposition)
    }

    /// The bank has the money back whatever the balance says: what does not fit there lies in
    /// suspense, for a person.
    fn take_back_from_account(
        &mut self,
        account: AccountId,
        amount: i64,
    ) -> Result<Disposition, StoreError> {
        let Some(mut row) = self.state.get::<AccountRow>(&account)? else {
            return Err(StoreError(format!("a payment lies on account {account} without a row")));
        };
        if self.change_balance(account, &mut row, amount, self.op_id).is_err() {
            self.keep_in_suspense(Some(account), -amount, RedirectReason::Overflow);
            return Ok(redirected(RedirectReason::Overflow));
        }
        sometimes!("reversal-applied");
        if row.closed.is_some() {
            sometimes!("reversal-after-closing");
        }
        self.line_pair(LedgerCode::RECEIVABLE, LedgerCode::CASH, amount, Some(account));
        Ok(Disposition::Applied)
    }
}
