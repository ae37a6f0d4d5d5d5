//! Histories for the promises about refunds and documents.

use crate::Case;
use crate::stage::{NODES, Stage, local, open, pay};
use billing_wire::{
    AccountId, BillingPeriod, Command, Date, Document, DocumentKind, DocumentNumber, Hlc,
    Incarnation, OpId, Position, Query, QueryResult, RegionId,
};

const MONTH: BillingPeriod = BillingPeriod(657);
const START: Position = Position { hlc: Hlc(0), region: RegionId(0), index: 0, offset: 0 };
const OUTBOX: Query = Query::Outbox { after: START, limit: u16::MAX };
const DOCUMENTS: Query = Query::Documents { account: AccountId(1), after: 0, limit: u16::MAX };

pub(crate) const CASES: &[Case] = &[
    ("A4", "more waits to be paid back than was paid", |s, broken| {
        refunded(s);
        s.read(local(OUTBOX), |answer| grant_again(&mut answer.result, broken));
    }),
    ("A4", "more waits to be paid back than was paid", |s, broken| {
        refunded(s);
        s.lies(NODES[0], OUTBOX, |answer| grant_again(answer, broken));
        s.quiesce(|_| {});
    }),
    ("A6", "a month is billed twice", |s, broken| {
        billed_twice(s);
        s.read(local(DOCUMENTS), |answer| forget_the_note(&mut answer.result, broken));
    }),
    ("A6", "a month is billed twice", |s, broken| {
        billed_twice(s);
        s.lies(NODES[0], DOCUMENTS, |answer| forget_the_note(answer, broken));
        s.quiesce(|_| {});
    }),
    ("A7", "a document is not what was hashed", |s, broken| {
        billed_twice(s);
        s.read(local(document(1)), |answer| {
            if let QueryResult::Document(found) = &mut answer.result
                && let Document::Invoice { invoice, .. } = &mut **found
            {
                invoice.base_fee += i64::from(broken);
            }
        });
    }),
    ("A7", "a final document changed", |s, broken| {
        billed_twice(s);
        s.read(local(document(1)), |_| {});
        s.read(local(document(1)), |answer| {
            if let QueryResult::Document(found) = &mut answer.result
                && let Document::Invoice { invoice, hash, .. } = &mut **found
            {
                invoice.base_fee += i64::from(broken);
                *hash = invoice.hash();
            }
        });
    }),
    ("A8", "a number is not its place in the log", |s, broken| {
        billed_twice(s);
        let asked = document(if broken { 2 } else { 1 });
        let other = s.answer(&local(asked)).result;
        s.read(local(document(1)), |answer| {
            answer.result = other;
            if let QueryResult::Document(found) = &mut answer.result
                && let Document::Invoice { invoice, .. } = &mut **found
            {
                invoice.number.ordinal = 1;
            }
        });
    }),
    ("A8", "nothing stands under a number", |s, broken| {
        billed_twice(s);
        s.lies(NODES[0], document(2), |answer| {
            if broken {
                *answer = QueryResult::NoSuchDocument;
            }
        });
        s.quiesce(|_| {});
    }),
    ("A8", "a number was never submitted", |s, broken| {
        billed_twice(s);
        let last = s.answer(&local(document(2))).result;
        s.lies(NODES[0], document(3), |answer| {
            if broken {
                *answer = last;
            }
        });
        s.quiesce(|_| {});
    }),
    ("I1", "an operation is twice in a history", |s, broken| {
        billed_twice(s);
        let query = Query::History { account: AccountId(1), after: 0, limit: 9 };
        s.read(local(query), |answer| {
            if let QueryResult::History(page) = &mut answer.result {
                page.items[3].amount += i64::from(broken);
            }
        });
    }),
];

/// A payment of 5, of which 5 are to be paid back.
fn refunded(s: &mut Stage) {
    s.write(1, 1, open(1));
    s.write(1, 2, pay(1, 5));
    let (payment, date) = (OpId(2), Date(20_000));
    s.write(1, 3, Command::RequestRefund { payment, amount: 5, date });
}

fn grant_again(answer: &mut QueryResult, broken: bool) {
    if let QueryResult::Outbox(page) = answer
        && broken
    {
        page.items.extend_from_within(..);
    }
}

/// Two invoices for a month: the second is negated.
fn billed_twice(s: &mut Stage) {
    s.write(1, 1, open(1));
    for op in [2, 3] {
        let (account, date) = (AccountId(1), Date(20_000));
        s.write(1, op, Command::IssueInvoice { account, period: MONTH, date });
    }
}

fn forget_the_note(answer: &mut QueryResult, broken: bool) {
    if let QueryResult::Documents(page) = answer
        && let Some(Document::Invoice { negated_by, .. }) = page.documents.last_mut()
        && broken
    {
        *negated_by = None;
    }
}

fn document(ordinal: u64) -> Query {
    let (region, incarnation, kind) = (RegionId(0), Incarnation(0), DocumentKind::Invoice);
    Query::Document { number: DocumentNumber { region, incarnation, kind, ordinal } }
}
