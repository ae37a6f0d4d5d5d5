//! Queries and what they find, as people of a billing office say them: what was told, and what the
//! billing rules say instead. Only for the details of a violation: nothing is compared by words.

mod ends;

pub use ends::grade;
pub(crate) use ends::{class, disposition, end, end_or_none, vote};

use billing_wire::{
    Document, DocumentNumber, Frontier, HistoryItem, LedgerCode, OperationState, OutboxItem, Query,
    QueryResult, RecordKind, SuspenseItem, TrialBalanceView,
};

/// Amounts that differ and are named.
const NAMED_MAX: usize = 3;

/// What a query asks for.
pub fn query(query: &Query) -> String {
    match *query {
        Query::Balance { account } => format!("the balance of account {account}"),
        Query::History { account, .. } => format!("the history of account {account}"),
        Query::Operation { op_id } => format!("the state of operation {op_id}"),
        Query::TrialBalance => "the trial balance".to_owned(),
        Query::Statement { account, .. } => format!("a statement of account {account}"),
        Query::Document { number } => document_number(&number),
        Query::Invoice { account, period } => {
            format!("the invoice of account {account} for {period}")
        }
        Query::Documents { account, .. } => format!("the invoices of account {account}"),
        Query::Suspense { .. } => "what lies in suspense".to_owned(),
        Query::Outbox { .. } => "the refunds that are not paid out".to_owned(),
    }
}

/// A number of a document.
pub(crate) fn document_number(number: &DocumentNumber) -> String {
    let later = match number.incarnation.0 {
        0 => String::new(),
        n => format!(", incarnation {n}"),
    };
    format!("invoice {} of region {}{later}", number.ordinal, number.region)
}

/// How far books are folded.
pub fn frontier(frontier: &Frontier) -> String {
    let ends = frontier.0.iter().enumerate().filter(|(_, index)| **index > 0);
    let ends: Vec<String> =
        ends.map(|(region, index)| format!("entry {index} of region {region}")).collect();
    if ends.is_empty() { "no entry".to_owned() } else { ends.join(" and ") }
}

/// What was found and what should have been, down to the first thing that differs.
pub(crate) fn difference(found: Option<&QueryResult>, expected: &QueryResult) -> String {
    use QueryResult as R;
    let Some(found) = found else {
        return format!("nothing was told, the billing rules say {}", result(expected));
    };
    let inside = match (found, expected) {
        (R::History(found), R::History(expected)) => {
            first(&found.items, &expected.items, history_item)
        }
        (R::Statement(found), R::Statement(expected)) => {
            first(&found.items, &expected.items, history_item)
        }
        (R::Documents(found), R::Documents(expected)) => {
            first(&found.documents, &expected.documents, document)
        }
        (R::Suspense(found), R::Suspense(expected)) => {
            first(&found.items, &expected.items, suspense_item)
        }
        (R::Outbox(found), R::Outbox(expected)) => {
            first(&found.items, &expected.items, outbox_item)
        }
        (R::TrialBalance(found), R::TrialBalance(expected)) => sums(found, expected),
        _ => None,
    };
    let (told, right) = inside.unwrap_or_else(|| (result(found), result(expected)));
    if told == right {
        // Words leave something out; the record must not.
        return format!("{told} was told, which differs in {found:?}, not {expected:?}");
    }
    format!("{told} was told, the billing rules say {right}")
}

