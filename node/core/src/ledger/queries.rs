//! Answers to queries: exactly the fold of one frontier, without changing anything.

use super::Numbered;
use super::document_rows::{
    AccountDocumentRow, AccountMonth, DocumentRow, EffectiveInvoiceRow, SeriesRow,
};
use super::rows::{AccountRow, HistoryRow, OperationRow, Row};
use super::state::State;
use super::store::StoreError;
use super::waiting_rows::{OutboxRow, SuspenseItemRow};
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, BalanceView, Date, Document, DocumentKind, DocumentNumber, DocumentPage,
    HistoryItem, HistoryPage, Hlc, Incarnation, Invoice, OpId, OperationState, OutboxItem,
    OutboxPage, Position, Query, QueryResult, RegionId, StatementPage, SuspenseItem, SuspensePage,
    Tariff, TrialBalanceView, Void,
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
        Query::Statement { account, from, to, after, limit } => {
            statement(state, account, (from, to), (after, limit))
        }
        Query::Document { number } => document_answer(state, Some(number)),
        Query::Invoice { account, period } => {
            if state.peek::<AccountRow>(&account)?.is_none() {
                return Ok(QueryResult::UnknownAccount(account));
            }
            let month = AccountMonth::new(account, period);
            let invoice = state.peek::<EffectiveInvoiceRow>(&month)?;
            document_answer(state, invoice.map(|row| row.number))
        }
        Query::Documents { account, after, limit } => documents(state, account, after, limit),
        Query::Suspense { after, limit } => suspense(state, after, limit),
        Query::Outbox { after, limit } => Ok(QueryResult::Outbox(outbox(state, after, limit)?)),
    }
}

fn page_length(limit: u16) -> usize {
    limit.clamp(1, HISTORY_PAGE_MAX).into()
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
    let last = row.items.min(after.saturating_add(page_length(limit) as u64));
    let mut items = Vec::with_capacity(last.saturating_sub(after) as usize);
    for sequence in after.saturating_add(1)..=last {
        items.push(item(state, account, sequence)?);
    }
    let next = (last < row.items).then_some(last);
    Ok(QueryResult::History(HistoryPage { account, items, next }))
}

fn item(state: &State, account: AccountId, sequence: u64) -> Result<HistoryItem, StoreError> {
    let Some(item) = state.peek::<HistoryRow>(&(account, sequence))? else {
        return Err(StoreError(format!("account {account} lacks history item {sequence}")));
    };
    let HistoryRow { position, op_id, date, amount, balance } = item;
    Ok(HistoryItem { sequence, position, op_id, date, amount, balance })
}

