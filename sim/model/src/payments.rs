//! Money that comes in and goes back: payments, suspense, reversals in either order, and the
//! sweep of suspense when an account opens.

use crate::Model;
use crate::booking::redirected;
use crate::subledger::{Account, Case};
use billing_wire::{AccountId, Disposition, LedgerCode, OpId, Position, RedirectReason};

const CASH: LedgerCode = LedgerCode::CASH;
const SUSPENSE: LedgerCode = LedgerCode::SUSPENSE;

/// A payment that was booked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payment {
    pub(crate) account: AccountId,
    pub(crate) amount: i64,
    /// On the customer's account; otherwise in suspense.
    pub(crate) on_account: bool,
    /// Where the reversal stands that took it back.
    pub(crate) reversed_by: Option<Position>,
    /// Sum of the refunds that were granted.
    pub(crate) granted: i64,
    /// Where it stands.
    position: Position,
}

/// A reversal without its payment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parked {
    op_id: OpId,
    position: Position,
    amount: i64,
}

impl Model {
    pub(crate) fn pay(&mut self, account: AccountId, amount: i64, case: &mut Case) -> Disposition {
        let known = self.accounts.get(&account);
        let refused = match known {
            None => Some(RedirectReason::UnknownAccount),
            Some(holder) if holder.is_closed => Some(RedirectReason::ClosedAccount),
            Some(holder) if !holder.takes(-amount) => Some(RedirectReason::Overflow),
            Some(_) => None,
        };
        self.post(case, CASH, amount);
        match refused {
            None => self.post_to(case, account, case.op_id, -amount),
            Some(_) => self.post(case, SUSPENSE, -amount),
        }
        if refused == Some(RedirectReason::UnknownAccount) {
            self.waiting.entry(account).or_default().push(case.op_id);
        }
        let mut payment = Payment {
            account,
            amount,
            on_account: refused.is_none(),
            reversed_by: None,
            granted: 0,
            position: case.position,
        };
        if let Some(reason) = refused {
            self.hold(case, Some(account), amount, reason);
        }
        self.meet_parked(&mut payment, case);
        self.payments.insert(case.op_id, payment);
        refused.map_or(Disposition::Applied, redirected)
    }

    /// A payment appears for which a reversal was parked: the two cancel out.
    fn meet_parked(&mut self, payment: &mut Payment, case: &mut Case) {
        match self.parked.get(&case.op_id) {
            Some(parked) if parked.amount == payment.amount => {
                let parked = *parked;
                self.parked.remove(&case.op_id);
                payment.reversed_by = Some(parked.position);
                self.suspense.take(case.step, parked.position);
                if payment.on_account {
                    self.post_to(case, payment.account, parked.op_id, payment.amount);
                    self.post(case, SUSPENSE, -payment.amount);
                } else {
                    self.suspense.take(case.step, payment.position);
                }
            }
            Some(_) | None => {}
        }
    }

    pub(crate) fn reverse(&mut self, of: OpId, amount: i64, case: &mut Case) -> Disposition {
        let payment = self.payments.get(&of).copied();
        let other = payment.is_none() && self.operations.contains_key(&of);
        if other || payment.is_some_and(|p| p.amount != amount) {
            return self.keep_for_a_person(RedirectReason::NotThatPayment, None, amount, case);
        }
        let earlier = payment.and_then(|p| p.reversed_by);
        if let Some(of) = earlier.or(self.parked.get(&of).map(|parked| parked.position)) {
            return Disposition::Duplicate { of };
        }
        let Some(mut payment) = payment else {
            let parked = Parked { op_id: case.op_id, position: case.position, amount };
            self.parked.insert(of, parked);
            return self.keep_for_a_person(RedirectReason::PaymentNotSeen, None, amount, case);
        };
        // Even where the booking overflows the bank has the money back: another is a duplicate.
        payment.reversed_by = Some(case.position);
        self.payments.insert(of, payment);
        if payment.on_account {
            let account = payment.account;
            if !self.accounts.get(&account).is_some_and(|holder| holder.takes(amount)) {
                let reason = RedirectReason::Overflow;
                return self.keep_for_a_person(reason, Some(account), amount, case);
            }
            self.post_to(case, account, case.op_id, amount);
        } else {
            self.post(case, SUSPENSE, amount);
            self.suspense.take(case.step, payment.position);
        }
        self.post(case, CASH, -amount);
        Disposition::Applied
    }

    /// The bank took money that no payment on the books explains.
    fn keep_for_a_person(
        &mut self,
        reason: RedirectReason,
        account: Option<AccountId>,
        amount: i64,
        case: &mut Case,
    ) -> Disposition {
        self.post(case, SUSPENSE, amount);
        self.post(case, CASH, -amount);
        self.hold(case, account, -amount, reason);
        redirected(reason)
    }

    /// An account opened: what waits for it in suspense is booked on it, in merged order.
    pub(crate) fn sweep(&mut self, account: AccountId, case: &mut Case) {
        for op_id in self.waiting.remove(&account).unwrap_or_default() {
            let Some(mut payment) = self.payments.get(&op_id).copied() else { continue };
            let fits =
                self.accounts.get(&account).is_some_and(|a| Account::takes(a, -payment.amount));
            if payment.reversed_by.is_some() || !fits {
                continue;
            }
            self.post(case, SUSPENSE, payment.amount);
            self.post_to(case, account, op_id, -payment.amount);
            payment.on_account = true;
            self.suspense.take(case.step, payment.position);
            self.payments.insert(op_id, payment);
        }
    }
}