/// A result as a whole.
pub(crate) fn result(result: &QueryResult) -> String {
    use QueryResult as R;
    match result {
        R::Balance(view) => {
            let items = plural(view.items as usize, "item");
            format!("a balance of {} after {items}", money(view.balance.into()))
        }
        R::History(page) => format!("a history of {}", plural(page.items.len(), "item")),
        R::Operation(OperationState::NotSeen) => "that it was never seen".to_owned(),
        R::Operation(OperationState::Final { disposition, position }) => {
            format!("that it is {} for good at {position}", disposition.name())
        }
        R::Operation(OperationState::Provisional { disposition, position }) => {
            format!("that it is {} so far at {position}", disposition.name())
        }
        R::TrialBalance(view) => {
            format!("a trial balance of {}", plural(view.sums.len(), "ledger account"))
        }
        R::Statement(page) => {
            let (opening, closing) = (money(page.opening), money(page.closing));
            let items = plural(page.items.len(), "item");
            format!("a statement from {opening} to {closing} with {items}")
        }
        R::Document(found) => document(found),
        R::Documents(page) => plural(page.documents.len(), "document"),
        R::Suspense(page) => format!("{} in suspense", plural(page.items.len(), "amount")),
        R::Outbox(page) => plural(page.items.len(), "refund that is not paid out"),
        R::NoSuchDocument => "that there is no such document".to_owned(),
        R::UnknownAccount(account) => format!("that there is no account {account}"),
        R::Unavailable => "that the books cannot be read now".to_owned(),
        R::BadToken => "that the session's token is bad".to_owned(),
    }
}

/// The first place at which two lists differ.
fn first<T: PartialEq>(
    found: &[T],
    expected: &[T],
    words: impl Fn(&T) -> String,
) -> Option<(String, String)> {
    let longest = found.len().max(expected.len());
    let place = (0..longest).find(|place| found.get(*place) != expected.get(*place))?;
    let side = |list: &[T]| match list.get(place) {
        Some(item) => format!("as number {} {}", place + 1, words(item)),
        None => format!("no number {}", place + 1),
    };
    Some((side(found), side(expected)))
}

/// The ledger accounts whose sums differ.
fn sums(found: &TrialBalanceView, expected: &TrialBalanceView) -> Option<(String, String)> {
    let of = |view: &TrialBalanceView, code| {
        let known = view.sums.iter().find(|(known, _)| *known == code);
        known.map(|(_, sum)| *sum)
    };
    let differs = |code: &LedgerCode| of(found, *code) != of(expected, *code);
    let codes: Vec<LedgerCode> =
        LedgerCode::ALL.into_iter().filter(differs).take(NAMED_MAX).collect();
    let side = |view: &TrialBalanceView| {
        let sums = codes.iter().map(|code| match of(view, *code) {
            Some(sum) => format!("{} in {}", money(sum), ledger_account(*code)),
            None => format!("nothing of {}", ledger_account(*code)),
        });
        sums.collect::<Vec<_>>().join(", ")
    };
    (!codes.is_empty()).then(|| (side(found), side(expected)))
}

fn ledger_account(code: LedgerCode) -> &'static str {
    match code {
        LedgerCode::CASH => "cash",
        LedgerCode::RECEIVABLE => "receivables",
        LedgerCode::TAX => "tax payable",
        LedgerCode::REFUNDS => "refunds payable",
        LedgerCode::SUSPENSE => "suspense",
        LedgerCode::REVENUE => "revenue",
        LedgerCode::LATE_FEES => "late fees",
        LedgerCode::BAD_DEBT => "bad debt",
        LedgerCode::GOODWILL => "goodwill",
        LedgerCode(_) => "an account that does not exist",
    }
}

fn history_item(item: &HistoryItem) -> String {
    let (amount, balance) = (money(item.amount.into()), money(item.balance.into()));
    format!("a change by {amount} to {balance} ({} at {})", item.op_id, item.position)
}

fn suspense_item(item: &SuspenseItem) -> String {
    format!("{} ({} at {})", money(item.amount.into()), item.op_id, item.position)
}

fn outbox_item(item: &OutboxItem) -> String {
    let amount = money(item.amount.into());
    format!("a refund of {amount} to account {} ({})", item.account, item.refund)
}

fn document(document: &Document) -> String {
    match document {
        Document::Invoice { invoice, negated_by, .. } => {
            let negated = match negated_by {
                Some(by) => format!(", negated by number {}", by.ordinal),
                None => String::new(),
            };
            format!(
                "{} over {} to account {} for {}{negated}",
                document_number(&invoice.number),
                money(invoice.total.into()),
                invoice.account,
                invoice.period
            )
        }
        Document::Void(void) => {
            format!("{} void, {}", document_number(&void.number), void.disposition.name())
        }
    }
}

