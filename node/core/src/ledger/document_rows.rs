//! The rows of documents and their bytes: how far each series is counted, what stands under each
//! number, which documents an account has, and which invoice of a month is not negated.

use super::cache::{TableCache, Tables};
use super::row_codec::{big_endian, cached_in, option, out_of_range};
use super::rows::Row;
use super::store::Table;
use billing_wire::codec::Reader;
use billing_wire::{
    AccountId, BillingPeriod, Date, DecodeError, Disposition, DocumentKind, DocumentNumber,
    Frontier, Hash, Incarnation, OpId, Position, RegionId,
};

/// A series: region, its incarnation, what is numbered.
pub(super) type Series = (RegionId, Incarnation, DocumentKind);

/// How far a series is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesRow {
    /// The last number given.
    pub(super) last: u64,
}

/// What an invoice says beside what every document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvoiceContent {
    /// The history that it is computed from.
    pub(super) frontier: Frontier,
    /// Of the tariff.
    pub(super) tariff: Hash,
    /// Base units.
    pub(super) opening_register: u64,
    /// Base units.
    pub(super) closing_register: u64,
    /// Minor units.
    pub(super) energy: i64,
    /// Minor units.
    pub(super) base_fee: i64,
    /// Minor units.
    pub(super) total: i64,
    /// Of the canonical bytes.
    pub(super) hash: Hash,
    /// Ordinal of the credit note that negates it.
    pub(super) negated_by: Option<u64>,
}

/// An invoice, or the void of a number that no invoice got; by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DocumentRow {
    /// The account that was named.
    pub(super) account: AccountId,
    /// The month that was named.
    pub(super) period: BillingPeriod,
    /// The date on it.
    pub(super) date: Date,
    /// The operation.
    pub(super) op_id: OpId,
    /// The submission.
    pub(super) position: Position,
    /// What became of it.
    pub(super) disposition: Disposition,
    /// What it says; `None` for a void.
    pub(super) content: Option<InvoiceContent>,
}

/// A document of an account, by (account, sequence).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountDocumentRow {
    /// Its number.
    pub(super) number: DocumentNumber,
}

/// Key of the invoice of a month. Orders by account, then from the latest month to the earliest,
/// so that the latest earlier invoice is the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountMonth {
    account: AccountId,
    months_left: u16,
}

impl AccountMonth {
    /// The key of an account's invoice for a month.
    pub(super) fn new(account: AccountId, period: BillingPeriod) -> Self {
        Self { account, months_left: u16::MAX - period.0 }
    }

    /// The month.
    pub(super) fn period(self) -> BillingPeriod {
        BillingPeriod(u16::MAX - self.months_left)
    }

    /// From the month before to the account's first; `None` on the first month of all.
    pub(super) fn earlier(self) -> Option<(Self, Self)> {
        let before = Self { months_left: self.months_left.checked_add(1)?, ..self };
        Some((before, Self { months_left: u16::MAX, ..self }))
    }

    /// From the account's last month to its first.
    pub(super) fn all_of(account: AccountId) -> (Self, Self) {
        (Self { account, months_left: 0 }, Self { account, months_left: u16::MAX })
    }
}

/// The invoice of a month that is not negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EffectiveInvoiceRow {
    /// Its number.
    pub(super) number: DocumentNumber,
    /// Where the consumption that it bills ends, in base units.
    pub(super) closing_register: u64,
}

fn encode_number(number: &DocumentNumber, out: &mut Vec<u8>) {
    out.push(number.region.0);
    out.extend_from_slice(&number.incarnation.0.to_be_bytes());
    out.push(number.kind as u8);
    out.extend_from_slice(&number.ordinal.to_be_bytes());
}

fn decode_series(r: &mut Reader<'_>) -> Result<Series, DecodeError> {
    let (region, incarnation) = (RegionId(r.u8()?), Incarnation(r.u32()?.swap_bytes()));
    let kind = match r.u8()? {
        0 => DocumentKind::Invoice,
        1 => DocumentKind::CreditNote,
        other => return Err(out_of_range("document number", "kind", other, 1)),
    };
    Ok((region, incarnation, kind))
}

fn decode_number(r: &mut Reader<'_>) -> Result<DocumentNumber, DecodeError> {
    let (region, incarnation, kind) = decode_series(r)?;
    Ok(DocumentNumber { region, incarnation, kind, ordinal: big_endian(r)? })
}

impl Row for SeriesRow {
    type Key = Series;
    const TABLE: Table = Table::Series;
    cached_in!(series);

    fn encode_key((region, incarnation, kind): &Series, out: &mut Vec<u8>) {
        out.push(region.0);
        out.extend_from_slice(&incarnation.0.to_be_bytes());
        out.push(*kind as u8);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Series, DecodeError> {
        decode_series(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.last.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { last: r.u64()? })
    }
}

impl InvoiceContent {
    fn encode(&self, out: &mut Vec<u8>) {
        self.frontier.encode(out);
        out.extend_from_slice(&self.tariff);
        out.extend_from_slice(&self.opening_register.to_le_bytes());
        out.extend_from_slice(&self.closing_register.to_le_bytes());
        for amount in [self.energy, self.base_fee, self.total] {
            out.extend_from_slice(&amount.to_le_bytes());
        }
        out.extend_from_slice(&self.hash);
        out.push(self.negated_by.is_some().into());
        if let Some(ordinal) = self.negated_by {
            out.extend_from_slice(&ordinal.to_le_bytes());
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            frontier: Frontier::decode(r)?,
            tariff: r.hash()?,
            opening_register: r.u64()?,
            closing_register: r.u64()?,
            energy: r.i64()?,
            base_fee: r.i64()?,
            total: r.i64()?,
            hash: r.hash()?,
            negated_by: option(r, "credit note", |r| r.u64())?,
        })
    }
}

