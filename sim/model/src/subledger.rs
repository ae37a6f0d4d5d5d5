//! Lines and accounts: how a journal line reaches the general ledger, and how a customer's
//! history grows with it.

use crate::{Model, Step};
use billing_wire::{
    AccountId, Date, DocumentNumber, HistoryItem, Incarnation, JournalLine, LedgerCode, OpId,
    Position, RedirectReason, ServicePointId, SuspenseItem,
};

/// The submission that is being booked.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) op_id: OpId,
    pub(crate) position: Position,
    pub(crate) incarnation: Incarnation,
    pub(crate) date: Date,
    pub(crate) step: Step,
    pub(crate) lines: Vec<JournalLine>,
}

/// A customer account: everything that happened to it, with the step that made it happen. The
/// first item is its opening.
#[derive(Debug)]
pub(crate) struct Account {
    history: Vec<(Step, HistoryItem)>,
    pub(crate) service_point: ServicePointId,
    pub(crate) opened: Date,
    pub(crate) is_closed: bool,
    /// Invoices and voids, in merged order.
    pub(crate) documents: Vec<(Step, DocumentNumber)>,
}

impl Account {
    pub(crate) fn new(service_point: ServicePointId, opened: Date) -> Self {
        let (history, documents) = (Vec::new(), Vec::new());
        Self { history, service_point, opened, is_closed: false, documents }
    }

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
        let (position, date) = (case.position, case.date);
        let item = HistoryItem { sequence, position, op_id, date, amount, balance };
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

    /// Money of this submission lies in suspense: positive came in, negative left.
    pub(crate) fn hold(
        &mut self,
        case: &Case,
        account: Option<AccountId>,
        amount: i64,
        reason: RedirectReason,
    ) {
        let (position, op_id) = (case.position, case.op_id);
        let item = SuspenseItem { position, op_id, account, amount, reason };
        self.suspense.put(case.step, position, item);
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
