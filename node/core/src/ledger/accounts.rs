//! Opening an account, and the sweep of what waited in suspense for it.

use super::fold::{Booking, denied};
use super::rows::{AccountRow, OperationRow, Place, ServicePointRow, SuspenseRow};
use super::store::StoreError;
use crate::sometimes;
use billing_wire::{AccountId, Date, DenyReason, Disposition, LedgerCode, OpId, ServicePointId};

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
        let mut row = AccountRow { balance: 0, items: 0, service_point, opened };
        let opening = self.change_balance(account, &mut row, 0, self.op_id);
        assert!(opening.is_ok(), "0 fits into a balance");
        self.sweep_suspense(account, &mut row)?;
        Ok(Disposition::Applied)
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
        }
        Ok(())
    }

    fn waiting(&mut self, op_id: OpId) -> Result<OperationRow, StoreError> {
        let row = self.state.get::<OperationRow>(&op_id)?;
        row.ok_or_else(|| StoreError(format!("operation {op_id} waits in suspense without a row")))
    }
}