fn plural(number: usize, noun: &str) -> String {
    match (number, noun.split_once(' ')) {
        (1, _) => format!("1 {noun}"),
        (_, Some((first, rest))) if rest.starts_with("that") => format!("{number} {first}s {rest}"),
        _ => format!("{number} {noun}s"),
    }
}

/// What an entry of a region log is for.
pub(crate) fn entry_kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Noop => "a new leader's mark",
        RecordKind::Submissions => "one of submissions",
        RecordKind::CloseTs => "one that closes a silent region's order",
        RecordKind::ModeChanged => "a change of how the region acknowledges",
        RecordKind::RegionSealed => "a seal",
        RecordKind::Readmitted => "a return of what a seal left out",
        RecordKind::EpochChanged => "a move of the coordinator",
        RecordKind::ReleaseActivated => "a new release of the billing rules",
        RecordKind::MembersChanged => "a change of members",
        RecordKind::RegionRestored => "the return of a region",
        RecordKind::ChainPart => "a piece of a log that is about to be sealed",
    }
}

/// Simulated time.
pub(crate) fn seconds(at_ns: u64) -> String {
    format!("{}.{:03} s", at_ns / 1_000_000_000, at_ns / 1_000_000 % 1_000)
}

/// Minor units, with two digits behind the point.
pub(crate) fn money(amount: i128) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let minor = amount.unsigned_abs();
    format!("{sign}{}.{:02} EUR", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::{difference, frontier};
    use billing_wire::{
        AccountId, BalanceView, Date, Frontier, HistoryItem, HistoryPage, LedgerCode, OpId,
        Position, QueryResult, TrialBalanceView,
    };

    fn history(amounts: &[i64]) -> QueryResult {
        let item = |(place, amount): (usize, &i64)| HistoryItem {
            sequence: place as u64 + 1,
            position: Position::default(),
            op_id: OpId(7),
            date: Date(1),
            amount: *amount,
            balance: amounts[..=place].iter().sum(),
        };
        let items = amounts.iter().enumerate().map(item).collect();
        QueryResult::History(HistoryPage { account: AccountId(3), items, next: None })
    }

    fn balance(balance: i64, items: u64) -> QueryResult {
        QueryResult::Balance(BalanceView { account: AccountId(3), balance, items })
    }

    #[test]
    fn the_first_thing_that_differs_is_said_in_billing_words() {
        let said = difference(Some(&balance(4_205, 2)), &balance(-5, 1));
        assert_eq!(
            said,
            "a balance of 42.05 EUR after 2 items was told, the billing rules say a balance of \
             -0.05 EUR after 1 item"
        );
        let said = difference(Some(&history(&[100, 200])), &history(&[100, 300, 1]));
        assert!(said.starts_with("as number 2 a change by 2.00 EUR to 3.00 EUR ("), "{said}");
        assert!(said.contains("rules say as number 2 a change by 3.00 EUR to 4.00 EUR"), "{said}");
        let said = difference(Some(&history(&[100])), &history(&[100, 300]));
        assert!(said.starts_with("no number 2 was told"), "{said}");
        let sums = |cash, tax| {
            let sums = vec![(LedgerCode::CASH, cash), (LedgerCode::TAX, tax)];
            QueryResult::TrialBalance(TrialBalanceView { sums })
        };
        let said = difference(Some(&sums(100, 7)), &sums(250, 7));
        assert_eq!(said, "1.00 EUR in cash was told, the billing rules say 2.50 EUR in cash");
        let said = difference(None, &QueryResult::NoSuchDocument);
        assert!(said.contains("rules say that there is no such document"), "{said}");
    }

    #[test]
    fn a_frontier_names_the_regions_that_it_has_entries_of() {
        let mut far = Frontier::default();
        assert_eq!(frontier(&far), "no entry");
        (far.0[0], far.0[2]) = (410, 7);
        assert_eq!(frontier(&far), "entry 410 of region 0 and entry 7 of region 2");
    }
}
