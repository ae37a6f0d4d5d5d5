//! Stories of the ledger, one per file under `ledger_cases`. Each line submits one command and
//! states its disposition and journal lines, or looks something up. Lines are compared through
//! the outcome chain, so none can be missing or too many.
//!
//! ```text
//! OP open ACCOUNT SERVICE_POINT        -> DISPOSITION [; CODE[/ACCOUNT] AMOUNT]...
//! OP pay ACCOUNT AMOUNT                -> ...
//! OP reverse PAYMENT_OP AMOUNT         -> ...
//! OP adjust ACCOUNT REASON AMOUNT      -> ...
//! OP read METER DAY REGISTER QUALITY   -> ...      several as `METER DAY REGISTER QUALITY, ...`
//! OP close ACCOUNT                     -> ...
//! OP refund PAYMENT_OP AMOUNT          -> ...
//! OP invoice ACCOUNT MONTH             -> ...
//! OP paid REFUND_OP AMOUNT             -> ...      under the derived op_id; OP names it here
//! OP claim REFUND_OP AMOUNT            -> ...      the same under an op_id of its own
//! OP malformed                         -> ...
//! DISPOSITION = applied | duplicate OP | redirected REASON | denied REASON | compensated
//! balance ACCOUNT = BALANCE, ITEMS items           or `= unknown`
//! history ACCOUNT [after N] [limit N] = OP AMOUNT, ... [, more]
//! operation OP = final DISPOSITION                 or `provisional ...`, `not seen`
//! total CODE = SUM
//! document ORDINAL = OPENING..CLOSING ENERGY TOTAL [negated N]   or `void DISPOSITION`, `none`
//! invoice ACCOUNT MONTH = ORDINAL      or `= none`
//! documents ACCOUNT [after N] [limit N] = ORDINAL, ... [, more]
//! statement ACCOUNT DAY DAY [after N] [limit N] = OPENING: OP AMOUNT, ... [, more]: CLOSING
//! suspense [limit N] = OP AMOUNT REASON, ... [, more]            or `= nothing`
//! outbox [limit N] = OP AMOUNT, ... [, more]                     or `= nothing`
//! watermark HLC                                    records stand at 10, 20, 30, ...
//! rig ACCOUNT BALANCE                              changes a balance in the database
//! ```
//! A command may end in `on DAY`. Every story is told three times: in memory, with a restart
//! before each line, and with a restart and no row of the database kept in memory.

mod ledger_support;

use billing_core::ledger::Ledger;
use billing_core::ledger::store::Table;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Date, Disposition, Document, DocumentKind,
    DocumentNumber, HistoryItem, Hlc, Incarnation, JournalLine, LedgerCode, MeterId, MeterRead,
    OpId, OperationState, OutboxItem, OutcomeChain, Position, Query, QueryResult, ReadQuality,
    RecordKind, RegionId, ReversalReason, ServicePointId, Submission, SuspenseItem, derived_op_id,
};
use ledger_support::{MemoryStore, apply, commit, header, record, totals};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

const DAY: u32 = 20_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Telling {
    InMemory,
    Restarted,
    RestartedWithoutCache,
}

struct Story {
    telling: Telling,
    store: MemoryStore,
    ledger: Ledger,
    index: u64,
    chain: OutcomeChain,
    first: BTreeMap<String, Position>,
    /// Names of the operations whose id is derived.
    derived: BTreeMap<String, OpId>,
}

