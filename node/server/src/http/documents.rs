//! Invoices, statements, suspense and the outbox as JSON: reads of more than one number.

use super::Api;
use super::civil_date::{CivilDate, text_of};
use super::options::StatementParameters;
use super::options::{PageParameters, Parameters, PositionPageParameters, ReadParameters};
use super::problem::Problem;
use super::reads::{AsOf, ItemJson, account_of, read};
use super::session::SessionToken;
use super::writes::OutcomeView;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use billing_wire::{
    AccountId, BillingPeriod, Document, DocumentNumber, DocumentPage, Genesis, Hash, Invoice,
    OutboxItem, OutboxPage, Position, Query, RedirectReason, StatementPage, SuspenseItem,
    SuspensePage,
};
use serde::Serialize;

pub(super) async fn statement(
    State(api): State<Api>,
    Path(account): Path<String>,
    Parameters(parameters): Parameters<StatementParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let account = account_of(&account)?;
    let (CivilDate(from), CivilDate(to)) = (parameters.from, parameters.to);
    if from > to {
        return Err(Problem::invalid("to", "a day not before `from` expected"));
    }
    let (after, limit) = (parameters.after, parameters.limit.checked()?);
    let query = Query::Statement { account, from, to, after, limit };
    read(&api, query, parameters.level, session).await
}

pub(super) async fn invoices(
    State(api): State<Api>,
    Path(account): Path<String>,
    Parameters(parameters): Parameters<PageParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let (account, limit) = (account_of(&account)?, parameters.limit.checked()?);
    let query = Query::Documents { account, after: parameters.after, limit };
    read(&api, query, parameters.level, session).await
}

pub(super) async fn invoice_of_month(
    State(api): State<Api>,
    Path((account, period)): Path<(String, String)>,
    Parameters(parameters): Parameters<ReadParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let account = account_of(&account)?;
    let period: BillingPeriod =
        period.parse().map_err(|error: String| Problem::invalid("period", error))?;
    read(&api, Query::Invoice { account, period }, parameters.level, session).await
}

pub(super) async fn invoice(
    State(api): State<Api>,
    Path(number): Path<String>,
    Parameters(parameters): Parameters<ReadParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let region_of = |name: &str| {
        let named = api.genesis.regions.iter().find(|known| known.name.to_uppercase() == name);
        named.map(|region| region.region)
    };
    let number = DocumentNumber::parse(&number, region_of)
        .map_err(|error| Problem::invalid("number", error))?;
    read(&api, Query::Document { number }, parameters.level, session).await
}

pub(super) async fn suspense(
    State(api): State<Api>,
    Parameters(parameters): Parameters<PositionPageParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let (after, limit) = (parameters.after.0, parameters.limit.checked()?);
    read(&api, Query::Suspense { after, limit }, parameters.level, session).await
}

pub(super) async fn outbox(
    State(api): State<Api>,
    Parameters(parameters): Parameters<PositionPageParameters>,
    session: SessionToken,
) -> Result<Response, Problem> {
    let (after, limit) = (parameters.after.0, parameters.limit.checked()?);
    read(&api, Query::Outbox { after, limit }, parameters.level, session).await
}

/// 404: nothing stands under a number, or a month has no invoice.
pub(super) fn no_such_document(as_of: AsOf) -> Response {
    let detail = "no such invoice as of what this node has folded";
    Problem::new(StatusCode::NOT_FOUND, "no-such-invoice", "no such invoice", detail)
        .looked_at(as_of)
        .into_response()
}

pub(super) fn document(genesis: &Genesis, found: &Document, as_of: AsOf) -> Response {
    let document = DocumentJson::of(genesis, found);
    Json(OneDocumentJson { document, as_of }).into_response()
}

pub(super) fn documents(genesis: &Genesis, page: &DocumentPage, as_of: AsOf) -> Response {
    let documents = page.documents.iter().map(|found| DocumentJson::of(genesis, found)).collect();
    let (account, next) = (page.account, page.next);
    Json(DocumentsJson { account, documents, next, as_of }).into_response()
}

pub(super) fn statement_page(page: &StatementPage, as_of: AsOf) -> Response {
    let items = page.items.iter().map(ItemJson::of).collect();
    let StatementPage { account, opening, closing, next, .. } = *page;
    Json(StatementJson { account, opening, closing, items, next, as_of }).into_response()
}

pub(super) fn suspense_page(page: &SuspensePage, as_of: AsOf) -> Response {
    let items = page.items.iter().map(SuspenseItemJson::of).collect();
    Json(PageJson { items, next: page.next.map(cursor), as_of }).into_response()
}

