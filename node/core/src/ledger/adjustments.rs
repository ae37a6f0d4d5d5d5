//! Adjustments of a balance: the reason gives sign, contra account and limit.

use super::fold::{Booking, denied};
use super::rows::AccountRow;
use super::store::StoreError;
use crate::limits::{BAD_DEBT_MAX, GOODWILL_MAX, LATE_FEE_MAX};
use crate::sometimes;
use billing_wire::{AccountId, AdjustmentReason, DenyReason, Disposition, LedgerCode};

impl Booking<'_> {
    pub(super) fn post_adjustment(
        &mut self,
        account: AccountId,
        amount: i64,
        reason: AdjustmentReason,
    ) -> Result<Disposition, StoreError> {
        let denial = match self.state.get::<AccountRow>(&account)? {
            None => DenyReason::UnknownAccount,
            Some(row) if row.closed.is_some() => {
                sometimes!("adjustment-after-closing");
                DenyReason::AccountClosed
            }
            Some(_) if amount > limit(reason) => DenyReason::OverLimit,
            Some(mut row) => {
                let (debit, credit, change) = match reason {
                    AdjustmentReason::Goodwill => {
                        (LedgerCode::GOODWILL, LedgerCode::RECEIVABLE, -amount)
                    }
                    AdjustmentReason::LateFee => {
                        (LedgerCode::RECEIVABLE, LedgerCode::LATE_FEES, amount)
                    }
                    AdjustmentReason::BadDebt => {
                        (LedgerCode::BAD_DEBT, LedgerCode::RECEIVABLE, -amount)
                    }
                };
                if self.change_balance(account, &mut row, change, self.op_id).is_ok() {
                    self.line_pair(debit, credit, amount, Some(account));
                    return Ok(Disposition::Applied);
                }
                DenyReason::Overflow
            }
        };
        sometimes!("adjustment-denied");
        Ok(denied(denial))
    }
}

fn limit(reason: AdjustmentReason) -> i64 {
    match reason {
        AdjustmentReason::Goodwill => GOODWILL_MAX,
        AdjustmentReason::LateFee => LATE_FEE_MAX,
        AdjustmentReason::BadDebt => BAD_DEBT_MAX,
    }
}
