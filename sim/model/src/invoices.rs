//! Invoices: the series of each region, what a document says, and which one of a month counts.

use crate::booking::denied;
use crate::subledger::Case;
use crate::{Model, Step};
use billing_wire::{
    AccountId, BillingPeriod, Date, DenyReason, Disposition, Document, DocumentKind,
    DocumentNumber, Invoice, LedgerCode, MeterId, Tariff, Void,
};
use std::cmp::Ordering;

/// A document, and the step that filed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filed {
    pub(crate) document: Document,
    pub(crate) step: Step,
}

/// The invoice of a month that is not negated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effective {
    pub(crate) number: DocumentNumber,
    pub(crate) step: Step,
    closing_register: u64,
}

/// What an invoice was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) account: AccountId,
    pub(crate) period: BillingPeriod,
    pub(crate) date: Date,
}

impl Model {
    /// Every invoice that no credit note negates, by number.
    pub fn counted_invoices(&self) -> impl Iterator<Item = &Invoice> {
        self.documents.values().filter_map(|filed| counted(&filed.document))
    }

    /// The invoice under a number, unless a credit note negates it.
    pub fn counted_invoice(&self, number: DocumentNumber) -> Option<&Invoice> {
        counted(&self.documents.get(&number)?.document)
    }

    /// The next number of a series of the case's region.
    pub(crate) fn next_number(&mut self, case: &Case, kind: DocumentKind) -> DocumentNumber {
        let (region, incarnation) = (case.position.region, case.incarnation);
        let last = self.series.entry((region, incarnation, kind)).or_insert(0);
        *last += 1;
        DocumentNumber { region, incarnation, kind, ordinal: *last }
    }

    pub(crate) fn invoice(
        &mut self,
        number: DocumentNumber,
        wanted: Wanted,
        case: &mut Case,
    ) -> Disposition {
        let Wanted { account, period, .. } = wanted;
        let Some(holder) = self.accounts.get(&account) else {
            return denied(DenyReason::UnknownAccount);
        };
        if holder.is_closed {
            return denied(DenyReason::AccountClosed);
        }
        let Some(invoice) = self.document(number, wanted, case) else {
            return denied(DenyReason::Overflow);
        };
        if !self.accounts[&account].takes(invoice.total) {
            return denied(DenyReason::Overflow);
        }
        self.post_to(case, account, case.op_id, invoice.total);
        self.post(case, LedgerCode::REVENUE, -invoice.total);
        let is_billed = self.effective.contains_key(&(account, period));
        let (disposition, negated_by) = if is_billed {
            let note = self.next_number(case, DocumentKind::CreditNote);
            self.post(case, LedgerCode::REVENUE, invoice.total);
            self.post_to(case, account, case.op_id, -invoice.total);
            (Disposition::Compensated { by: case.position }, Some(note))
        } else {
            let (step, closing_register) = (case.step, invoice.closing_register);
            self.effective.insert((account, period), Effective { number, step, closing_register });
            (Disposition::Applied, None)
        };
        self.file(case, account, Document::Invoice { invoice, hash: invoice.hash(), negated_by });
        disposition
    }

    /// The number of a submission that was denied or a duplicate.
    pub(crate) fn void(
        &mut self,
        number: DocumentNumber,
        wanted: Wanted,
        disposition: Disposition,
        case: &Case,
    ) {
        let Wanted { account, period, .. } = wanted;
        let (op_id, position) = (case.op_id, case.position);
        let void = Void { number, account, period, op_id, position, disposition };
        self.file(case, account, Document::Void(void));
    }

    fn file(&mut self, case: &Case, account: AccountId, document: Document) {
        let (number, step) = (document.number(), case.step);
        self.documents.insert(number, Filed { document, step });
        if let Some(holder) = self.accounts.get_mut(&account) {
            holder.documents.push((step, number));
        }
    }

    /// What the document says as of the history before it.
    fn document(&self, number: DocumentNumber, wanted: Wanted, case: &Case) -> Option<Invoice> {
        let Wanted { account, period, date } = wanted;
        let (opening_register, closing_register) = self.consumption(account, period);
        let prices = Tariff::STANDARD;
        let units = i128::from(closing_register) - i128::from(opening_register);
        let energy = rounded(units * i128::from(prices.energy_rate_micro))?;
        Some(Invoice {
            number,
            account,
            period,
            date,
            op_id: case.op_id,
            position: case.position,
            frontier: self.frontier(),
            tariff: prices.hash(),
            prices,
            opening_register,
            closing_register,
            energy,
            base_fee: prices.base_fee,
            total: energy.checked_add(prices.base_fee)?,
        })
    }

    /// Registers between which an invoice for a month bills now.
    fn consumption(&self, account: AccountId, period: BillingPeriod) -> (u64, u64) {
        let holder = &self.accounts[&account];
        let meter = MeterId(holder.service_point.0);
        let mut readings: Vec<u64> = Vec::new();
        if holder.opened <= period.last_day() {
            let days = (meter, holder.opened)..=(meter, period.last_day());
            readings.extend(self.reads.range(days).map(|(_, read)| read.register));
        }
        let months = (account, BillingPeriod(0))..(account, period);
        let billed = self.effective.range(months).next_back().map(|(_, e)| e.closing_register);
        let opening = billed.or(readings.first().copied()).unwrap_or(0);
        let closing = readings.last().map_or(opening, |last| opening.max(*last));
        (opening, closing)
    }

    /// Whether a meter was read in the time of its account and after the last month billed.
    pub(crate) fn lacks_final_bill(&self, account: AccountId) -> bool {
        let holder = &self.accounts[&account];
        let meter = MeterId(holder.service_point.0);
        let days = (meter, holder.opened)..=(meter, Date(u32::MAX));
        let Some(((_, last_read), _)) = self.reads.range(days).next_back() else { return false };
        let months = (account, BillingPeriod(0))..=(account, BillingPeriod(u16::MAX));
        match self.effective.range(months).next_back() {
            None => true,
            Some(((_, newest), _)) => *last_read > newest.last_day(),
        }
    }
}

/// Millionths of a minor unit, 0 or more, as minor units: to the nearest, ties to even.
fn rounded(micro: i128) -> Option<i64> {
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000);
    let nearest = match rest.cmp(&500_000) {
        Ordering::Less => whole,
        Ordering::Equal => whole + whole % 2,
        Ordering::Greater => whole + 1,
    };
    i64::try_from(nearest).ok()
}

fn counted(document: &Document) -> Option<&Invoice> {
    match document {
        Document::Invoice { invoice, negated_by: None, .. } => Some(invoice),
        Document::Invoice { .. } | Document::Void(_) => None,
    }
}
