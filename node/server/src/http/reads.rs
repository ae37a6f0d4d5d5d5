//! `GET /v1/...`: a query becomes JSON with the frame of reference that the answer claims.

use super::civil_date::text_of;
use super::options::{PageParameters, Parameters, ReadParameters};
use super::problem::Problem;
use super::session::{self, SessionToken};
use super::writes::OutcomeView;
use super::{Api, documents};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use billing_wire::query::{HistoryItem, OperationState};
use billing_wire::{AccountId, OpId, Query, QueryResult, Read, ReadAnswer, ReadLevel};
use serde::Serialize;

/// A node that cannot answer a read now can after so many milliseconds.
const RETRY_AFTER_MS: u32 = 1_000;

pub(super) async fn balance(
    State(api): State<Api>,
    Path(account): Path<String>,
    Parameters(parameters): Parameters<ReadParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let account = account_of(&account)?;
    read(&api, Query::Balance { account }, parameters.level, session).await
}

pub(super) async fn history(
    State(api): State<Api>,
    Path(account): Path<String>,
    Parameters(parameters): Parameters<PageParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let account = account_of(&account)?;
    let PageParameters { after, limit, level } = parameters;
    let limit = limit.checked()?;
    read(&api, Query::History { account, after, limit }, level, session).await
}

pub(super) async fn operation(
    State(api): State<Api>,
    Path(op_id): Path<String>,
    Parameters(parameters): Parameters<ReadParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let op_id: OpId = op_id.parse().map_err(|e: String| Problem::invalid("op_id", e))?;
    read(&api, Query::Operation { op_id }, parameters.level, session).await
}

pub(super) async fn trial_balance(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ReadParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    read(&api, Query::TrialBalance, parameters.level, session).await
}

pub(super) fn account_of(text: &str) -> Result<AccountId, Problem> {
    text.parse()
        .map(AccountId)
        .map_err(|_| Problem::invalid("account", format!("'{text}' is no account number")))
}

pub(super) async fn read(
    api: &Api,
    query: Query,
    level: Option<ReadLevel>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let token = session.0;
    let level = level.unwrap_or(match token {
        Some(_) => ReadLevel::Session,
        None => ReadLevel::Local,
    });
    let answer = api.node.read(Read { query, level, token }).await.map_err(|_| not_now())?;
    let as_of = AsOf::of(&answer);
    let mut response = match &answer.result {
        QueryResult::Balance(found) => {
            let (account, balance, items) = (found.account, found.balance, found.items);
            Json(BalanceJson { account, balance, items, as_of }).into_response()
        }
        QueryResult::History(page) => {
            let items = page.items.iter().map(ItemJson::of).collect();
            Json(HistoryJson { account: page.account, items, next: page.next, as_of })
                .into_response()
        }
        QueryResult::Operation(state) => Json(OperationJson::of(state, as_of)).into_response(),
        QueryResult::TrialBalance(found) => {
            let sum = |(code, amount): &(billing_wire::LedgerCode, i128)| SumJson {
                code: code.0,
                amount: *amount,
            };
            let sums = found.sums.iter().map(sum).collect();
            Json(TrialBalanceJson { sums, as_of }).into_response()
        }
        QueryResult::Statement(page) => documents::statement_page(page, as_of),
        QueryResult::Document(found) => documents::document(&api.genesis, found, as_of),
        QueryResult::Documents(page) => documents::documents(&api.genesis, page, as_of),
        QueryResult::Suspense(page) => documents::suspense_page(page, as_of),
        QueryResult::Outbox(page) => documents::outbox_page(page, as_of),
        QueryResult::NoSuchDocument => documents::no_such_document(as_of),
        QueryResult::UnknownAccount(account) => {
            let detail = format!("no account {account} as of what this node has folded");
            let (kind, title) = ("unknown-account", "no such account");
            Problem::new(StatusCode::NOT_FOUND, kind, title, detail)
                .looked_at(as_of)
                .into_response()
        }
        QueryResult::Unavailable => return Err(not_now()),
        QueryResult::BadToken => return Err(session::foreign()),
    };
    session::put(&mut response, &answer.token);
    Ok(response)
}

fn not_now() -> Problem {
    let detail = "this node cannot read its ledger now: retry here or at another node";
    Problem::unavailable("ledger-unavailable", detail, RETRY_AFTER_MS)
}

/// The frame of reference of an answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AsOf {
    /// Entries folded per region.
    frontier: [u64; billing_wire::limits::REGIONS_MAX],
    /// Finality watermark, `ms.counter`.
    watermark: String,
    provisional: bool,
    stale_ms: u64,
    session_gap: bool,
}

impl AsOf {
    fn of(answer: &ReadAnswer) -> Self {
        Self {
            frontier: answer.frontier.0,
            watermark: answer.watermark.to_string(),
            provisional: answer.provisional,
            stale_ms: answer.stale_ms,
            session_gap: answer.session_gap,
        }
    }
}

#[derive(Debug, Serialize)]
struct BalanceJson {
    account: AccountId,
    balance: i64,
    items: u64,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct HistoryJson {
    account: AccountId,
    items: Vec<ItemJson>,
    next: Option<u64>,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
pub(super) struct ItemJson {
    sequence: u64,
    position: String,
    op_id: String,
    date: String,
    amount: i64,
    balance: i64,
}

impl ItemJson {
    pub(super) fn of(item: &HistoryItem) -> Self {
        Self {
            sequence: item.sequence,
            position: item.position.to_string(),
            op_id: item.op_id.to_string(),
            date: text_of(item.date),
            amount: item.amount,
            balance: item.balance,
        }
    }
}

#[derive(Debug, Serialize)]
struct OperationJson {
    state: &'static str,
    #[serde(flatten)]
    outcome: Option<OutcomeView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    as_of: AsOf,
}

impl OperationJson {
    fn of(state: &OperationState, as_of: AsOf) -> Self {
        let (state, seen) = match state {
            OperationState::Final { disposition, position } => {
                ("final", Some((disposition, position)))
            }
            OperationState::Provisional { disposition, position } => {
                ("provisional", Some((disposition, position)))
            }
            OperationState::NotSeen => ("not_seen", None),
        };
        let outcome = seen.map(|(disposition, _)| OutcomeView::of(disposition));
        let position = seen.map(|(_, position)| position.to_string());
        Self { state, outcome, position, as_of }
    }
}

#[derive(Debug, Serialize)]
struct TrialBalanceJson {
    sums: Vec<SumJson>,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct SumJson {
    code: u16,
    amount: i128,
}
