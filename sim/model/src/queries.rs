//! Reads as of any step: what a node at that frontier must answer.

use crate::{Model, Step};
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, BalanceView, HistoryPage, Hlc, LedgerCode, OpId, OperationState, Query, QueryResult,
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
        }
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
