//! Documents: how an invoice is numbered and what it says, byte for byte. What it must say is
//! decided by the fold.

use crate::billing_period::BillingPeriod;
use crate::ids::{AccountId, Date, Frontier, Hash, Incarnation, OpId, Position, RegionId};
use crate::outcome::Disposition;
use serde::{Deserialize, Serialize};

/// What a document is; each kind is numbered apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// An invoice, or the void of a number that no invoice got.
    Invoice = 0,
    /// What negates an invoice.
    CreditNote = 1,
}

impl DocumentKind {
    const ALL: [(Self, &'static str); 2] = [(Self::Invoice, "INV"), (Self::CreditNote, "CRN")];
}

/// A number of a series: series are per region, incarnation and kind, each counts from 1 without
/// a gap (billing.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentNumber {
    /// The region whose log holds the submission.
    pub region: RegionId,
    /// That region's incarnation.
    pub incarnation: Incarnation,
    /// What the document is.
    pub kind: DocumentKind,
    /// Place in the series, from 1.
    pub ordinal: u64,
}

impl DocumentNumber {
    /// As it is printed: `EAST-INV-000123`, and of a later incarnation `EAST-INV-1.000123`.
    pub fn text(&self, region_name: &str) -> String {
        let name = region_name.to_uppercase();
        let kind = DocumentKind::ALL[self.kind as usize].1;
        match self.incarnation.0 {
            0 => format!("{name}-{kind}-{:06}", self.ordinal),
            n => format!("{name}-{kind}-{n}.{:06}", self.ordinal),
        }
    }

    /// Reads a number as it is printed; `region_of` knows the regions by their upper-case names.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str, region_of: impl Fn(&str) -> Option<RegionId>) -> Result<Self, String> {
        let read = || {
            let (series, place) = text.rsplit_once('-')?;
            let (name, kind) = series.rsplit_once('-')?;
            let (kind, _) = DocumentKind::ALL.into_iter().find(|(_, word)| *word == kind)?;
            let (incarnation, ordinal) = place.split_once('.').unwrap_or(("0", place));
            let incarnation = Incarnation(incarnation.parse().ok()?);
            let (region, ordinal) = (region_of(name)?, ordinal.parse().ok()?);
            let number = Self { region, incarnation, kind, ordinal };
            (number.text(name) == text).then_some(number)
        };
        read().ok_or_else(|| {
            format!("'{text}' is no number of a document here: one like EAST-INV-000123 expected")
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.region.0, self.kind as u8]);
        out.extend_from_slice(&self.incarnation.0.to_le_bytes());
        out.extend_from_slice(&self.ordinal.to_le_bytes());
    }
}

/// Prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tariff {
    /// Millionths of a minor unit per base unit of consumption.
    pub energy_rate_micro: u64,
    /// Minor units per invoice.
    pub base_fee: i64,
}

impl Tariff {
    /// The one tariff of this release: 0.30 per kWh and 9.90 a month.
    pub const STANDARD: Self = Self { energy_rate_micro: 30_000, base_fee: 990 };

    /// What a document records of its tariff.
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("billsim 2026 tariff");
        hasher.update(&self.energy_rate_micro.to_le_bytes());
        hasher.update(&self.base_fee.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// An issued invoice. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its number.
    pub number: DocumentNumber,
    /// The account.
    pub account: AccountId,
    /// The month.
    pub period: BillingPeriod,
    /// The date on it.
    pub date: Date,
    /// The operation that issued it.
    pub op_id: OpId,
    /// Where that stands.
    pub position: Position,
    /// The history that it is computed from: entries per region before its own.
    pub frontier: Frontier,
    /// [`Tariff::hash`] of the prices.
    pub tariff: Hash,
    /// The prices.
    pub prices: Tariff,
    /// Register where the billed consumption starts, in base units.
    pub opening_register: u64,
    /// Register where it ends; at least `opening_register`.
    pub closing_register: u64,
    /// The line for the consumption, in minor units.
    pub energy: i64,
    /// The line for the month, in minor units.
    pub base_fee: i64,
    /// Sum of the lines, in minor units.
    pub total: i64,
}

impl Invoice {
    /// Billed consumption in base units.
    pub fn units(&self) -> u64 {
        self.closing_register.saturating_sub(self.opening_register)
    }

    /// Hash of the canonical bytes.
    pub fn hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(256);
        self.encode(&mut bytes);
        let mut hasher = blake3::Hasher::new_derive_key("billsim 2026 invoice");
        hasher.update(&bytes);
        *hasher.finalize().as_bytes()
    }

