//! R1: a read is compared with the reference fold at the very frontier that the answer claims.
//!
//! A region that was sealed and has not heard leads its own log on, and names its entries. Those
//! without submissions show nothing, so that such an answer may be final: it has the books of its
//! frontier without them.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{OpId, Query, QueryResult, Read, ReadAnswer};

pub(crate) const WORDS: &str = "every read shows exactly the books of the moment that it names";

fn operation_of(query: &Query) -> Option<OpId> {
    match query {
        Query::Operation { op_id } => Some(*op_id),
        _ => None,
    }
}

fn name_of(query: &Query) -> &'static str {
    match query {
        Query::Balance { .. } => "balance",
        Query::History { .. } => "history",
        Query::Operation { .. } => "operation",
        Query::TrialBalance => "trial balance",
        Query::Statement { .. } => "statement",
        Query::Document { .. } | Query::Invoice { .. } => "invoice",
        Query::Documents { .. } => "list of invoices",
        Query::Suspense { .. } => "suspense",
        Query::Outbox { .. } => "outbox",
    }
}

/// One provisional answer in so many is compared: its books are folded from the start for it.
const SAMPLE: u64 = 64;

pub(crate) fn answered(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    read: &Read,
    answer: &ReadAnswer,
) {
    if matches!(answer.result, QueryResult::Unavailable | QueryResult::BadToken) {
        return;
    }
    let operation = operation_of(&read.query);
    if answer.provisional {
        return provisional(facts, verdicts, at, read, answer);
    }
    let without = || facts.step_of_books(&facts.without_empty_orphans(answer)?);
    let step = facts.step_of_books(&answer.frontier).or_else(without);
    verdicts.check(Promise::R1, at, operation, step.is_some(), || {
        let shape = "answer claims what is not committed".to_owned();
        let (claimed, ends) = (words::frontier(&answer.frontier), facts.log_ends());
        (shape, format!("the answer claims {claimed}, committed is {}", words::frontier(&ends)))
    });
    let Some(step) = step else { return };
    let expected = facts.model.answer(&read.query, step, answer.watermark);
    verdicts.check(Promise::R1, at, operation, expected == answer.result, || {
        let shape = format!("{} differs from the books", name_of(&read.query));
        let (asked, at) = (words::query(&read.query), words::frontier(&answer.frontier));
        let difference = words::difference(Some(&answer.result), &expected);
        (shape, format!("{asked} as of {at}: {difference}"))
    });
}

/// Above the watermark a node shows the entries that it holds in the order that they have so far:
/// the books of every entry up to the frontier, sorted.
fn provisional(
    facts: &mut Facts,
    verdicts: &mut Verdicts,
    at: u64,
    read: &Read,
    answer: &ReadAnswer,
) {
    if facts.may_show_orphans(answer) {
        return;
    }
    facts.provisional_answers += 1;
    if !facts.provisional_answers.is_multiple_of(SAMPLE) {
        return;
    }
    let operation = operation_of(&read.query);
    let books = facts.books_at(&answer.frontier);
    verdicts.check(Promise::R1, at, operation, books.is_some(), || {
        let shape = "answer claims what is not committed".to_owned();
        let (claimed, ends) = (words::frontier(&answer.frontier), facts.log_ends());
        (shape, format!("the answer claims {claimed}, committed is {}", words::frontier(&ends)))
    });
    let Some(books) = books else { return };
    let expected = books.answer(&read.query, books.step(), answer.watermark);
    verdicts.check(Promise::R1, at, operation, expected == answer.result, || {
        let shape = format!("provisional {} differs from the books", name_of(&read.query));
        let (asked, at) = (words::query(&read.query), words::frontier(&answer.frontier));
        let difference = words::difference(Some(&answer.result), &expected);
        (shape, format!("{asked} as of {at}: {difference}"))
    });
}
