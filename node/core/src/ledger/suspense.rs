//! Suspense: money that no account explains yet, each amount with the reason why it lies here.

use super::fold::Booking;
use super::store::StoreError;
use super::waiting_rows::SuspenseItemRow;
use billing_wire::{AccountId, LedgerCode, Position, RedirectReason};

impl Booking<'_> {
    /// Notes money of this submission in suspense: positive for what came in, negative for what
    /// left. `account` is whom a payer named. Nothing is booked.
    pub(super) fn note_in_suspense(
        &mut self,
        account: Option<AccountId>,
        amount: i64,
        reason: RedirectReason,
    ) {
        let op_id = self.op_id;
        self.state.put(self.position, SuspenseItemRow { op_id, account, amount, reason });
    }

    /// Books money that came in (positive) or left (negative) against suspense, and notes it.
    pub(super) fn keep_in_suspense(
        &mut self,
        account: Option<AccountId>,
        amount: i64,
        reason: RedirectReason,
    ) {
        if amount > 0 {
            self.line_pair(LedgerCode::CASH, LedgerCode::SUSPENSE, amount, None);
        } else {
            self.line_pair(LedgerCode::SUSPENSE, LedgerCode::CASH, -amount, None);
        }
        self.note_in_suspense(account, amount, reason);
    }

    /// What a submission had in suspense is explained.
    pub(super) fn settle_in_suspense(&mut self, position: Position) -> Result<(), StoreError> {
        if self.state.get::<SuspenseItemRow>(&position)?.is_none() {
            return Err(StoreError(format!("nothing of the submission at {position} in suspense")));
        }
        self.state.remove::<SuspenseItemRow>(position);
        Ok(())
    }
}
