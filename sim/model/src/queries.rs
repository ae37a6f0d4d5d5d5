//! Reads as of any step: what a node at that frontier must answer.

use crate::{Model, Step};
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, BalanceView, Date, DocumentNumber, DocumentPage, HistoryItem, HistoryPage, Hlc,
    LedgerCode, OpId, OperationState, OutboxPage, Query, QueryResult, StatementPage, SuspensePage,
    TrialBalanceView,
};

impl Model {
    /// The exact answer to a query when the fold stood at `step` and all up to `watermark` was
    /// final.
    pub fn answer(&self, query: &Query, step: Step, watermark: Hlc) -> QueryResult {
        match *query {
            Query::Balance { account } => match self.balance_at(account, step) {
                Some(view) => QueryResult::Balance(view),
                None => QueryResult::UnknownAccount(account),
            },
            Query::History { account, after, limit } => {
                match self.page_at(account, after, limit, step) {
                    Some(page) => QueryResult::History(page),
                    None => QueryResult::UnknownAccount(account),
                }
            }
            Query::Operation { op_id } => {
                QueryResult::Operation(self.operation_at(op_id, step, watermark))
            }
            Query::TrialBalance => QueryResult::TrialBalance(self.trial_balance_at(step)),
            Query::Statement { account, from, to, after, limit } => {
                match self.statement_at(account, (from, to), (after, limit), step) {
                    Some(page) => QueryResult::Statement(page),
                    None => QueryResult::UnknownAccount(account),
                }
            }
            Query::Document { number } => self.document_at(Some(number), step),
            Query::Invoice { account, period } => {
                if self.balance_at(account, step).is_none() {
                    return QueryResult::UnknownAccount(account);
                }
                let effective = self.effective.get(&(account, period));
                let number = effective.filter(|e| e.step <= step).map(|e| e.number);
                self.document_at(number, step)
            }
            Query::Documents { account, after, limit } => {
                match self.documents_at(account, after, limit, step) {
                    Some(page) => QueryResult::Documents(page),
                    None => QueryResult::UnknownAccount(account),
                }
            }
            Query::Suspense { after, limit } => {
                let (items, next) = self.suspense.page(step, after, limit);
                QueryResult::Suspense(SuspensePage { items, next })
            }
            Query::Outbox { after, limit } => {
                let (items, next) = self.outbox.page(step, after, limit);
                QueryResult::Outbox(OutboxPage { items, next })
            }
        }
    }

    fn statement_at(
        &self,
        account: AccountId,
        (from, to): (Date, Date),
        (after, limit): (u64, u16),
        step: Step,
    ) -> Option<StatementPage> {
        let items = self.accounts.get(&account)?.at(step);
        items.last()?;
        let sum = |wanted: &dyn Fn(Date) -> bool| -> i128 {
            items.iter().filter(|(_, i)| wanted(i.date)).map(|(_, i)| i128::from(i.amount)).sum()
        };
        let opening = sum(&|date| date < from);
        let closing = opening + sum(&|date| from <= date && date <= to);
        let is_wanted = |i: &HistoryItem| from <= i.date && i.date <= to && i.sequence > after;
        let mut rest = items.iter().map(|(_, item)| *item).filter(is_wanted);
        let length = usize::from(limit.clamp(1, HISTORY_PAGE_MAX));
        let items: Vec<_> = rest.by_ref().take(length).collect();
        let next = rest.next().and(items.last()).map(|last| last.sequence);
        Some(StatementPage { account, opening, closing, items, next })
    }

    fn document_at(&self, number: Option<DocumentNumber>, step: Step) -> QueryResult {
        let filed = number.and_then(|number| self.documents.get(&number));
        match filed.filter(|filed| filed.step <= step) {
            Some(filed) => QueryResult::Document(Box::new(filed.document)),
            None => QueryResult::NoSuchDocument,
        }
    }

    fn documents_at(
        &self,
        account: AccountId,
        after: u64,
        limit: u16,
        step: Step,
    ) -> Option<DocumentPage> {
        self.balance_at(account, step)?;
        let all = &self.accounts.get(&account)?.documents;
        let here = &all[..all.partition_point(|(from, _)| *from <= step)];
        let rest = here.get(usize::try_from(after).unwrap_or(usize::MAX)..).unwrap_or_default();
        let length = rest.len().min(usize::from(limit.clamp(1, HISTORY_PAGE_MAX)));
        let documents =
            rest[..length].iter().map(|(_, number)| self.documents[number].document).collect();
        let next = (length < rest.len()).then(|| after + length as u64);
        Some(DocumentPage { account, documents, next })
    }

    fn balance_at(&self, account: AccountId, step: Step) -> Option<BalanceView> {
        let items = self.accounts.get(&account)?.at(step);
        let (_, last) = items.last()?;
        Some(BalanceView { account, balance: last.balance, items: items.len() as u64 })
    }

    fn page_at(
        &self,
        account: AccountId,
        after: u64,
        limit: u16,
        step: Step,
    ) -> Option<HistoryPage> {
        let items = self.accounts.get(&account)?.at(step);
        items.last()?;
        let rest = items.get(usize::try_from(after).ok()?..).unwrap_or_default();
        let length = rest.len().min(usize::from(limit.clamp(1, HISTORY_PAGE_MAX)));
        let page: Vec<_> = rest[..length].iter().map(|(_, item)| *item).collect();
        let next = (length < rest.len()).then(|| after + length as u64);
        Some(HistoryPage { account, items: page, next })
    }

    fn operation_at(&self, op_id: OpId, step: Step, watermark: Hlc) -> OperationState {
        match self.operations.get(&op_id).filter(|operation| operation.step <= step) {
            None => OperationState::NotSeen,
            Some(known) => {
                let (disposition, position) = (known.disposition, known.position);
                if position.hlc <= watermark {
                    OperationState::Final { disposition, position }
                } else {
                    OperationState::Provisional { disposition, position }
                }
            }
        }
    }

    /// Sum of every account of the general ledger when the fold stood at `step`.
    pub fn trial_balance_at(&self, step: Step) -> TrialBalanceView {
        let sum_at = |code: &LedgerCode| {
            let sums = &self.sums[code];
            let last = sums.partition_point(|(from, _)| *from <= step) - 1;
            (*code, sums[last].1)
        };
        TrialBalanceView { sums: LedgerCode::ALL.iter().map(sum_at).collect() }
    }
}