    /// Appends the canonical bytes.
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&self.period.0.to_le_bytes());
        out.extend_from_slice(&self.date.0.to_le_bytes());
        out.extend_from_slice(&self.op_id.0.to_le_bytes());
        self.position.encode(out);
        self.frontier.encode(out);
        out.extend_from_slice(&self.tariff);
        out.extend_from_slice(&self.prices.energy_rate_micro.to_le_bytes());
        out.extend_from_slice(&self.prices.base_fee.to_le_bytes());
        out.extend_from_slice(&self.opening_register.to_le_bytes());
        out.extend_from_slice(&self.closing_register.to_le_bytes());
        for amount in [self.energy, self.base_fee, self.total] {
            out.extend_from_slice(&amount.to_le_bytes());
        }
    }
}

/// A number that no invoice got: what was submitted was denied or a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// The number.
    pub number: DocumentNumber,
    /// The account that was named.
    pub account: AccountId,
    /// The month that was named.
    pub period: BillingPeriod,
    /// The operation.
    pub op_id: OpId,
    /// Where this submission of it stands.
    pub position: Position,
    /// What became of this submission.
    pub disposition: Disposition,
}

/// What stands under a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    /// An invoice.
    Invoice {
        /// What it says.
        invoice: Invoice,
        /// [`Invoice::hash`] as it was when it was issued.
        hash: Hash,
        /// The credit note that negates it, if the month was billed before.
        negated_by: Option<DocumentNumber>,
    },
    /// Nothing, and why.
    Void(Void),
}

impl Document {
    /// Its number.
    pub fn number(&self) -> DocumentNumber {
        match self {
            Self::Invoice { invoice, .. } => invoice.number,
            Self::Void(void) => void.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(incarnation: u32, kind: DocumentKind, ordinal: u64) -> DocumentNumber {
        let incarnation = Incarnation(incarnation);
        DocumentNumber { region: RegionId(1), incarnation, kind, ordinal }
    }

    fn region_of(name: &str) -> Option<RegionId> {
        (name == "US-WEST").then_some(RegionId(1))
    }

    #[test]
    fn numbers_read_back() {
        for (number, text) in [
            (number(0, DocumentKind::Invoice, 123), "US-WEST-INV-000123"),
            (number(3, DocumentKind::CreditNote, 1), "US-WEST-CRN-3.000001"),
            (number(0, DocumentKind::Invoice, 12_345_678), "US-WEST-INV-12345678"),
        ] {
            assert_eq!(number.text("us-west"), text);
            assert_eq!(DocumentNumber::parse(text, region_of), Ok(number));
        }
        for text in ["", "INV-000001", "EAST-INV-000001", "US-WEST-INV-1", "US-WEST-BILL-000001"] {
            let error = DocumentNumber::parse(text, region_of).unwrap_err();
            assert!(error.starts_with(&format!("'{text}' is no number")), "{error}");
        }
    }

    fn invoice() -> Invoice {
        Invoice {
            number: number(0, DocumentKind::Invoice, 1),
            account: AccountId(1),
            period: BillingPeriod(2),
            date: Date(3),
            op_id: OpId(4),
            position: Position::default(),
            frontier: Frontier::default(),
            tariff: Tariff::STANDARD.hash(),
            prices: Tariff::STANDARD,
            opening_register: 5,
            closing_register: 6,
            energy: 7,
            base_fee: 8,
            total: 15,
        }
    }

    /// Bytes that were issued once are the same for ever.
    #[test]
    fn the_hash_of_an_invoice_is_fixed_and_covers_every_field() {
        let hex =
            |hash: Hash| hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        insta::assert_snapshot!(hex(invoice().hash()), @"dcdfee35a8774d2a");
        let changes: [fn(&mut Invoice); 16] = [
            |i| i.number.region.0 = 0,
            |i| i.number.incarnation.0 = 1,
            |i| i.number.kind = DocumentKind::CreditNote,
            |i| i.number.ordinal = 2,
            |i| i.account.0 = 2,
            |i| i.period.0 = 3,
            |i| i.date.0 = 4,
            |i| i.op_id.0 = 5,
            |i| i.position.index = 1,
            |i| i.frontier.0[4] = 1,
            |i| i.tariff[31] ^= 1,
            |i| i.prices.base_fee = 1,
            |i| i.opening_register = 4,
            |i| i.closing_register = 7,
            |i| i.energy = 8,
            |i| i.base_fee = 9,
        ];
        for change in changes {
            let mut other = invoice();
            change(&mut other);
            assert_ne!(other.hash(), invoice().hash(), "{other:?}");
        }
    }
}
