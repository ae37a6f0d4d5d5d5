//! Answers to queries: exactly the fold of one frontier, without changing anything.

use super::rows::{AccountRow, HistoryRow, OperationRow};
use super::state::State;
use super::store::StoreError;
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, BalanceView, HistoryItem, HistoryPage, Hlc, OpId, OperationState, Query,
    QueryResult, TrialBalanceView,
};

/// Looks up what is asked.
pub(super) fn answer(
    state: &State,
    watermark: Hlc,
    query: &Query,
) -> Result<QueryResult, StoreError> {
    match *query {
        Query::Balance { account } => Ok(match state.peek::<AccountRow>(&account)? {
            None => QueryResult::UnknownAccount(account),
            Some(AccountRow { balance, items, .. }) => {
                QueryResult::Balance(BalanceView { account, balance, items })
            }
        }),
        Query::History { account, after, limit } => history(state, account, after, limit),
        Query::Operation { op_id } => {
            Ok(QueryResult::Operation(operation(state, watermark, op_id)?))
        }
        Query::TrialBalance => {
            let sums = state.totals.iter().collect();
            Ok(QueryResult::TrialBalance(TrialBalanceView { sums }))
        }
    }
}

fn history(
    state: &State,
    account: AccountId,
    after: u64,
    limit: u16,
) -> Result<QueryResult, StoreError> {
    let Some(row) = state.peek::<AccountRow>(&account)? else {
        return Ok(QueryResult::UnknownAccount(account));
    };
    let limit = limit.clamp(1, HISTORY_PAGE_MAX);
    let last = row.items.min(after.saturating_add(limit.into()));
    let mut items = Vec::with_capacity(last.saturating_sub(after) as usize);
    for sequence in after.saturating_add(1)..=last {
        let Some(item) = state.peek::<HistoryRow>(&(account, sequence))? else {
            let error = format!("account {account} lacks history item {sequence}");
            return Err(StoreError(error));
        };
        let HistoryRow { position, op_id, amount, balance } = item;
        items.push(HistoryItem { sequence, position, op_id, amount, balance });
    }
    let next = (last < row.items).then_some(last);
    Ok(QueryResult::History(HistoryPage { account, items, next }))
}

fn operation(state: &State, watermark: Hlc, op_id: OpId) -> Result<OperationState, StoreError> {
    Ok(match state.peek::<OperationRow>(&op_id)? {
        None => OperationState::NotSeen,
        Some(OperationRow { position, disposition, .. }) if position.hlc <= watermark => {
            OperationState::Final { disposition, position }
        }
        Some(OperationRow { position, disposition, .. }) => {
            OperationState::Provisional { disposition, position }
        }
    })
}