pub(super) fn outbox_page(page: &OutboxPage, as_of: AsOf) -> Response {
    let items = page.items.iter().map(OutboxItemJson::of).collect();
    Json(PageJson { items, next: page.next.map(cursor), as_of }).into_response()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes more");
        text
    })
}

/// `after` of a page that is ordered by position.
fn cursor(position: Position) -> String {
    let mut bytes = Vec::with_capacity(Position::BYTES);
    position.encode(&mut bytes);
    hexadecimal(&bytes)
}

#[derive(Debug, Serialize)]
struct OneDocumentJson {
    document: DocumentJson,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct DocumentsJson {
    account: AccountId,
    documents: Vec<DocumentJson>,
    next: Option<u64>,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct StatementJson {
    account: AccountId,
    opening: i128,
    closing: i128,
    items: Vec<ItemJson>,
    next: Option<u64>,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct PageJson<T> {
    items: Vec<T>,
    next: Option<String>,
    as_of: AsOf,
}

#[derive(Debug, Serialize)]
struct SuspenseItemJson {
    position: String,
    op_id: String,
    account: Option<AccountId>,
    amount: i64,
    reason: RedirectReason,
}

impl SuspenseItemJson {
    fn of(item: &SuspenseItem) -> Self {
        Self {
            position: item.position.to_string(),
            op_id: item.op_id.to_string(),
            account: item.account,
            amount: item.amount,
            reason: item.reason,
        }
    }
}

#[derive(Debug, Serialize)]
struct OutboxItemJson {
    position: String,
    refund: String,
    payment: String,
    account: AccountId,
    amount: i64,
}

impl OutboxItemJson {
    fn of(item: &OutboxItem) -> Self {
        Self {
            position: item.position.to_string(),
            refund: item.refund.to_string(),
            payment: item.payment.to_string(),
            account: item.account,
            amount: item.amount,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum DocumentJson {
    Invoice(Box<InvoiceJson>),
    Void(VoidJson),
}

#[derive(Debug, Serialize)]
struct InvoiceJson {
    number: String,
    account: AccountId,
    period: String,
    date: String,
    op_id: String,
    position: String,
    frontier: [u64; billing_wire::limits::REGIONS_MAX],
    tariff: String,
    opening_register: u64,
    closing_register: u64,
    lines: [LineJson; 2],
    total: i64,
    hash: String,
    negated_by: Option<String>,
}

#[derive(Debug, Serialize)]
struct LineJson {
    line: &'static str,
    quantity: u64,
    /// Millionths of a minor unit.
    rate_micro: u64,
    amount: i64,
}

#[derive(Debug, Serialize)]
struct VoidJson {
    number: String,
    account: AccountId,
    period: String,
    op_id: String,
    position: String,
    #[serde(flatten)]
    outcome: OutcomeView,
}

impl DocumentJson {
    fn of(genesis: &Genesis, document: &Document) -> Self {
        let text = |number: &DocumentNumber| {
            let region = genesis.regions.iter().find(|known| known.region == number.region);
            number.text(region.map_or("?", |region| &region.name))
        };
        match document {
            Document::Invoice { invoice, hash, negated_by } => {
                let negated_by = negated_by.as_ref().map(text);
                let number = text(&invoice.number);
                Self::Invoice(Box::new(InvoiceJson::of(invoice, number, hash, negated_by)))
            }
            Document::Void(void) => Self::Void(VoidJson {
                number: text(&void.number),
                account: void.account,
                period: void.period.to_string(),
                op_id: void.op_id.to_string(),
                position: void.position.to_string(),
                outcome: OutcomeView::of(&void.disposition),
            }),
        }
    }
}

impl InvoiceJson {
    fn of(invoice: &Invoice, number: String, hash: &Hash, negated_by: Option<String>) -> Self {
        let prices = &invoice.prices;
        let energy = LineJson {
            line: "energy",
            quantity: invoice.units(),
            rate_micro: prices.energy_rate_micro,
            amount: invoice.energy,
        };
        let base_fee = LineJson {
            line: "base_fee",
            quantity: 1,
            rate_micro: prices.base_fee.unsigned_abs() * 1_000_000,
            amount: invoice.base_fee,
        };
        Self {
            number,
            account: invoice.account,
            period: invoice.period.to_string(),
            date: text_of(invoice.date),
            op_id: invoice.op_id.to_string(),
            position: invoice.position.to_string(),
            frontier: invoice.frontier.0,
            tariff: hexadecimal(&invoice.tariff),
            opening_register: invoice.opening_register,
            closing_register: invoice.closing_register,
            lines: [energy, base_fee],
            total: invoice.total,
            hash: hexadecimal(hash),
            negated_by,
        }
    }
}
