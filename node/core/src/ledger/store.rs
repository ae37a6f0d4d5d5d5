//! What the fold needs of a database: point and range reads, and a batch of rows to commit. The
//! shell implements it; the core never learns on what.

use thiserror::Error;

/// A table of the ledger database. Keys and values are bytes that `ledger::rows` defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Frontier, watermark, chain, state hash: one row, key empty.
    Meta = 0,
    /// Accounts by number.
    Account = 1,
    /// Account by service point.
    ServicePoint = 2,
    /// Operations by `op_id`: fingerprint, position, disposition, what a payment booked.
    Operation = 3,
    /// History items by (account, sequence).
    History = 4,
    /// Money in suspense, by (account, position).
    Suspense = 5,
    /// Reversals that wait for their payment, by the payment's `op_id`.
    Parked = 6,
    /// Best read by (meter, date).
    MeterRead = 7,
    /// Sums of the general ledger by code.
    Total = 8,
    /// Money in suspense with its reason, by position.
    SuspenseItem = 9,
    /// Refunds that were granted, by `op_id`.
    Refund = 10,
    /// Refunds that wait for their payout, by the position of the grant.
    Outbox = 11,
    /// How far each series of documents is counted, by (region, incarnation, kind).
    Series = 12,
    /// Invoices and voids by number.
    Document = 13,
    /// Numbers of an account's documents by (account, sequence).
    AccountDocument = 14,
    /// Invoices that are not negated, by (account, month), the latest month first.
    EffectiveInvoice = 15,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 16] = [
        Self::Meta,
        Self::Account,
        Self::ServicePoint,
        Self::Operation,
        Self::History,
        Self::Suspense,
        Self::Parked,
        Self::MeterRead,
        Self::Total,
        Self::SuspenseItem,
        Self::Refund,
        Self::Outbox,
        Self::Series,
        Self::Document,
        Self::AccountDocument,
        Self::EffectiveInvoice,
    ];
}

/// The database cannot answer: a block does not verify, or the disk failed. The node halts,
/// the database is set aside and rebuilt from the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("ledger database: {0}; it will be set aside and rebuilt from the log")]
pub struct StoreError(pub String);

/// Read access to the committed rows.
pub trait LedgerStore: Send {
    /// The value of a key.
    ///
    /// # Errors
    /// When the database cannot be believed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits rows with `from <= key < to` in key order until `visit` returns `false`.
    ///
    /// # Errors
    /// When the database cannot be believed.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// Number of rows over all tables.
    ///
    /// # Errors
    /// When the database cannot be believed.
    fn rows(&self) -> Result<u64, StoreError>;
}

/// The store of a ledger that starts from nothing: no rows, whatever is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmptyStore;

impl LedgerStore for EmptyStore {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: Table,
        _: &[u8],
        _: &[u8],
        _: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn rows(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// One changed row: table, key, new value or `None` for a removal.
pub type RowChange = (Table, Box<[u8]>, Option<Box<[u8]>>);

/// Rows that are committed together: all of them or none, the meta row among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerBatch {
    /// The changes; each key at most once.
    pub changes: Vec<RowChange>,
}
