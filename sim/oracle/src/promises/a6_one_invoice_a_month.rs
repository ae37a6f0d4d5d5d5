//! A6, as far as one month goes: of the invoices of an account for a month at most one is not
//! negated by a credit note. Judged on every list of documents that a node shows.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use billing_wire::{Document, DocumentPage, Query, QueryResult};

pub(crate) const WORDS: &str = "a customer owes at most one invoice for a month";

/// A page of an account's documents.
pub(crate) fn answered(verdicts: &mut Verdicts, at: u64, page: &DocumentPage) {
    let effective = page.documents.iter().filter_map(|document| match document {
        Document::Invoice { invoice, negated_by: None, .. } => Some(invoice.period),
        Document::Invoice { .. } | Document::Void(_) => None,
    });
    let mut months: Vec<_> = effective.collect();
    months.sort_unstable();
    let twice = months.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    verdicts.check(Promise::A6, at, None, twice.is_none(), || {
        let month = twice.unwrap_or_default();
        let detail = format!("account {} is billed twice for {month}", page.account);
        ("a month is billed twice".to_owned(), detail)
    });
}

/// At quiescence: the documents of every account.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: &NodeView,
    books: &dyn Books,
) {
    for account in facts.model.accounts() {
        let query = Query::Documents { account, after: 0, limit: u16::MAX };
        if let Some(QueryResult::Documents(page)) = books.answer(node.node, &query) {
            answered(verdicts, at, &page);
        }
    }
}