fn op_id(name: &str) -> OpId {
    OpId(name.bytes().fold(0, |id, byte| id << 8 | u128::from(byte)))
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    let digits = text.replace('_', "");
    digits.trim_start_matches('+').parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

fn word<T: DeserializeOwned>(text: &str) -> T {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

impl Story {
    fn new(telling: Telling) -> Self {
        let store = MemoryStore::default();
        let ledger = Ledger::open(cache_rows(telling), Box::new(store.clone())).unwrap();
        let chain = OutcomeChain::default();
        let (first, derived) = (BTreeMap::new(), BTreeMap::new());
        Self { telling, store, ledger, index: 0, chain, first, derived }
    }

    fn restart(&mut self) {
        let before = (self.ledger.state_hash(), self.ledger.outcome_chain());
        commit(&mut self.ledger, &self.store);
        let rows = cache_rows(self.telling);
        self.ledger = Ledger::open(rows, Box::new(self.store.clone())).unwrap();
        assert_eq!((self.ledger.state_hash(), self.ledger.outcome_chain()), before);
    }

    fn tell(&mut self, line: &str) {
        if self.telling != Telling::InMemory {
            self.restart();
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words[0], line.split_once('=')) {
            ("balance", Some((_, expected))) => self.balance(number(words[1]), expected.trim()),
            ("history", Some((_, expected))) => self.history(&words, expected.trim()),
            ("operation", Some((_, expected))) => self.operation(words[1], expected.trim()),
            ("total", Some((_, expected))) => self.total(number(words[1]), number(expected.trim())),
            ("document", Some((_, expected))) => {
                let number = number_of(number(words[1]));
                self.document(&Query::Document { number }, expected.trim());
            }
            ("invoice", Some((_, expected))) => {
                let (account, period) = (AccountId(number(words[1])), month(words[2]));
                self.document(&Query::Invoice { account, period }, expected.trim());
            }
            ("documents", Some((_, expected))) => self.documents(&words, expected.trim()),
            ("statement", Some((_, expected))) => self.statement(&words, expected.trim()),
            ("suspense", Some((_, expected))) => self.suspense(&words, expected.trim()),
            ("outbox", Some((_, expected))) => self.outbox(&words, expected.trim()),
            ("watermark", None) => self.ledger.set_watermark(Hlc(number(words[1]))),
            ("rig", None) => self.rig(number(words[1]), number(words[2])),
            _ => self.submit(line),
        }
        let sums = totals(&mut self.ledger);
        assert_eq!(sums.iter().map(|(_, sum)| sum).sum::<i128>(), 0, "the trial balance is off");
        let held: i128 = self.held(500).iter().map(|item| i128::from(item.amount)).sum();
        let booked = sums.iter().find(|(code, _)| *code == LedgerCode::SUSPENSE).unwrap().1;
        assert_eq!(held, -booked, "suspense is not the sum of its items");
    }

    fn submit(&mut self, line: &str) {
        let (said, expected) = line.split_once("->").expect("a command states what it does");
        let words: Vec<&str> = said.split_whitespace().collect();
        self.index += 1;
        let name = words[0];
        if let ["paid", refund, ..] = words[1..] {
            self.derived.insert(name.to_owned(), derived_op_id(op_id(refund), "paid"));
        }
        let op_id = self.op_id(name);
        let bytes = if words[1] == "malformed" {
            malformed(self.index, op_id)
        } else {
            record(self.index, vec![Submission { op_id, command: command(&words[1..]) }])
        };
        let position = header(self.index, RecordKind::Submissions).position(0);
        self.first.entry(name.to_owned()).or_insert(position);
        apply(&mut self.ledger, &bytes);
        let mut parts = expected.split(';').map(str::trim);
        let disposition = self.disposition(parts.next().unwrap());
        let lines: Vec<JournalLine> = parts.map(journal_line).collect();
        self.chain.add(&position, op_id, &disposition, &lines);
        if self.first[name] == position {
            let found = self.ledger.operation(op_id).unwrap().expect("it was just folded");
            assert_eq!((found.disposition, found.position), (disposition, position));
        }
        let chain = self.ledger.outcome_chain();
        assert_eq!(chain, self.chain, "other disposition or journal lines than stated");
        self.chain = chain;
    }

    fn disposition(&self, text: &str) -> Disposition {
        match text.split_once(' ').unwrap_or((text, "")) {
            ("applied", "") => Disposition::Applied,
            ("duplicate", name) => Disposition::Duplicate { of: self.first[name] },
            ("redirected", reason) => Disposition::Redirected { reason: word(reason) },
            ("denied", reason) => Disposition::Denied { reason: word(reason) },
            ("compensated", "") => {
                let by = header(self.index, RecordKind::Submissions).position(0);
                Disposition::Compensated { by }
            }
            _ => panic!("'{text}' is no disposition"),
        }
    }

    fn op_id(&self, name: &str) -> OpId {
        self.derived.get(name).copied().unwrap_or_else(|| op_id(name))
    }

    fn name_of(&self, op: OpId) -> &str {
        self.first.keys().find(|name| self.op_id(name) == op).expect("an operation of the story")
    }

    fn document(&mut self, query: &Query, expected: &str) {
        let found = match self.ledger.query(query).unwrap() {
            QueryResult::NoSuchDocument => "none".to_owned(),
            QueryResult::Document(found) => match *found {
                Document::Void(void) => format!("void {}", self.word_of(&void.disposition)),
                Document::Invoice { invoice, hash, negated_by } => {
                    assert_eq!(invoice.hash(), hash, "what is shown is what was hashed");
                    assert_eq!(invoice.total, invoice.energy + invoice.base_fee);
                    if matches!(query, Query::Invoice { .. }) {
                        assert_eq!(negated_by, None);
                        invoice.number.ordinal.to_string()
                    } else {
                        let note = negated_by.map(|note| format!(" negated {}", note.ordinal));
                        let (from, to) = (invoice.opening_register, invoice.closing_register);
                        let (energy, total) = (invoice.energy, invoice.total);
                        format!("{from}..{to} {energy} {total}{}", note.unwrap_or_default())
                    }
                }
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }

    fn word_of(&self, disposition: &Disposition) -> String {
        match disposition {
            Disposition::Duplicate { of } => {
                let name = self.first.iter().find(|(_, first)| *first == of).unwrap().0;
                format!("duplicate {name}")
            }
            Disposition::Denied { reason } => {
                format!("denied {}", serde_json::to_value(reason).unwrap().as_str().unwrap())
            }
            other => panic!("{other:?} leaves no void"),
        }
    }

    fn documents(&mut self, words: &[&str], expected: &str) {
        let (account, after) = (AccountId(number(words[1])), option(words, "after", 0));
        let limit = option(words, "limit", 500) as u16;
        let query = Query::Documents { account, after, limit };
        let QueryResult::Documents(page) = self.ledger.query(&query).unwrap() else {
            panic!("account {account} has no documents");
        };
        let ordinals = page.documents.iter().map(|found| found.number().ordinal.to_string());
        assert_eq!(listed(ordinals.collect(), page.next.is_some()), expected);
    }

    fn statement(&mut self, words: &[&str], expected: &str) {
        let (account, after) = (AccountId(number(words[1])), option(words, "after", 0));
        let (from, to) = (Date(number(words[2])), Date(number(words[3])));
        let limit = option(words, "limit", 500) as u16;
        let query = Query::Statement { account, from, to, after, limit };
        let QueryResult::Statement(page) = self.ledger.query(&query).unwrap() else {
            panic!("account {account} has no statement");
        };
        let item = |item: &HistoryItem| format!("{} {}", self.name_of(item.op_id), item.amount);
        let items = listed(page.items.iter().map(item).collect(), page.next.is_some());
        assert_eq!(format!("{}: {items}: {}", page.opening, page.closing), expected);
    }

    fn held(&self, limit: u16) -> Vec<SuspenseItem> {
        let query = Query::Suspense { after: Position::default(), limit };
        let QueryResult::Suspense(page) = self.ledger.query(&query).unwrap() else { panic!() };
        page.items
    }

    fn suspense(&mut self, words: &[&str], expected: &str) {
        let limit = option(words, "limit", 500) as u16;
        let all = self.held(500);
        let item = |item: &SuspenseItem| {
            let reason = serde_json::to_value(item.reason).unwrap();
            let reason = reason.as_str().unwrap().to_owned();
            format!("{} {} {reason}", self.name_of(item.op_id), item.amount)
        };
        let items = self.held(limit).iter().map(item).collect();
        assert_eq!(listed(items, all.len() > limit.into()), expected);
        // Pages of one, one after the other, are the whole.
        let (mut after, mut paged) = (Position::default(), Vec::new());
        for _ in &all {
            let query = Query::Suspense { after, limit: 1 };
            let QueryResult::Suspense(page) = self.ledger.query(&query).unwrap() else { panic!() };
            assert_eq!(page.next.is_some(), paged.len() + 1 < all.len());
            after = page.items[0].position;
            paged.extend(page.items);
        }
        assert_eq!(paged, all);
    }

    fn outbox(&mut self, words: &[&str], expected: &str) {
        let limit = option(words, "limit", 500) as u16;
        let page = self.ledger.outbox(Position::default(), limit).unwrap();
        let item = |item: &OutboxItem| {
            assert_eq!(item.position, self.first[self.name_of(item.refund)]);
            format!("{} {}", self.name_of(item.refund), item.amount)
        };
        let items = page.items.iter().map(item).collect();
        assert_eq!(listed(items, page.next.is_some()), expected);
        assert_eq!(page.next, page.next.and(page.items.last()).map(|last| last.position));
    }

    fn balance(&mut self, account: u64, expected: &str) {
        let query = Query::Balance { account: AccountId(account) };
        let found = match self.ledger.query(&query).unwrap() {
            QueryResult::Balance(view) => format!("{}, {} items", view.balance, view.items),
            QueryResult::UnknownAccount(_) => "unknown".to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }

    fn history(&mut self, words: &[&str], expected: &str) {
        let (account, after) = (AccountId(number(words[1])), option(words, "after", 0));
        let limit = option(words, "limit", 500) as u16;
        let query = Query::History { account, after, limit };
        let QueryResult::History(page) = self.ledger.query(&query).unwrap() else {
            panic!("account {account} has no history");
        };
        let mut found: Vec<String> = Vec::new();
        for (item, sequence) in page.items.iter().zip(after + 1..) {
            assert_eq!(item.sequence, sequence);
            found.push(format!("{} {}", self.name_of(item.op_id), item.amount));
        }
        if let Some(next) = page.next {
            assert_eq!(Some(next), page.items.last().map(|item| item.sequence));
            found.push("more".to_owned());
        }
        assert_eq!(found.join(", "), expected);
    }

    fn operation(&mut self, name: &str, expected: &str) {
        let query = Query::Operation { op_id: self.op_id(name) };
        let QueryResult::Operation(found) = self.ledger.query(&query).unwrap() else { panic!() };
        let state = match expected.split_once(' ').unwrap() {
            ("not", "seen") => OperationState::NotSeen,
            (state, text) => {
                let (disposition, position) = (self.disposition(text), self.first[name]);
                match state {
                    "final" => OperationState::Final { disposition, position },
                    "provisional" => OperationState::Provisional { disposition, position },
                    other => panic!("'{other}' is no state"),
                }
            }
        };
        assert_eq!(found, state);
    }

    fn total(&mut self, code: u16, expected: i128) {
        let sums = totals(&mut self.ledger);
        assert_eq!(sums.iter().find(|(c, _)| c.0 == code).unwrap().1, expected);
    }

    /// A balance that would take millions of payments. Past the first read nothing checks the
    /// hash of rows that are not all in memory.
    fn rig(&mut self, account: u64, balance: i64) {
        commit(&mut self.ledger, &self.store);
        self.store.rig(Table::Account, &account.to_be_bytes(), |row| {
            row[..8].copy_from_slice(&balance.to_le_bytes());
        });
        self.telling = Telling::RestartedWithoutCache;
        self.restart();
    }
}

fn option(words: &[&str], name: &str, default: u64) -> u64 {
    let at = words.iter().position(|word| *word == name);
    at.map_or(default, |at| number(words[at + 1]))
}

fn listed(mut items: Vec<String>, has_more: bool) -> String {
    if has_more {
        items.push("more".to_owned());
    }
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

fn month(text: &str) -> BillingPeriod {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn number_of(ordinal: u64) -> DocumentNumber {
    let (region, incarnation) = (RegionId(0), Incarnation(0));
    DocumentNumber { region, incarnation, kind: DocumentKind::Invoice, ordinal }
}

fn cache_rows(telling: Telling) -> usize {
    if telling == Telling::RestartedWithoutCache { 0 } else { 1_000 }
}

fn command(words: &[&str]) -> Command {
    let (words, date) = match words {
        [words @ .., "on", day] => (words, Date(number(day))),
        words => (words, Date(DAY)),
    };
    let account = |text| AccountId(number(text));
    match words {
        ["open", number_of, point] => Command::OpenAccount {
            account: account(number_of),
            service_point: ServicePointId(number(point)),
            date,
        },
        ["pay", to, amount] => Command::RecordPayment {
            account: account(to),
            amount: number(amount),
            date,
            provider: "bank".to_owned(),
            external_ref: String::new(),
        },
        ["reverse", payment, amount] => Command::ReversePayment {
            payment: op_id(payment),
            amount: number(amount),
            reason: ReversalReason::Bounced,
            date,
        },
        ["adjust", of, reason, amount] => Command::PostAdjustment {
            account: account(of),
            amount: number(amount),
            reason: word::<AdjustmentReason>(reason),
            date,
        },
        ["close", number_of] => Command::CloseAccount { account: account(number_of), date },
        ["refund", payment, amount] => {
            Command::RequestRefund { payment: op_id(payment), amount: number(amount), date }
        }
        ["invoice", of, period] => {
            Command::IssueInvoice { account: account(of), period: month(period), date }
        }
        ["paid" | "claim", refund, amount] => {
            Command::ConfirmPayout { refund: op_id(refund), amount: number(amount), date }
        }
        ["read", rest @ ..] => Command::RecordRead { reads: reads(&rest.join(" ")) },
        other => panic!("{other:?} is no command"),
    }
}

fn reads(text: &str) -> Vec<MeterRead> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| match *part.split_whitespace().collect::<Vec<_>>() {
            [meter, day, register, quality] => MeterRead {
                meter: MeterId(number(meter)),
                date: Date(number(day)),
                register: number(register),
                quality: word::<ReadQuality>(quality),
            },
            _ => panic!("'{part}' is no reading"),
        })
        .collect()
}

fn journal_line(text: &str) -> JournalLine {
    let (account, amount) = text.split_once(' ').expect("a line is an account and an amount");
    let (code, account) = match account.split_once('/') {
        Some((code, account)) => (code, Some(AccountId(number(account)))),
        None => (account, None),
    };
    JournalLine { code: LedgerCode(number(code)), account, amount: number(amount) }
}

/// A record whose one body starts with a tag that no command has.
fn malformed(index: u64, op_id: OpId) -> Vec<u8> {
    let command = command(&["open", "1", "1"]);
    let mut body = Vec::new();
    command.encode(&mut body);
    let mut bytes = record(index, vec![Submission { op_id, command }]);
    let tag_at = bytes.len() - body.len();
    bytes[tag_at] = 0xee;
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn story(path: &Path) -> datatest_stable::Result<()> {
    let text = std::fs::read_to_string(path)?;
    for telling in [Telling::InMemory, Telling::Restarted, Telling::RestartedWithoutCache] {
        let mut story = Story::new(telling);
        for (line, at) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap().trim();
            if line.is_empty() {
                continue;
            }
            let told = std::panic::AssertUnwindSafe(|| story.tell(line));
            if let Err(panic) = std::panic::catch_unwind(told) {
                let place = format!("{}:{at}: {line} ({telling:?})", path.display());
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                return Err(format!("{place}\n{why}").into());
            }
        }
    }
    Ok(())
}

datatest_stable::harness! {
    { test = story, root = "tests/ledger_cases", pattern = r"\.txt$" },
}
