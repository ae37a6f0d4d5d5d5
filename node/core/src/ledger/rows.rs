//! The rows of the ledger as typed values. How they are written is in `row_codec`; what they
//! are booked by is in the modules of their nouns.

use super::cache::{TableCache, Tables};
use super::store::Table;
use billing_wire::codec::Reader;
use billing_wire::{
    AccountId, Date, DecodeError, Disposition, Hash, Hlc, MeterId, OpId, Position, ReadQuality,
    RegionId, ServicePointId,
};

/// A kind of row: its table, its key, its codec, and where its cache is.
pub(super) trait Row: Copy + Eq + Send + 'static {
    /// Orders as its bytes do.
    type Key: Copy + Ord + Send + 'static;
    /// Where rows of this kind are kept.
    const TABLE: Table;
    /// Appends the key's bytes.
    fn encode_key(key: &Self::Key, out: &mut Vec<u8>);
    /// Reads a key; trailing bytes are the caller's to refuse.
    fn decode_key(r: &mut Reader<'_>) -> Result<Self::Key, DecodeError>;
    /// Appends the value's bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads a value; trailing bytes are the caller's to refuse.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// The cache of this kind.
    fn cache(tables: &Tables) -> &TableCache<Self>;
    /// The cache of this kind, to change.
    fn cache_mut(tables: &mut Tables) -> &mut TableCache<Self>;
}

/// An open account, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountRow {
    /// Minor units; what the customer owes is positive.
    pub(super) balance: i64,
    /// How many history items there are.
    pub(super) items: u64,
    /// Where it is supplied.
    pub(super) service_point: ServicePointId,
    /// Since when.
    pub(super) opened: Date,
    /// From when on it is closed.
    pub(super) closed: Option<Date>,
    /// How many documents there are.
    pub(super) documents: u64,
}

/// Which account a service point supplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServicePointRow {
    /// The account.
    pub(super) account: AccountId,
}

/// Where a payment's money lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the account.
    Account = 0,
    /// In suspense until the account is opened.
    SuspenseWaiting = 1,
    /// In suspense for a person.
    Suspense = 2,
}

/// What a payment booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PaymentEffect {
    /// Whom the payer named.
    pub(super) account: AccountId,
    /// Minor units, positive.
    pub(super) amount: i64,
    /// Where the money lies, or lay until it was reversed.
    pub(super) place: Place,
    /// The reversal that took it back.
    pub(super) reversed_by: Option<Position>,
    /// Refunds of it that were granted, in minor units.
    pub(super) granted: i64,
}

impl PaymentEffect {
    /// What a reversal has left of it, in minor units.
    pub(super) fn left(&self) -> i64 {
        if self.reversed_by.is_some() { 0 } else { self.amount }
    }
}

/// The first submission of an operation, by `op_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OperationRow {
    /// Of its body.
    pub(super) fingerprint: Hash,
    /// Where it stands.
    pub(super) position: Position,
    /// What became of it.
    pub(super) disposition: Disposition,
    /// What it booked, if it was a payment that booked something.
    pub(super) payment: Option<PaymentEffect>,
}

/// Something that happened to an account, by (account, sequence).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistoryRow {
    /// The submission that caused it.
    pub(super) position: Position,
    /// Its operation.
    pub(super) op_id: OpId,
    /// The date of the command that booked it.
    pub(super) date: Date,
    /// Change of the balance in minor units.
    pub(super) amount: i64,
    /// Balance afterwards in minor units.
    pub(super) balance: i64,
}

/// A payment that waits in suspense for its account, by (account, position).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SuspenseRow {
    /// The payment.
    pub(super) op_id: OpId,
}

impl SuspenseRow {
    /// First and last key that an account can have.
    pub(super) fn keys_of(account: AccountId) -> (<Self as Row>::Key, <Self as Row>::Key) {
        let last = Position {
            hlc: Hlc(u64::MAX),
            region: RegionId(u8::MAX),
            index: u64::MAX,
            offset: u16::MAX,
        };
        ((account, Position::default()), (account, last))
    }
}

/// A reversal that waits for its payment, by the payment's `op_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParkedRow {
    /// The reversal's operation.
    pub(super) op_id: OpId,
    /// Where the reversal stands.
    pub(super) position: Position,
    /// Minor units, positive.
    pub(super) amount: i64,
}

/// Key of a reading. Orders by meter, then from the latest day to the earliest, so that the
/// latest earlier reading is the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MeterDay {
    /// The meter.
    pub(super) meter: MeterId,
    pub(super) days_left: u32,
}

impl MeterDay {
    /// The key of a meter's reading of a day.
    pub(super) fn new(meter: MeterId, date: Date) -> Self {
        Self { meter, days_left: u32::MAX - date.0 }
    }

    /// The day.
    pub(super) fn date(self) -> Date {
        Date(u32::MAX - self.days_left)
    }

    /// The key of the day before; `None` on the first day of all.
    pub(super) fn day_before(self) -> Option<Self> {
        Some(Self { days_left: self.days_left.checked_add(1)?, ..self })
    }

    /// The meter's first day: behind every other key of the meter.
    pub(super) fn first_day(self) -> Self {
        Self { days_left: u32::MAX, ..self }
    }
}

/// The best reading of a meter on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MeterReadRow {
    /// Base units.
    pub(super) register: u64,
    /// How it was obtained.
    pub(super) quality: ReadQuality,
    /// Whether a person should look at it.
    pub(super) flagged: bool,
    /// The submission that brought it.
    pub(super) position: Position,
}
