//! A8: the n-th submission of an invoice in a region log has the number n of its series, and
//! something stands under it: an invoice or a void. Counted here from the logs themselves.
//!
//! A region that was sealed and has not heard goes on counting in its own log. What it shows there
//! and does not call final has its number by that log.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{
    CommandView, Document, DocumentKind, DocumentNumber, Hlc, Incarnation, Position, Query,
    QueryResult, RecordHeader, RecordView, RegionId,
};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "the numbers of invoices have no gap and no repeat";

/// Submissions of invoices per region and incarnation, in log order.
#[derive(Debug, Default)]
pub(crate) struct Series {
    submitted: BTreeMap<(RegionId, Incarnation), Vec<Position>>,
    /// The same where a sealed region went on by itself.
    astray: BTreeMap<(RegionId, Incarnation), Vec<Position>>,
}

/// Where the invoices of a record were submitted.
fn submissions(record: &RecordView<'_>) -> Vec<Position> {
    let header = &record.header;
    if !header.kind.has_submissions() {
        return Vec::new();
    }
    let is_invoice =
        |body| matches!(CommandView::decode(body), Ok(CommandView::IssueInvoice { .. }));
    let invoices = record.submissions().flatten().filter(|submission| is_invoice(submission.body));
    invoices.map(|submission| header.position(submission.offset)).collect()
}

impl Series {
    /// The next record of a region log, whichever node committed it first.
    pub(crate) fn committed(&mut self, record: &RecordView<'_>) {
        let places = submissions(record);
        if !places.is_empty() {
            let key = (record.header.region, record.header.incarnation);
            self.submitted.entry(key).or_default().extend(places);
        }
    }

    /// A record that a node committed, and that is not in its region's sealed chain as far as that
    /// is known.
    pub(crate) fn astray(&mut self, record: &RecordView<'_>) {
        let places = submissions(record);
        let series = self.went_on(&record.header);
        if places.first().is_some_and(|first| !series.contains(first)) {
            series.retain(|place| place.index < record.header.index);
            series.extend(places);
        }
    }

    /// The series of a sealed log as its own region counts on.
    fn went_on(&mut self, header: &RecordHeader) -> &mut Vec<Position> {
        let key = (header.region, header.incarnation);
        let submitted = &self.submitted;
        self.astray.entry(key).or_insert_with(|| submitted.get(&key).cloned().unwrap_or_default())
    }

    /// A record was left out of the chain that its region's log was sealed with.
    pub(crate) fn left_out(&mut self, header: &RecordHeader) {
        self.went_on(header);
        if let Some(series) = self.submitted.get_mut(&(header.region, header.incarnation)) {
            series.retain(|place| (place.hlc, place.index) != (header.hlc, header.index));
        }
    }

    /// A document as a node shows it, with its watermark: its number is its place in the log.
    pub(crate) fn shown(
        &self,
        verdicts: &mut Verdicts,
        at: u64,
        document: &Document,
        watermark: Hlc,
    ) {
        let (number, position, op_id) = match document {
            Document::Invoice { invoice, .. } => (invoice.number, invoice.position, invoice.op_id),
            Document::Void(void) => (void.number, void.position, void.op_id),
        };
        let key = (number.region, number.incarnation);
        let place = number.ordinal.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let of = |series: &BTreeMap<_, Vec<Position>>| series.get(&key)?.get(place?).copied();
        let expected = of(&self.submitted);
        let stands = expected == Some(position)
            || (position.hlc > watermark && of(&self.astray) == Some(position));
        verdicts.check(Promise::A8, at, Some(op_id), stands, || {
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
                    self.shown(verdicts, at, document, Hlc(u64::MAX));
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

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{AccountId, BillingPeriod, Disposition, OpId, Void};

    const KEY: (RegionId, Incarnation) = (RegionId(1), Incarnation(0));

    fn place(index: u64) -> Position {
        Position { hlc: Hlc(index), region: KEY.0, index, offset: 0 }
    }

    /// How many of these two answers are complained of: invoice 2 where it stands in the log that
    /// went on, above the watermark and below it.
    fn complaints(series: &Series) -> usize {
        let number = DocumentNumber {
            region: KEY.0,
            incarnation: KEY.1,
            kind: DocumentKind::Invoice,
            ordinal: 2,
        };
        let document = Document::Void(Void {
            number,
            account: AccountId(1),
            period: BillingPeriod(1),
            op_id: OpId(1),
            position: place(7),
            disposition: Disposition::Applied,
        });
        let mut verdicts = Verdicts::new();
        for watermark in [Hlc(6), Hlc(7)] {
            series.shown(&mut verdicts, 0, &document, watermark);
        }
        verdicts.into_judgement().violations.len()
    }

    #[test]
    fn a_region_that_has_not_heard_of_its_seal_shows_numbers_of_its_own_log() {
        let mut series = Series::default();
        series.submitted.insert(KEY, vec![place(5)]);
        assert_eq!(complaints(&series), 2, "nothing stands there");
        series.astray.insert(KEY, vec![place(5), place(7)]);
        assert_eq!(complaints(&series), 1, "nothing of that is final");
        series.astray.insert(KEY, vec![place(7)]);
        assert_eq!(complaints(&series), 2, "it is its first there");
    }
}
