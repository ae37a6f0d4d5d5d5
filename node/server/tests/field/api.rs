//! Submissions and reads as HTTP requests, and HTTP answers as what they mean: the API as seen
//! by a client, written independently of the server's side of it.

use crate::books;
use crate::http_client::{NoReply, Reply};
use billing_wire::answer::Unavailable;
use billing_wire::codec::Reader;
use billing_wire::{
    AccountId, BalanceView, Command, Date, Disposition, Frontier, HistoryItem, HistoryPage, Hlc,
    LedgerCode, OpId, OperationState, Position, Query, QueryResult, Read, ReadAnswer, ReadLevel,
    Receipt, Refusal, RegionId, Submission, Token, TrialBalanceView, WriteAnswer,
};
use billsim_oracle::Answer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// 2026-01-01.
pub(crate) const NEW_YEAR: Date = Date(20_454);

/// A day of January 2026 as it stands in JSON.
fn text_of(date: Date) -> String {
    let day = date.0 - NEW_YEAR.0 + 1;
    assert!((1..=31).contains(&day), "the tests live in January 2026");
    format!("2026-01-{day:02}")
}

/// Path and body of a submission; its key goes into a header.
pub(crate) fn request_of(command: &Command) -> (&'static str, Value) {
    match command {
        Command::OpenAccount { account, service_point, date } => {
            let date = text_of(*date);
            let body = json!({"account": account, "service_point": service_point, "date": date});
            ("/v1/accounts", body)
        }
        Command::RecordPayment { account, amount, date, provider, external_ref } => {
            let body = json!({
                "account": account,
                "amount": amount,
                "date": text_of(*date),
                "provider": provider,
                "external_ref": external_ref,
            });
            ("/v1/payments", body)
        }
        Command::RecordRead { reads } => {
            let reads: Vec<_> = reads
                .iter()
                .map(|read| {
                    json!({
                        "meter": read.meter,
                        "date": text_of(read.date),
                        "register": read.register,
                        "quality": read.quality,
                    })
                })
                .collect();
            ("/v1/reads", json!({ "reads": reads }))
        }
        Command::PostAdjustment { account, amount, reason, date } => {
            let date = text_of(*date);
            let body =
                json!({"account": account, "amount": amount, "reason": reason, "date": date});
            ("/v1/adjustments", body)
        }
        Command::ReversePayment { payment, amount, reason, date } => {
            let (payment, date) = (payment.to_string(), text_of(*date));
            let body =
                json!({"payment": payment, "amount": amount, "reason": reason, "date": date});
            ("/v1/reversals", body)
        }
        Command::CloseAccount { account, date } => {
            ("/v1/closures", json!({"account": account, "date": text_of(*date)}))
        }
        Command::RequestRefund { payment, amount, date } => {
            let (payment, date) = (payment.to_string(), text_of(*date));
            ("/v1/refunds", json!({"payment": payment, "amount": amount, "date": date}))
        }
        Command::IssueInvoice { account, period, date } => {
            let (period, date) = (period.to_string(), text_of(*date));
            ("/v1/invoices", json!({"account": account, "period": period, "date": date}))
        }
        Command::ConfirmPayout { refund, amount, date } => {
            let (refund, date) = (refund.to_string(), text_of(*date));
            ("/v1/payouts", json!({"refund": refund, "amount": amount, "date": date}))
        }
    }
}

/// Path of a read.
pub(crate) fn path_of(read: &Read) -> String {
    let level = match read.level {
        ReadLevel::Local => "local",
        ReadLevel::Session => "session",
        ReadLevel::Final => "final",
    };
    match read.query {
        Query::Balance { account } => format!("/v1/accounts/{account}/balance?level={level}"),
        Query::History { account, after, limit } => {
            format!("/v1/accounts/{account}/history?after={after}&limit={limit}&level={level}")
        }
        Query::Operation { op_id } => format!("/v1/operations/{op_id}?level={level}"),
        Query::TrialBalance => format!("/v1/trial-balance?level={level}"),
        Query::Statement { account, from, to, after, limit } => {
            let (from, to) = (text_of(from), text_of(to));
            format!(
                "/v1/accounts/{account}/statement?from={from}&to={to}&after={after}\
                 &limit={limit}&level={level}"
            )
        }
        Query::Document { number } => {
            format!("/v1/invoices/{}?level={level}", books::path_of(&number))
        }
        Query::Invoice { account, period } => {
            format!("/v1/accounts/{account}/invoices/{period}?level={level}")
        }
        Query::Documents { account, after, limit } => {
            format!("/v1/accounts/{account}/invoices?after={after}&limit={limit}&level={level}")
        }
        Query::Suspense { after, limit } => {
            let after = books::cursor(&after);
            format!("/v1/suspense?after={after}&limit={limit}&level={level}")
        }
        Query::Outbox { after, limit } => {
            let after = books::cursor(&after);
            format!("/v1/outbox?after={after}&limit={limit}&level={level}")
        }
    }
}

