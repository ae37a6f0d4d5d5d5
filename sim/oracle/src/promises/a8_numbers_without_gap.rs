//! A8: the n-th submission of an invoice in a region log has the number n of its series, and
//! something stands under it: an invoice or a void. Counted here from the logs themselves.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{
    CommandView, Document, DocumentKind, DocumentNumber, Incarnation, Position, Query, QueryResult,
    RecordHeader, RecordView, RegionId,
};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "the numbers of invoices have no gap and no repeat";

/// Submissions of invoices per region and incarnation, in log order.
#[derive(Debug, Default)]
pub(crate) struct Series {
    submitted: BTreeMap<(RegionId, Incarnation), Vec<Position>>,
}

impl Series {
    /// The next record of a region log, whichever node committed it first.
    pub(crate) fn committed(&mut self, record: &RecordView<'_>) {
        let header = &record.header;
        if !header.kind.has_submissions() {
            return;
        }
        for submission in record.submissions().flatten() {
            if let Ok(CommandView::IssueInvoice { .. }) = CommandView::decode(submission.body) {
                let series = self.submitted.entry((header.region, header.incarnation)).or_default();
                series.push(header.position(submission.offset));
            }
        }
    }

    /// A record was left out of the chain that its region's log was sealed with.
    pub(crate) fn left_out(&mut self, header: &RecordHeader) {
        if let Some(series) = self.submitted.get_mut(&(header.region, header.incarnation)) {
            series.retain(|place| (place.hlc, place.index) != (header.hlc, header.index));
        }
    }

    /// A document as a node shows it: its number is its place in the log.
    pub(crate) fn shown(&self, verdicts: &mut Verdicts, at: u64, document: &Document) {
        let (number, position, op_id) = match document {
            Document::Invoice { invoice, .. } => (invoice.number, invoice.position, invoice.op_id),
            Document::Void(void) => (void.number, void.position, void.op_id),
        };
        let series = self.submitted.get(&(number.region, number.incarnation));
        let place = number.ordinal.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let expected = series.zip(place).and_then(|(series, place)| series.get(place));
        verdicts.check(Promise::A8, at, Some(op_id), expected == Some(&position), || {
            let shape = "a number is not its place in the log".to_owned();
            let right = match expected {
                Some(place) => format!("its place in the log is {place}"),
                None => "the log has no place for it".to_owned(),
            };
            (shape, format!("{} stands at {position}, {right}", words::document_number(&number)))
        });
    }

    /// At quiescence: every number of every series, and none beyond. Of the log of a region that
    /// is gone and not sealed each node knows what it got.
    pub(crate) fn asked(
        &self,
        facts: &Facts,
        verdicts: &mut Verdicts,
        at: u64,
        node: &NodeView,
        books: &dyn Books,
    ) {
        let is_known = |region: &RegionId| {
            !facts.is_destroyed(*region) || facts.finality.sealed(*region).is_some()
        };
        for ((region, incarnation), series) in &self.submitted {
            if !is_known(region) {
                continue;
            }
            for ordinal in 1..=series.len() as u64 + 1 {
                let (region, incarnation, kind) = (*region, *incarnation, DocumentKind::Invoice);
                let number = DocumentNumber { region, incarnation, kind, ordinal };
                let expected = ordinal <= series.len() as u64;
                let found = books.answer(node.node, &Query::Document { number });
                if let Some(QueryResult::Document(document)) = &found {
                    self.shown(verdicts, at, document);
                }
                let stands = matches!(found, Some(QueryResult::Document(_)));
                verdicts.check(Promise::A8, at, None, stands == expected, || {
                    let shape = match expected {
                        true => "nothing stands under a number",
                        false => "a number was never submitted",
                    };
                    let told = found.as_ref().map_or("nothing".to_owned(), words::result);
                    let (node, number) = (node.node, words::document_number(&number));
                    (shape.to_owned(), format!("node {node} was asked for {number}, told {told}"))
                });
            }
        }
    }
}
