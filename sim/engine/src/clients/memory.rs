//! What the clients remember of what they asked: which accounts they opened, which payments they
//! reported, which of those they took back. Bounded, oldest forgotten first.

use crate::seed::Stream;
use billing_wire::{AccountId, BillingPeriod, OpId, Submission};
use std::collections::VecDeque;

/// Payments, reversals and submissions that are remembered, of each.
const REMEMBERED_MAX: usize = 256;
/// Accounts from here on are never opened.
const NEVER_OPENED: u64 = 1 << 40;

/// A payment that was reported, or will be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payment {
    pub(super) op_id: OpId,
    /// Minor units.
    pub(super) amount: i64,
}

/// A refund that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refund {
    pub(super) op_id: OpId,
    /// Minor units.
    pub(super) amount: i64,
}

/// What clients remember.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Accounts 1 to this were asked to be opened.
    opened: u64,
    payments: VecDeque<Payment>,
    reversed: VecDeque<Payment>,
    recent: VecDeque<Submission>,
    /// Payments that were reversed before they were reported.
    held: VecDeque<Submission>,
    refunds: VecDeque<Refund>,
    /// Accounts and months of which an invoice was asked for.
    billed: VecDeque<(AccountId, BillingPeriod)>,
}

impl Memory {
    /// How many accounts were asked to be opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// One more account to open.
    pub(super) fn open_next(&mut self) -> AccountId {
        self.opened += 1;
        AccountId(self.opened)
    }

    /// An account that was asked to be opened, half of the time one of four busy ones.
    pub(super) fn account(&self, stream: &mut Stream) -> AccountId {
        let opened = self.opened.max(1);
        let of = if stream.below(2) == 0 { opened.min(4) } else { opened };
        AccountId(1 + stream.below(of))
    }

    /// An account that is not open: it will be soon, or never.
    pub(super) fn unknown_account(&self, stream: &mut Stream) -> AccountId {
        match stream.below(3) {
            0 => AccountId(NEVER_OPENED + stream.below(1_000)),
            _ => AccountId(self.opened + 1 + stream.below(4)),
        }
    }

    pub(super) fn remember_payment(&mut self, payment: Payment) {
        remember(&mut self.payments, payment);
    }

    pub(super) fn remember(&mut self, submission: &Submission) {
        remember(&mut self.recent, submission.clone());
    }

    pub(super) fn hold(&mut self, submission: Submission) {
        remember(&mut self.held, submission);
    }

    pub(super) fn remember_refund(&mut self, refund: Refund) {
        remember(&mut self.refunds, refund);
    }

    /// A refund that was asked for, to be reported as paid out; forgotten then.
    pub(super) fn take_refund(&mut self, stream: &mut Stream) -> Option<Refund> {
        self.refunds.remove(place(&self.refunds, stream)?)
    }

    pub(super) fn remember_billed(&mut self, account: AccountId, period: BillingPeriod) {
        remember(&mut self.billed, (account, period));
    }

    /// An account of which an invoice for a month was asked for; forgotten then.
    pub(super) fn billed(
        &mut self,
        period: BillingPeriod,
        stream: &mut Stream,
    ) -> Option<AccountId> {
        let of_month = self.billed.iter().filter(|(_, month)| *month == period).count() as u64;
        let nth = (of_month > 0).then(|| stream.below(of_month) as usize)?;
        let mut places = (0..self.billed.len()).filter(|at| self.billed[*at].1 == period);
        let place = places.nth(nth)?;
        self.billed.remove(place).map(|(account, _)| account)
    }

    /// A held payment that is reported now.
    pub(super) fn release(&mut self, stream: &mut Stream) -> Option<Submission> {
        if self.held.is_empty() || stream.below(4) != 0 {
            return None;
        }
        self.held.pop_front()
    }

    /// A payment to be taken back for the first time.
    pub(super) fn take_back(&mut self, stream: &mut Stream) -> Option<Payment> {
        let place = place(&self.payments, stream)?;
        let payment = self.payments.swap_remove_back(place)?;
        remember(&mut self.reversed, payment);
        Some(payment)
    }

    /// A payment that was reported and not taken back.
    pub(super) fn payment(&self, stream: &mut Stream) -> Option<Payment> {
        place(&self.payments, stream).map(|at| self.payments[at])
    }

    /// A payment that was taken back before.
    pub(super) fn reversed(&self, stream: &mut Stream) -> Option<Payment> {
        place(&self.reversed, stream).map(|at| self.reversed[at])
    }

    /// A submission of late; half of the time the latest, which is likely to be under way.
    pub(super) fn recent(&self, stream: &mut Stream) -> Option<&Submission> {
        if stream.below(2) == 0 {
            return self.recent.back();
        }
        place(&self.recent, stream).map(|at| &self.recent[at])
    }
}

fn place<T>(items: &VecDeque<T>, stream: &mut Stream) -> Option<usize> {
    (!items.is_empty()).then(|| stream.below(items.len() as u64) as usize)
}

fn remember<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == REMEMBERED_MAX {
        items.pop_front();
    }
    items.push_back(item);
}
