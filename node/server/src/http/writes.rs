//! `POST /v1/...`: a body and a key become a submission, its answer a status and a receipt.

use super::Api;
use super::body::JsonBody;
use super::civil_date::CivilDate;
use super::options::{IdempotencyKey, Parameters, WriteParameters};
use super::problem::Problem;
use super::session::{self, SessionToken};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use billing_shell::tokio_host::Unanswered;
use billing_wire::answer::Unavailable;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Disposition, Grade, MeterId, MeterRead,
    OpId, ReadQuality, Receipt, ReversalReason, ServicePointId, Submission, WriteAnswer,
    WriteOptions,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A client that was told to come back does so after this, in milliseconds.
const RETRY_AFTER_MS: u32 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenAccount {
    account: AccountId,
    service_point: ServicePointId,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordPayment {
    account: AccountId,
    amount: i64,
    date: CivilDate,
    provider: String,
    external_ref: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordRead {
    reads: Vec<Reading>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    meter: MeterId,
    date: CivilDate,
    register: u64,
    quality: ReadQuality,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PostAdjustment {
    account: AccountId,
    amount: i64,
    reason: AdjustmentReason,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReversePayment {
    /// The key of the payment.
    payment: String,
    amount: i64,
    reason: ReversalReason,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseAccount {
    account: AccountId,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestRefund {
    /// The key of the payment.
    payment: String,
    amount: i64,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueInvoice {
    account: AccountId,
    /// `YYYY-MM`.
    period: String,
    date: CivilDate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmPayout {
    /// The key of the refund.
    refund: String,
    amount: i64,
    date: CivilDate,
}

/// What stands beside the body of every write.
type Beside = (State<Api>, IdempotencyKey, Parameters<WriteParameters>, SessionToken);

/// A write: its body becomes a command.
pub(super) async fn write<B: IntoCommand>(
    beside: Beside,
    JsonBody(body): JsonBody<B>,
) -> Result<Response, Problem> {
    submit(beside, body.command()?).await
}

/// The body of a write.
pub(super) trait IntoCommand: DeserializeOwned {
    /// The command that it asks for.
    fn command(self) -> Result<Command, Problem>;
}

/// The command of a body as it was posted; `which` is the place of its write in the table of the
/// API. For fuzzers.
pub(crate) fn command_of_body(which: u8, body: &[u8]) -> Option<Command> {
    fn of<B: IntoCommand>(body: &[u8]) -> Option<Command> {
        serde_json::from_slice::<B>(body).ok()?.command().ok()
    }
    match which {
        0 => of::<OpenAccount>(body),
        1 => of::<CloseAccount>(body),
        2 => of::<RecordPayment>(body),
        3 => of::<ReversePayment>(body),
        4 => of::<RequestRefund>(body),
        5 => of::<ConfirmPayout>(body),
        6 => of::<IssueInvoice>(body),
        7 => of::<PostAdjustment>(body),
        _ => of::<RecordRead>(body),
    }
}

impl IntoCommand for OpenAccount {
    fn command(self) -> Result<Command, Problem> {
        let (account, service_point, date) = (self.account, self.service_point, self.date.0);
        Ok(Command::OpenAccount { account, service_point, date })
    }
}

impl IntoCommand for RecordPayment {
    fn command(self) -> Result<Command, Problem> {
        let (account, amount, date) = (self.account, self.amount, self.date.0);
        let (provider, external_ref) = (self.provider, self.external_ref);
        Ok(Command::RecordPayment { account, amount, date, provider, external_ref })
    }
}

impl IntoCommand for RecordRead {
    fn command(self) -> Result<Command, Problem> {
        let read = |r: &Reading| MeterRead {
            meter: r.meter,
            date: r.date.0,
            register: r.register,
            quality: r.quality,
        };
        Ok(Command::RecordRead { reads: self.reads.iter().map(read).collect() })
    }
}

impl IntoCommand for PostAdjustment {
    fn command(self) -> Result<Command, Problem> {
        let (account, amount, reason) = (self.account, self.amount, self.reason);
        Ok(Command::PostAdjustment { account, amount, reason, date: self.date.0 })
    }
}

impl IntoCommand for ReversePayment {
    fn command(self) -> Result<Command, Problem> {
        let payment = key("payment", &self.payment)?;
        let (amount, reason, date) = (self.amount, self.reason, self.date.0);
        Ok(Command::ReversePayment { payment, amount, reason, date })
    }
}

impl IntoCommand for CloseAccount {
    fn command(self) -> Result<Command, Problem> {
        Ok(Command::CloseAccount { account: self.account, date: self.date.0 })
    }
}

impl IntoCommand for RequestRefund {
    fn command(self) -> Result<Command, Problem> {
        let payment = key("payment", &self.payment)?;
        Ok(Command::RequestRefund { payment, amount: self.amount, date: self.date.0 })
    }
}

impl IntoCommand for IssueInvoice {
    fn command(self) -> Result<Command, Problem> {
        let period: BillingPeriod =
            self.period.parse().map_err(|e: String| Problem::invalid("period", e))?;
        Ok(Command::IssueInvoice { account: self.account, period, date: self.date.0 })
    }
}

impl IntoCommand for ConfirmPayout {
    fn command(self) -> Result<Command, Problem> {
        let refund = key("refund", &self.refund)?;
        Ok(Command::ConfirmPayout { refund, amount: self.amount, date: self.date.0 })
    }
}

fn key(field: &'static str, text: &str) -> Result<OpId, Problem> {
    text.parse().map_err(|e: String| Problem::invalid(field, e))
}

async fn submit(beside: Beside, command: Command) -> Result<Response, Problem> {
    let (State(api), key, Parameters(parameters), session) = beside;
    let options = parameters.options();
    let submission = Submission { op_id: key.0, command };
    let answer = match api.node.write(submission, options, session.0).await {
        Ok(answer) => answer,
        Err(Unanswered::NotTaken) => return Err(not_taken(&api)),
        Err(Unanswered::Lost) => WriteAnswer::Unknown,
    };
    match answer {
        WriteAnswer::Done(receipt) => {
            let status = status_of(&receipt, options, api.genesis.regions.len());
            let mut response = (status, Json(ReceiptView::of(&receipt))).into_response();
            session::put(&mut response, &receipt.token);
            Ok(response)
        }
        WriteAnswer::Conflict { op_id } => Err(conflict(op_id)),
        WriteAnswer::Refused(refusal) => Err(Problem::invalid(refusal.field, refusal.detail)),
        WriteAnswer::Unavailable { reason, retry_after_ms } => {
            let (kind, detail) = explain(reason);
            Err(Problem::unavailable(kind, detail, retry_after_ms))
        }
        WriteAnswer::Unknown => Err(unknown(key.0)),
    }
}

/// 200 replayed, 201 the grade asked for, 202 a weaker one. One region has no geo grade: its
/// highest, `region`, is then what was asked for (billing.md §3).
fn status_of(receipt: &Receipt, options: WriteOptions, regions: usize) -> StatusCode {
    let highest_without_wait = if regions > 1 { Grade::Geo } else { Grade::Region };
    let asked = match options.min_durability {
        None => highest_without_wait,
        Some(Grade::Geo) => highest_without_wait,
        Some(grade) => grade,
    };
    match receipt {
        Receipt { replayed: true, .. } => StatusCode::OK,
        Receipt { grade, .. } if *grade >= asked => StatusCode::CREATED,
        _ => StatusCode::ACCEPTED,
    }
}

fn not_taken(api: &Api) -> Problem {
    let reason =
        if api.node.is_stopping() { Unavailable::Stopping } else { Unavailable::Overloaded };
    let (kind, detail) = explain(reason);
    Problem::unavailable(kind, detail, RETRY_AFTER_MS)
}

fn explain(reason: Unavailable) -> (&'static str, &'static str) {
    match reason {
        Unavailable::NoLeader => ("no-leader", "no leader is known: retry here or elsewhere"),
        Unavailable::Overloaded => ("overloaded", "too much is in flight: retry later"),
        Unavailable::GradeUnreachable => {
            ("grade-unreachable", "the durability asked for cannot be reached now")
        }
        Unavailable::DiskFull => ("disk-full", "the disk takes no more: retry at another node"),
        Unavailable::ClockSkew => {
            ("clock-skew", "this node's clock is off from the majority's: retry elsewhere")
        }
        Unavailable::TokenAhead => {
            let detail = "the session token is ahead of this region's clock: retry later";
            ("token-ahead", detail)
        }
        Unavailable::Stopping => ("stopping", "this node is stopping: retry at another node"),
    }
}

fn conflict(op_id: OpId) -> Problem {
    let detail = format!(
        "{op_id} came before with another body, which stands; nothing was logged: draw a new key"
    );
    let title = "the key is bound to another body";
    Problem::new(StatusCode::CONFLICT, "key-conflict", title, detail).at("Idempotency-Key")
}

fn unknown(op_id: OpId) -> Problem {
    let detail = format!(
        "it may or may not be logged: retry with the same key, or ask /v1/operations/{op_id}"
    );
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "unknown", "the outcome is unknown", detail)
}

/// A receipt as JSON.
#[derive(Debug, Serialize)]
struct ReceiptView {
    op_id: String,
    #[serde(flatten)]
    outcome: OutcomeView,
    /// Where it stands in the merged order: `ms.counter/region/index+offset`.
    position: String,
    durability: Grade,
    replayed: bool,
}

impl ReceiptView {
    fn of(receipt: &Receipt) -> Self {
        Self {
            op_id: receipt.op_id.to_string(),
            outcome: OutcomeView::of(&receipt.disposition),
            position: receipt.position.to_string(),
            durability: receipt.grade,
            replayed: receipt.replayed,
        }
    }
}

/// A disposition as JSON, with positions as texts.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeView {
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl OutcomeView {
    pub(super) fn of(disposition: &Disposition) -> Self {
        let (mut reason, mut of, mut by) = (None, None, None);
        match disposition {
            Disposition::Applied => {}
            Disposition::Duplicate { of: position } => of = Some(position.to_string()),
            Disposition::Compensated { by: position } => by = Some(position.to_string()),
            Disposition::Redirected { reason: why } => reason = serde_json::to_value(why).ok(),
            Disposition::Denied { reason: why } => reason = serde_json::to_value(why).ok(),
        }
        Self { disposition: disposition.name(), reason, of, by }
    }
}