/// What the answer to a submission means.
pub(crate) fn write_answer(submission: &Submission, reply: Result<Reply, NoReply>) -> Answer {
    let reply = match reply {
        Ok(reply) => reply,
        Err(NoReply::Refused(_)) => return Answer::Refused,
        Err(NoReply::Lost(_)) => return Answer::TimedOut,
    };
    let body = reply.json();
    Answer::Write(match reply.status {
        200..=202 => {
            let receipt = receipt(&reply, &body);
            let is_replayed = reply.status == 200;
            assert_eq!(receipt.replayed, is_replayed, "status and body: {body}");
            WriteAnswer::Done(receipt)
        }
        400 => WriteAnswer::Refused(Refusal {
            field: body["field"].as_str().unwrap_or_default().to_owned(),
            detail: text(&body["detail"]),
        }),
        409 => WriteAnswer::Conflict { op_id: submission.op_id },
        503 => {
            let reason = match body["type"].as_str().and_then(|kind| kind.rsplit(':').next()) {
                Some("no-leader") => Unavailable::NoLeader,
                Some("overloaded") => Unavailable::Overloaded,
                Some("clock-skew") => Unavailable::ClockSkew,
                Some("stopping") => Unavailable::Stopping,
                Some("token-ahead") => Unavailable::TokenAhead,
                Some("disk-full") => Unavailable::DiskFull,
                other => panic!("no reason of this test's writes: {other:?}"),
            };
            WriteAnswer::Unavailable { reason, retry_after_ms: 0 }
        }
        504 => WriteAnswer::Unknown,
        status => panic!("{status} is no answer to a write: {body}"),
    })
}

fn receipt(reply: &Reply, body: &Value) -> Receipt {
    Receipt {
        op_id: op_id(&body["op_id"]),
        grade: parsed(&body["durability"]),
        disposition: disposition(body),
        position: position(&body["position"]),
        replayed: parsed(&body["replayed"]),
        token: token(reply),
    }
}

/// What the answer to a read means.
pub(crate) fn read_answer(read: &Read, reply: Result<Reply, NoReply>) -> Answer {
    let reply = match reply {
        Ok(reply) => reply,
        Err(NoReply::Refused(_)) => return Answer::Refused,
        // A read has no effect: whether it arrived makes no difference.
        Err(NoReply::Lost(_)) => return Answer::TimedOut,
    };
    let body = reply.json();
    let result = match (reply.status, &read.query) {
        (200, Query::Balance { .. }) => QueryResult::Balance(BalanceView {
            account: parsed(&body["account"]),
            balance: parsed(&body["balance"]),
            items: parsed(&body["items"]),
        }),
        (200, Query::History { .. }) => {
            let items = body["items"].as_array().expect("items").iter().map(item).collect();
            let (account, next) = (parsed(&body["account"]), parsed(&body["next"]));
            QueryResult::History(HistoryPage { account, items, next })
        }
        (200, Query::Operation { .. }) => QueryResult::Operation(operation_state(&body)),
        (200, Query::TrialBalance) => {
            let sum = |sum: &Value| (LedgerCode(parsed(&sum["code"])), parsed(&sum["amount"]));
            let sums = body["sums"].as_array().expect("sums").iter().map(sum).collect();
            QueryResult::TrialBalance(TrialBalanceView { sums })
        }
        (200, Query::Statement { .. }) => books::statement(&body),
        (200, Query::Document { .. } | Query::Invoice { .. }) => books::document(&body),
        (200, Query::Documents { .. }) => books::documents(&body),
        (200, Query::Suspense { .. }) => books::suspense(&body),
        (200, Query::Outbox { .. }) => books::outbox(&body),
        (404, _) if body["type"] == "urn:billing:problem:no-such-invoice" => {
            QueryResult::NoSuchDocument
        }
        (
            404,
            Query::Balance { account }
            | Query::History { account, .. }
            | Query::Statement { account, .. }
            | Query::Invoice { account, .. }
            | Query::Documents { account, .. },
        ) => QueryResult::UnknownAccount(*account),
        // The node cannot read its ledger now: as if nobody had answered.
        (503, _) => return Answer::Refused,
        (status, query) => panic!("{status} is no answer to {query:?}: {body}"),
    };
    let as_of = &body["as_of"];
    Answer::Read(Box::new(ReadAnswer {
        result,
        frontier: Frontier(parsed(&as_of["frontier"])),
        watermark: hlc(as_of["watermark"].as_str().expect("a watermark")),
        provisional: parsed(&as_of["provisional"]),
        stale_ms: parsed(&as_of["stale_ms"]),
        session_gap: parsed(&as_of["session_gap"]),
        token: token(&reply),
    }))
}