impl Row for DocumentRow {
    type Key = DocumentNumber;
    const TABLE: Table = Table::Document;
    cached_in!(documents);

    fn encode_key(key: &DocumentNumber, out: &mut Vec<u8>) {
        encode_number(key, out);
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<DocumentNumber, DecodeError> {
        decode_number(r)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&self.period.0.to_le_bytes());
        out.extend_from_slice(&self.date.0.to_le_bytes());
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        self.position.encode(out);
        self.disposition.encode(out);
        out.push(self.content.is_some().into());
        if let Some(content) = &self.content {
            content.encode(out);
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            account: AccountId(r.u64()?),
            period: BillingPeriod(r.u16()?),
            date: Date(r.u32()?),
            op_id: OpId(r.u128()?),
            position: Position::decode(r)?,
            disposition: Disposition::decode(r)?,
            content: option(r, "content", InvoiceContent::decode)?,
        })
    }
}

impl Row for AccountDocumentRow {
    type Key = (AccountId, u64);
    const TABLE: Table = Table::AccountDocument;
    cached_in!(account_documents);

    fn encode_key((account, sequence): &Self::Key, out: &mut Vec<u8>) {
        out.extend_from_slice(&account.0.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<Self::Key, DecodeError> {
        Ok((AccountId(big_endian(r)?), big_endian(r)?))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_number(&self.number, out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: decode_number(r)? })
    }
}

impl Row for EffectiveInvoiceRow {
    type Key = AccountMonth;
    const TABLE: Table = Table::EffectiveInvoice;
    cached_in!(effective_invoices);

    fn encode_key(key: &AccountMonth, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.account.0.to_be_bytes());
        out.extend_from_slice(&key.months_left.to_be_bytes());
    }
    fn decode_key(r: &mut Reader<'_>) -> Result<AccountMonth, DecodeError> {
        Ok(AccountMonth { account: AccountId(big_endian(r)?), months_left: r.u16()?.swap_bytes() })
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_number(&self.number, out);
        out.extend_from_slice(&self.closing_register.to_le_bytes());
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: decode_number(r)?, closing_register: r.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::row_round_trips::{keys_order_as_bytes, position, survives};
    use super::*;
    use billing_wire::DenyReason;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = DocumentNumber> {
        let kind = prop::sample::select(vec![DocumentKind::Invoice, DocumentKind::CreditNote]);
        (0..5_u8, 0..3_u32, kind, any::<u64>()).prop_map(|(region, incarnation, kind, ordinal)| {
            let (region, incarnation) = (RegionId(region), Incarnation(incarnation));
            DocumentNumber { region, incarnation, kind, ordinal }
        })
    }

    proptest! {
        #[test]
        fn rows_survive(number in number(), position in position(), a: u64, b: u64, month: u16,
            day: u32, amount: i64, negated_by: Option<u64>, frontier: [u64; 5])
        {
            let (account, period) = (AccountId(a), BillingPeriod(month));
            survives((number.region, number.incarnation, number.kind), SeriesRow { last: a });
            survives((account, b), AccountDocumentRow { number });
            let effective = EffectiveInvoiceRow { number, closing_register: b };
            survives(AccountMonth::new(account, period), effective);
            let content = InvoiceContent {
                frontier: Frontier(frontier), tariff: [a as u8; 32], opening_register: a,
                closing_register: b, energy: amount, base_fee: 1, total: !amount,
                hash: [b as u8; 32], negated_by,
            };
            let (op_id, date) = (OpId(a.into()), Date(day));
            let (applied, reason) = (Disposition::Applied, DenyReason::OverPaid);
            let document = DocumentRow {
                account, period, date, op_id, position, disposition: applied,
                content: Some(content),
            };
            survives(number, document);
            let disposition = Disposition::Denied { reason };
            survives(number, DocumentRow { disposition, content: None, ..document });
        }

        #[test]
        fn byte_order_is_key_order(x in number(), y in number(), a in 0..3_u64, b in 0..3_u64,
            m: u16, n: u16)
        {
            keys_order_as_bytes::<DocumentRow>(x, y);
            let series = |n: DocumentNumber| (n.region, n.incarnation, n.kind);
            keys_order_as_bytes::<SeriesRow>(series(x), series(y));
            let (a, b) = (AccountId(a), AccountId(b));
            keys_order_as_bytes::<AccountDocumentRow>((a, m.into()), (b, n.into()));
            let month = |account, n| AccountMonth::new(account, BillingPeriod(n));
            keys_order_as_bytes::<EffectiveInvoiceRow>(month(a, m), month(b, n));
        }
    }

    #[test]
    fn later_months_come_first() {
        let month = |n| AccountMonth::new(AccountId(1), BillingPeriod(n));
        assert!(month(5) < month(4) && month(4) < month(0));
        assert_eq!(month(5).earlier(), Some((month(4), month(0))));
        assert_eq!(month(0).earlier(), None);
        assert_eq!(month(7).period(), BillingPeriod(7));
        assert_eq!(AccountMonth::all_of(AccountId(1)), (month(u16::MAX), month(0)));
    }
}