/// Walks the whole history: items lie in merged order, and a late one may be of any day.
fn statement(
    state: &State,
    account: AccountId,
    (from, to): (Date, Date),
    (after, limit): (u64, u16),
) -> Result<QueryResult, StoreError> {
    let Some(row) = state.peek::<AccountRow>(&account)? else {
        return Ok(QueryResult::UnknownAccount(account));
    };
    let limit = page_length(limit);
    let (mut opening, mut during, mut items, mut next) = (0_i128, 0_i128, Vec::new(), None);
    for sequence in 1..=row.items {
        let item = item(state, account, sequence)?;
        if item.date < from {
            opening += i128::from(item.amount);
        } else if item.date <= to {
            during += i128::from(item.amount);
            if sequence <= after {
                continue;
            }
            if items.len() < limit {
                items.push(item);
            } else if next.is_none() {
                next = items.last().map(|last| last.sequence);
            }
        }
    }
    let closing = opening + during;
    Ok(QueryResult::Statement(StatementPage { account, opening, closing, items, next }))
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

fn document_answer(
    state: &State,
    number: Option<DocumentNumber>,
) -> Result<QueryResult, StoreError> {
    let Some(number) = number else { return Ok(QueryResult::NoSuchDocument) };
    Ok(match state.peek::<DocumentRow>(&number)? {
        Some(row) => QueryResult::Document(Box::new(document(number, &row))),
        None => QueryResult::NoSuchDocument,
    })
}

fn document(number: DocumentNumber, row: &DocumentRow) -> Document {
    let DocumentRow { account, period, date, op_id, position, disposition, content } = *row;
    let Some(content) = content else {
        return Document::Void(Void { number, account, period, op_id, position, disposition });
    };
    let invoice = Invoice {
        number,
        account,
        period,
        date,
        op_id,
        position,
        frontier: content.frontier,
        tariff: content.tariff,
        prices: Tariff::STANDARD,
        opening_register: content.opening_register,
        closing_register: content.closing_register,
        energy: content.energy,
        base_fee: content.base_fee,
        total: content.total,
    };
    let note = |ordinal| DocumentNumber { kind: DocumentKind::CreditNote, ordinal, ..number };
    Document::Invoice { invoice, hash: content.hash, negated_by: content.negated_by.map(note) }
}

fn documents(
    state: &State,
    account: AccountId,
    after: u64,
    limit: u16,
) -> Result<QueryResult, StoreError> {
    let Some(row) = state.peek::<AccountRow>(&account)? else {
        return Ok(QueryResult::UnknownAccount(account));
    };
    let last = row.documents.min(after.saturating_add(page_length(limit) as u64));
    let mut documents = Vec::with_capacity(last.saturating_sub(after) as usize);
    for sequence in after.saturating_add(1)..=last {
        let number = state.peek::<AccountDocumentRow>(&(account, sequence))?.map(|row| row.number);
        let row = match number {
            Some(number) => state.peek::<DocumentRow>(&number)?,
            None => None,
        };
        let (Some(number), Some(row)) = (number, row) else {
            return Err(StoreError(format!("account {account} lacks document {sequence}")));
        };
        documents.push(document(number, &row));
    }
    let next = (last < row.documents).then_some(last);
    Ok(QueryResult::Documents(DocumentPage { account, documents, next }))
}

/// Rows, and the position behind which the next page starts.
type Page<R> = (Vec<(Position, R)>, Option<Position>);

/// Up to `limit` rows behind a position, and where the next page starts.
fn page<R: Row<Key = Position>>(
    state: &State,
    after: Position,
    limit: u16,
) -> Result<Page<R>, StoreError> {
    let limit = page_length(limit);
    let mut rows = state.page::<R>(after, limit + 1)?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|(position, _)| *position);
    Ok((rows, next))
}

fn suspense(state: &State, after: Position, limit: u16) -> Result<QueryResult, StoreError> {
    let (rows, next) = page::<SuspenseItemRow>(state, after, limit)?;
    let item = |(position, row): (Position, SuspenseItemRow)| {
        let SuspenseItemRow { op_id, account, amount, reason } = row;
        SuspenseItem { position, op_id, account, amount, reason }
    };
    let items = rows.into_iter().map(item).collect();
    Ok(QueryResult::Suspense(SuspensePage { items, next }))
}

/// The invoice series of a region, in order of its incarnations.
pub(super) fn invoice_series(
    state: &State,
    region: RegionId,
) -> Result<Vec<(Incarnation, u64)>, StoreError> {
    let mut found = Vec::new();
    let mut from = Incarnation(0);
    let end = (region, Incarnation(u32::MAX), DocumentKind::Invoice);
    while let Some(((_, incarnation, kind), row)) =
        state.first::<SeriesRow>((region, from, DocumentKind::Invoice), end)?
    {
        if kind == DocumentKind::Invoice {
            found.push((incarnation, row.last));
        }
        from = Incarnation(incarnation.0 + 1);
    }
    Ok(found)
}

/// What a number of an invoice series stands for.
pub(super) fn numbered(
    state: &State,
    number: DocumentNumber,
) -> Result<Option<Numbered>, StoreError> {
    let numbered = |row: DocumentRow| {
        let DocumentRow { account, op_id, position, content, .. } = row;
        let counts = content.filter(|content| content.negated_by.is_none());
        Numbered { position, op_id, account, total: counts.map(|content| content.total) }
    };
    Ok(state.peek::<DocumentRow>(&number)?.map(numbered))
}

/// Refunds that were granted behind a position and are not paid out.
pub(super) fn outbox(state: &State, after: Position, limit: u16) -> Result<OutboxPage, StoreError> {
    let (rows, next) = page::<OutboxRow>(state, after, limit)?;
    let item = |(position, row): (Position, OutboxRow)| {
        let OutboxRow { refund, payment, account, amount } = row;
        OutboxItem { position, refund, payment, account, amount }
    };
    Ok(OutboxPage { items: rows.into_iter().map(item).collect(), next })
}
