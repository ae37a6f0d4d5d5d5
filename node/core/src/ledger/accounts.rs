//! Opening an account, and the sweep of what waited in suspense for it.

use super::document_rows::{AccountMonth, EffectiveInvoiceRow};
use super::fold::{Booking, denied};
use super::rows::{
    AccountRow, MeterDay, MeterReadRow, OperationRow, Place, ServicePointRow, SuspenseRow,
};
use super::store::StoreError;
use crate::sometimes;
use billing_wire::{
    AccountId, Date, DenyReason, Disposition, LedgerCode, MeterId, OpId, ServicePointId,
};

impl Booking<'_> {
    pub(super) fn open_account(
        &mut self,
        account: AccountId,
        service_point: ServicePointId,
        opened: Date,
    ) -> Result<Disposition, StoreError> {
        if self.state.get::<AccountRow>(&account)?.is_some() {
            sometimes!("account-exists");
            return Ok(denied(DenyReason::AccountExists));
        }
        if self.state.get::<ServicePointRow>(&service_point)?.is_some() {
            sometimes!("service-point-taken");
            return Ok(denied(DenyReason::ServicePointTaken));
        }
        self.state.put(service_point, ServicePointRow { account });
        let (closed, documents) = (None, 0);
        let mut row = AccountRow { balance: 0, items: 0, service_point, opened, closed, documents };
        let opening = self.change_balance(account, &mut row, 0, self.op_id);
        assert!(opening.is_ok(), "0 fits into a balance");
        self.sweep_suspense(account, &mut row)?;
        Ok(Disposition::Applied)
    }

    /// Closes an account whose consumption is billed. Its service point is free again, its number
    /// is not.
    pub(super) fn close_account(
        &mut self,
        account: AccountId,
        closed: Date,
    ) -> Result<Disposition, StoreError> {
        let Some(mut row) = self.state.get::<AccountRow>(&account)? else {
            return Ok(denied(DenyReason::UnknownAccount));
        };
        if row.closed.is_some() {
            sometimes!("close-after-closing");
            return Ok(denied(DenyReason::AccountClosed));
        }
        if self.has_unbilled_reading(account, &row)? {
            sometimes!("final-bill-missing");
            return Ok(denied(DenyReason::FinalBillMissing));
        }
        sometimes!("account-closed");
        if row.items > 1 {
            sometimes!("closing-after-booking");
        }
        if row.documents > 0 {
            sometimes!("closing-after-invoice");
        }
        row.closed = Some(closed);
        let item = self.change_balance(account, &mut row, 0, self.op_id);
        assert!(item.is_ok(), "0 fits into a balance");
        if self.state.get::<ServicePointRow>(&row.service_point)?.is_some() {
            self.state.remove::<ServicePointRow>(row.service_point);
        }
        Ok(Disposition::Applied)
    }

    /// Whether the meter was read after the month of the newest invoice; the meter at a service
    /// point has its number.
    fn has_unbilled_reading(
        &self,
        account: AccountId,
        row: &AccountRow,
    ) -> Result<bool, StoreError> {
        let meter = MeterId(row.service_point.0);
        let (latest, first) =
            (MeterDay::new(meter, Date(u32::MAX)), MeterDay::new(meter, row.opened));
        let Some((read, _)) = self.state.first::<MeterReadRow>(latest, first)? else {
            return Ok(false);
        };
        let (newest, oldest) = AccountMonth::all_of(account);
        let invoice = self.state.first::<EffectiveInvoiceRow>(newest, oldest)?;
        Ok(invoice.is_none_or(|(month, _)| read.date() > month.period().last_day()))
    }

    /// Books every payment that waits for the account, in merged order. One that would overflow
    /// the balance stays in suspense.
    fn sweep_suspense(
        &mut self,
        account: AccountId,
        row: &mut AccountRow,
    ) -> Result<(), StoreError> {
        let (first, last) = SuspenseRow::keys_of(account);
        for (key, SuspenseRow { op_id }) in self.state.range::<SuspenseRow>(first, last)? {
            let mut operation = self.waiting(op_id)?;
            let Some(payment) = &mut operation.payment else {
                return Err(StoreError(format!("operation {op_id} in suspense is no payment")));
            };
            if self.change_balance(account, row, -payment.amount, op_id).is_err() {
                continue;
            }
            sometimes!("payment-swept");
            let amount = payment.amount;
            self.line_pair(LedgerCode::SUSPENSE, LedgerCode::RECEIVABLE, amount, Some(account));
            payment.place = Place::Account;
            self.state.put(op_id, operation);
            self.state.remove::<SuspenseRow>(key);
            self.settle_in_suspense(key.1)?;
        }
        Ok(())
    }

    fn waiting(&mut self, op_id: OpId) -> Result<OperationRow, StoreError> {
        let row = self.state.get::<OperationRow>(&op_id)?;
        row.ok_or_else(|| StoreError(format!("operation {op_id} waits in suspense without a row")))
    }
}
