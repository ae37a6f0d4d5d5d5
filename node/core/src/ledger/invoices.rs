//! Invoices: every submission of one takes the next number of its region's series, and what is
//! on the document is a function of the history before it (billing.md §6).
//!
//! The first invoice of an account for a month is effective. A later one is issued too, since its
//! number is out, and negated at once by a credit note. A number whose submission was denied or a
//! duplicate is a void: it is on record, so that the series has no gap.

use super::document_rows::{
    AccountDocumentRow, AccountMonth, DocumentRow, EffectiveInvoiceRow, InvoiceContent, SeriesRow,
};
use super::fold::{Booking, denied};
use super::rows::{AccountRow, MeterDay, MeterReadRow};
use super::store::StoreError;
use crate::{canary, sometimes};
use billing_wire::{
    AccountId, BillingPeriod, Date, DenyReason, Disposition, DocumentKind, DocumentNumber, Invoice,
    LedgerCode, MeterId, RegionId, Tariff,
};
use std::cmp::Ordering;

/// Micro units in a unit.
const MICRO: i128 = 1_000_000;

/// Where the billed consumption starts and ends, in base units.
struct Registers {
    opening: u64,
    closing: u64,
}

impl Booking<'_> {
    /// The next number of a series of this region.
    pub(super) fn take_number(&mut self, kind: DocumentKind) -> Result<DocumentNumber, StoreError> {
        let (region, incarnation) = (self.position.region, self.incarnation);
        let shared = canary!("numbering-from-a-counter");
        let series = (if shared { RegionId(0) } else { region }, incarnation, kind);
        let ordinal = self.state.get::<SeriesRow>(&series)?.map_or(0, |row| row.last) + 1;
        self.state.put(series, SeriesRow { last: ordinal });
        Ok(DocumentNumber { region, incarnation, kind, ordinal })
    }

    pub(super) fn issue_invoice(
        &mut self,
        number: DocumentNumber,
        (account, period, date): (AccountId, BillingPeriod, Date),
    ) -> Result<Disposition, StoreError> {
        let Some(mut row) = self.state.get::<AccountRow>(&account)? else {
            return Ok(denied(DenyReason::UnknownAccount));
        };
        if row.closed.is_some() {
            sometimes!("invoice-after-closing");
            return Ok(denied(DenyReason::AccountClosed));
        }
        let month = AccountMonth::new(account, period);
        let effective = self.state.get::<EffectiveInvoiceRow>(&month)?;
        let elsewhere = |row: &EffectiveInvoiceRow| row.number.region != self.position.region;
        let effective =
            effective.filter(|row| !(canary!("month-billed-elsewhere") && elsewhere(row)));
        let registers = self.billed_registers(&row, month)?;
        let Some(mut invoice) = self.invoice(number, (account, period, date), &registers) else {
            return Ok(denied(DenyReason::Overflow));
        };
        row.documents += 1;
        if self.change_balance(account, &mut row, invoice.total, self.op_id).is_err() {
            return Ok(denied(DenyReason::Overflow));
        }
        let total = invoice.total;
        self.line_pair(LedgerCode::RECEIVABLE, LedgerCode::REVENUE, total, Some(account));
        let mut negated_by = None;
        let disposition = if let Some(winner) = effective {
            sometimes!("invoice-compensated");
            match winner.number.region.cmp(&number.region) {
                Ordering::Less => sometimes!("month-billed-by-a-lower-region"),
                Ordering::Greater => sometimes!("month-billed-by-a-higher-region"),
                Ordering::Equal => {}
            }
            negated_by = Some(self.take_number(DocumentKind::CreditNote)?.ordinal);
            let back = self.change_balance(account, &mut row, -total, self.op_id);
            assert!(back.is_ok(), "the balance goes back to what it was");
            self.line_pair(LedgerCode::REVENUE, LedgerCode::RECEIVABLE, total, Some(account));
            Disposition::Compensated { by: self.position }
        } else {
            sometimes!("invoice-issued");
            let closing_register = registers.closing;
            self.state.put(month, EffectiveInvoiceRow { number, closing_register });
            Disposition::Applied
        };
        let hash = invoice.hash();
        if canary!("document-changed-after-its-hash") {
            invoice.base_fee += 1;
        }
        let content = InvoiceContent {
            frontier: invoice.frontier,
            tariff: invoice.tariff,
            opening_register: invoice.opening_register,
            closing_register: invoice.closing_register,
            energy: invoice.energy,
            base_fee: invoice.base_fee,
            total,
            hash,
            negated_by,
        };
        self.file(number, (account, period, date), disposition, Some(content));
        self.state.put((account, row.documents), AccountDocumentRow { number });
        Ok(disposition)
    }

    /// Puts a number on record that no invoice got.
    pub(super) fn void(
        &mut self,
        number: DocumentNumber,
        (account, period, date): (AccountId, BillingPeriod, Date),
        disposition: Disposition,
    ) -> Result<(), StoreError> {
        sometimes!("invoice-void");
        self.file(number, (account, period, date), disposition, None);
        if let Some(mut row) = self.state.get::<AccountRow>(&account)? {
            row.documents += 1;
            self.state.put((account, row.documents), AccountDocumentRow { number });
            self.state.put(account, row);
        }
        Ok(())
    }

    fn file(
        &mut self,
        number: DocumentNumber,
        (account, period, date): (AccountId, BillingPeriod, Date),
        disposition: Disposition,
        content: Option<InvoiceContent>,
    ) {
        let (op_id, position) = (self.op_id, self.position);
        let row = DocumentRow { account, period, date, op_id, position, disposition, content };
        self.state.put(number, row);
    }

    /// From the end of the latest earlier invoice, or the account's first reading, to its last
    /// reading of the month or before. A register that fell bills nothing, and nothing twice when
    /// it rises again.
    fn billed_registers(
        &self,
        row: &AccountRow,
        month: AccountMonth,
    ) -> Result<Registers, StoreError> {
        let mut last_day = month.period().last_day();
        if canary!("invoice-reads-beyond-its-month") {
            last_day.0 += 31;
        }
        let meter = MeterId(row.service_point.0);
        let (last, first) = (MeterDay::new(meter, last_day), MeterDay::new(meter, row.opened));
        let has_days = row.opened <= last_day;
        let reading = match has_days {
            true => self.state.first::<MeterReadRow>(last, first)?,
            false => None,
        };
        let earlier = match month.earlier() {
            Some((from, to)) => self.state.first::<EffectiveInvoiceRow>(from, to)?,
            None => None,
        };
        let opening = match (earlier, reading) {
            (Some((_, invoice)), _) => invoice.closing_register,
            (None, Some(_)) => {
                let first = self.state.last::<MeterReadRow>(last, first)?;
                first.map_or(0, |(_, first)| first.register)
            }
            (None, None) => 0,
        };
        let closing = reading.map_or(opening, |(_, last)| last.register.max(opening));
        Ok(Registers { opening, closing })
    }

    /// The document; `None` when an amount does not fit.
    fn invoice(
        &self,
        number: DocumentNumber,
        (account, period, date): (AccountId, BillingPeriod, Date),
        registers: &Registers,
    ) -> Option<Invoice> {
        let prices = Tariff::STANDARD;
        let units = i128::from(registers.closing - registers.opening);
        let energy = half_even(units.checked_mul(prices.energy_rate_micro.into())?);
        let energy = i64::try_from(energy).ok()?;
        Some(Invoice {
            number,
            account,
            period,
            date,
            op_id: self.op_id,
            position: self.position,
            frontier: self.before,
            tariff: prices.hash(),
            prices,
            opening_register: registers.opening,
            closing_register: registers.closing,
            energy,
            base_fee: prices.base_fee,
            total: energy.checked_add(prices.base_fee)?,
        })
    }
}

/// Rounds micro units to units, a half to the even neighbour.
fn half_even(micro: i128) -> i128 {
    let (below, rest) = (micro.div_euclid(MICRO), micro.rem_euclid(MICRO));
    let up = rest * 2 > MICRO || (rest * 2 == MICRO && below % 2 != 0);
    below + i128::from(up)
}

#[cfg(test)]
mod tests {
    use super::half_even;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let half = 500_000;
        for (micro, expected) in [
            (0, 0),
            (half - 1, 0),
            (half, 0),
            (half + 1, 1),
            (3 * half - 1, 1),
            (3 * half, 2),
            (5 * half, 2),
            (5 * half + 1, 3),
            (i128::from(u64::MAX) * 1_000_000, i128::from(u64::MAX)),
        ] {
            assert_eq!(half_even(micro), expected, "{micro}");
        }
    }
}