pub(crate) fn item(item: &Value) -> HistoryItem {
    HistoryItem {
        sequence: parsed(&item["sequence"]),
        position: position(&item["position"]),
        op_id: op_id(&item["op_id"]),
        date: books::date(&item["date"]),
        amount: parsed(&item["amount"]),
        balance: parsed(&item["balance"]),
    }
}

fn operation_state(body: &Value) -> OperationState {
    let end = || (disposition(body), position(&body["position"]));
    match body["state"].as_str() {
        Some("not_seen") => OperationState::NotSeen,
        Some("provisional") => {
            let (disposition, position) = end();
            OperationState::Provisional { disposition, position }
        }
        Some("final") => {
            let (disposition, position) = end();
            OperationState::Final { disposition, position }
        }
        other => panic!("{other:?} is no state"),
    }
}

pub(crate) fn disposition(body: &Value) -> Disposition {
    match body["disposition"].as_str() {
        Some("applied") => Disposition::Applied,
        Some("duplicate") => Disposition::Duplicate { of: position(&body["of"]) },
        Some("redirected") => Disposition::Redirected { reason: parsed(&body["reason"]) },
        Some("denied") => Disposition::Denied { reason: parsed(&body["reason"]) },
        Some("compensated") => Disposition::Compensated { by: position(&body["by"]) },
        other => panic!("{other:?} is no disposition"),
    }
}

/// `ms.counter/region/index+offset`
pub(crate) fn position(value: &Value) -> Position {
    let text = value.as_str().expect("a position");
    let parts: Vec<_> = text.split(['/', '+']).collect();
    let [stamp, region, index, offset] = parts[..] else { panic!("'{text}' is no position") };
    let number = |text: &str| text.parse().expect("a number of a position");
    Position {
        hlc: hlc(stamp),
        region: RegionId(number(region) as u8),
        index: number(index),
        offset: number(offset) as u16,
    }
}

/// `ms.counter`
fn hlc(text: &str) -> Hlc {
    let (ms, counter) = text.split_once('.').expect("a stamp");
    let (ms, counter): (u64, u64) = (ms.parse().expect("ms"), counter.parse().expect("counter"));
    Hlc(ms << 16 | counter)
}

pub(crate) fn op_id(value: &Value) -> OpId {
    value.as_str().expect("a UUID").parse().expect("a UUID")
}

fn token(reply: &Reply) -> Token {
    let digits = reply.header("session-token").expect("every answer of the books has a token");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    Token::decode(&mut Reader::new("session token", &bytes)).expect("a token")
}

/// A token as it stands in the header.
pub(crate) fn header_of(token: &Token) -> String {
    let mut bytes = Vec::new();
    token.encode(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub(crate) fn parsed<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).expect("a value of the API")
}

/// A payment, as most tests need one.
pub(crate) fn payment(account: AccountId, amount: i64, external_ref: &str) -> Command {
    let (provider, external_ref) = ("bank".to_owned(), external_ref.to_owned());
    Command::RecordPayment { account, amount, date: NEW_YEAR, provider, external_ref }
}
