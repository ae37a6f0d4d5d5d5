//! Invoices, statements, suspense and the outbox as a client reads them from JSON.

use crate::api::{disposition, item, op_id, parsed, position};
use billing_wire::codec::Reader;
use billing_wire::{
    BillingPeriod, Date, Document, DocumentNumber, DocumentPage, Frontier, Hash, Invoice,
    OutboxItem, OutboxPage, Position, QueryResult, RegionId, StatementPage, SuspenseItem,
    SuspensePage, Tariff, Void,
};
use serde_json::Value;

/// The region of a name that a test's cluster gives: `main`, `east`, `region1`.
fn region_of(name: &str) -> Option<RegionId> {
    match name {
        "MAIN" | "EAST" => Some(RegionId(0)),
        "WEST" => Some(RegionId(1)),
        numbered => numbered.strip_prefix("REGION")?.parse().ok().map(RegionId),
    }
}

/// A number as it stands in a path of a cluster of one region.
pub(crate) fn path_of(number: &DocumentNumber) -> String {
    number.text("main")
}

/// A position as a cursor.
pub(crate) fn cursor(position: &Position) -> String {
    let mut bytes = Vec::new();
    position.encode(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn document(body: &Value) -> QueryResult {
    QueryResult::Document(Box::new(one(&body["document"])))
}

pub(crate) fn documents(body: &Value) -> QueryResult {
    let documents = body["documents"].as_array().expect("documents").iter().map(one).collect();
    let (account, next) = (parsed(&body["account"]), parsed(&body["next"]));
    QueryResult::Documents(DocumentPage { account, documents, next })
}

pub(crate) fn statement(body: &Value) -> QueryResult {
    QueryResult::Statement(StatementPage {
        account: parsed(&body["account"]),
        opening: parsed(&body["opening"]),
        closing: parsed(&body["closing"]),
        items: items(body).map(item).collect(),
        next: parsed(&body["next"]),
    })
}

pub(crate) fn suspense(body: &Value) -> QueryResult {
    let item = |item: &Value| SuspenseItem {
        position: position(&item["position"]),
        op_id: op_id(&item["op_id"]),
        account: parsed(&item["account"]),
        amount: parsed(&item["amount"]),
        reason: parsed(&item["reason"]),
    };
    let items = items(body).map(item).collect();
    QueryResult::Suspense(SuspensePage { items, next: next_position(body) })
}

pub(crate) fn outbox(body: &Value) -> QueryResult {
    let item = |item: &Value| OutboxItem {
        position: position(&item["position"]),
        refund: op_id(&item["refund"]),
        payment: op_id(&item["payment"]),
        account: parsed(&item["account"]),
        amount: parsed(&item["amount"]),
    };
    let items = items(body).map(item).collect();
    QueryResult::Outbox(OutboxPage { items, next: next_position(body) })
}

fn items(body: &Value) -> impl Iterator<Item = &Value> {
    body["items"].as_array().expect("items").iter()
}

fn next_position(body: &Value) -> Option<Position> {
    let next: Option<String> = parsed(&body["next"]);
    let position = |text: String| Position::decode(&mut Reader::new("cursor", &bytes(&text)));
    next.map(|text| position(text).expect("a cursor"))
}

fn one(body: &Value) -> Document {
    match body["kind"].as_str() {
        Some("invoice") => Document::Invoice {
            invoice: invoice(body),
            hash: hash(&body["hash"]),
            negated_by: (!body["negated_by"].is_null()).then(|| number(&body["negated_by"])),
        },
        Some("void") => Document::Void(Void {
            number: number(&body["number"]),
            account: parsed(&body["account"]),
            period: period(body),
            op_id: op_id(&body["op_id"]),
            position: position(&body["position"]),
            disposition: disposition(body),
        }),
        other => panic!("{other:?} is no kind of document"),
    }
}

fn invoice(body: &Value) -> Invoice {
    let [energy, base_fee] = [&body["lines"][0], &body["lines"][1]];
    assert_eq!((&energy["line"], &base_fee["line"]), (&"energy".into(), &"base_fee".into()));
    Invoice {
        number: number(&body["number"]),
        account: parsed(&body["account"]),
        period: period(body),
        date: date(&body["date"]),
        op_id: op_id(&body["op_id"]),
        position: position(&body["position"]),
        frontier: Frontier(parsed(&body["frontier"])),
        tariff: hash(&body["tariff"]),
        prices: Tariff {
            energy_rate_micro: parsed(&energy["rate_micro"]),
            base_fee: parsed::<i64>(&base_fee["rate_micro"]) / 1_000_000,
        },
        opening_register: parsed(&body["opening_register"]),
        closing_register: parsed(&body["closing_register"]),
        energy: parsed(&energy["amount"]),
        base_fee: parsed(&base_fee["amount"]),
        total: parsed(&body["total"]),
    }
}

fn number(value: &Value) -> DocumentNumber {
    DocumentNumber::parse(value.as_str().expect("a number"), region_of).expect("a number")
}

fn period(body: &Value) -> BillingPeriod {
    body["period"].as_str().expect("a month").parse().expect("a month")
}

/// Dates of the API: the tests count days of a month from its first.
pub(crate) fn date(value: &Value) -> Date {
    let (month, day) = value.as_str().and_then(|text| text.rsplit_once('-')).expect("a date");
    let month: BillingPeriod = month.parse().expect("a month");
    Date(month.first_day().0 + day.parse::<u32>().expect("a day") - 1)
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn hash(value: &Value) -> Hash {
    bytes(value.as_str().expect("a hash")).try_into().expect("32 bytes")
}
