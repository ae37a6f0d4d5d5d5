//! Lines and accounts: how a journal line reaches the general ledger, and how a customer's
//! history grows with it.

use crate::{Model, Step};
use billing_wire::{AccountId, HistoryItem, JournalLine, LedgerCode, OpId, Position};

/// The submission that is being booked.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) op_id: OpId,
    pub(crate) position: Position,
    pub(crate) step: Step,
    pub(crate) lines: Vec<JournalLine>,
}

/// A customer account: everything that happened to it, with the step that made it happen. The
/// first item is its opening.
#[derive(Debug, Default)]
pub(crate) struct Account {
    history: Vec<(Step, HistoryItem)>,
}

impl Account {
    /// Balance after everything so far, in minor units.
    pub(crate) fn balance(&self) -> i64 {
        self.history.last().map_or(0, |(_, item)| item.balance)
    }

    /// All items, ascending.
    pub(crate) fn items(&self) -> Vec<HistoryItem> {
        self.history.iter().map(|(_, item)| *item).collect()
    }

    /// What had happened when the fold stood at `step`, ascending by step.
    pub(crate) fn at(&self, step: Step) -> &[(Step, HistoryItem)] {
        &self.history[..self.history.partition_point(|(from, _)| *from <= step)]
    }

    /// Whether the balance can take `amount`.
    pub(crate) fn takes(&self, amount: i64) -> bool {
        self.balance().checked_add(amount).is_some()
    }

    /// Adds an item that changes the balance by `amount`.
    ///
    /// # Panics
    /// When the balance would overflow: every booking rule asks [`Account::takes`] first.
    pub(crate) fn push(&mut self, case: &Case, op_id: OpId, amount: i64) {
        let balance = self.balance().checked_add(amount).expect("asked before booking");
        let sequence = self.history.len() as u64 + 1;
        let item = HistoryItem { sequence, position: case.position, op_id, amount, balance };
        self.history.push((case.step, item));
    }
}

impl Model {
    /// One line on an account of the general ledger.
    pub(crate) fn post(&mut self, case: &mut Case, code: LedgerCode, amount: i64) {
        case.lines.push(JournalLine { code, account: None, amount });
        self.add_to_sum(case.step, code, amount);
    }

    /// One line on a customer's receivable, which is one item of the customer's history.
    ///
    /// # Panics
    /// When the account is not open or its balance would overflow: rules ask before they book.
    pub(crate) fn post_to(&mut self, case: &mut Case, account: AccountId, op: OpId, amount: i64) {
        let code = LedgerCode::RECEIVABLE;
        case.lines.push(JournalLine { code, account: Some(account), amount });
        self.add_to_sum(case.step, code, amount);
        let holder = self.accounts.get_mut(&account).expect("rules book on open accounts only");
        holder.push(case, op, amount);
    }

    fn add_to_sum(&mut self, step: Step, code: LedgerCode, amount: i64) {
        let sums = self.sums.get_mut(&code).expect("every code has a sum from the start");
        let (since, last) = sums[sums.len() - 1];
        let sum = last + i128::from(amount);
        if since == step {
            let end = sums.len() - 1;
            sums[end].1 = sum;
        } else {
            sums.push((step, sum));
        }
    }
}
