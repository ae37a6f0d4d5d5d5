//! The ledger: a pure fold of the merged order into rows, kept in memory and committed in
//! batches to a database that can be thrown away.
//!
//! [`Ledger::apply`] folds one record at a time; the order in which the records come *is* the
//! merged order, and whoever calls decides it. Everything that the fold decides goes into the
//! [`OutcomeChain`], everything that it keeps into the state hash, so that two replicas are
//! compared with two integers. Grades, answers and consensus are not known here.
//!
//! The booking rules, each in the module of its noun; debit first, as in the journal. Before all
//! of them: an operation that came before with the same body is a duplicate of it, with another
//! body an intent is denied and a fact redirected; a value out of range denies or redirects.
//!
//! | command | applied | otherwise |
//! |---|---|---|
//! | OpenAccount | history 0, then sweeps: suspense, receivable | number or service point taken |
//! | CloseAccount | history 0; its service point is free | unknown, closed, a reading unbilled |
//! | RecordPayment | cash, receivable | cash, suspense: unknown (waits), closed, overflow |
//! | ReversePayment | from where it lies to cash | suspense, cash: not seen, not that payment |
//! | RequestRefund | receivable, refunds payable; to the outbox | no payment, over paid, overflow |
//! | ConfirmPayout | refunds payable, cash; out of the outbox | suspense, cash: not that refund |
//! | PostAdjustment | by reason | unknown, closed, over the limit, overflow |
//! | IssueInvoice | receivable, revenue | unknown, closed, overflow: the number is void |
//! | the month is billed | the same and back: compensated | |
//! | RecordRead | best reading of meter and day | |

mod accounts;
mod adjustments;
pub mod admission;
mod cache;
mod document_rows;
mod fold;
mod invoices;
mod meta;
mod meter_reads;
mod payments;
mod provisional;
mod queries;
mod refunds;
mod row_codec;
#[cfg(test)]
mod row_round_trips;
mod rows;
mod state;
pub mod store;
mod suspense;
mod totals;
mod undo;
mod waiting_rows;

use crate::canary;
use billing_wire::{
    AccountId, Control, Disposition, DocumentNumber, Frontier, Hash, Hlc, Incarnation, JournalLine,
    OpId, OutboxPage, OutcomeChain, Position, Query, QueryResult, RecordView, RegionId,
};
use meta::Meta;
pub use provisional::SetAside;
use provisional::{Provisional, Stand};
use rows::OperationRow;
use state::State;
use store::{LedgerBatch, LedgerStore, StoreError};
use waiting_rows::OutboxRow;

/// What is known of an operation: its first submission in merged order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Of the first submission's body.
    pub fingerprint: Hash,
    /// Where the first submission stands.
    pub position: Position,
    /// What became of it.
    pub disposition: Disposition,
}

/// What a number of an invoice series stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Where the number was given.
    pub position: Position,
    /// The operation that asked for an invoice.
    pub op_id: OpId,
    /// The account that it named.
    pub account: AccountId,
    /// What the invoice asks for, in minor units; `None` for a void, and where a credit note
    /// negates it.
    pub total: Option<i64>,
}

/// The fold of the merged order up to a frontier.
pub struct Ledger {
    state: State,
    frontier: Frontier,
    watermark: Hlc,
    chain: OutcomeChain,
    // Journal lines of the submission that is being folded; kept for its memory.
    lines: Vec<JournalLine>,
    dirty_submissions: usize,
    batch_open: bool,
    provisional: Provisional,
    named: Frontier,
}

impl Ledger {
    /// A ledger over the committed rows of a database: it stands where the last batch left it.
    /// `cache_rows` bounds the clean rows in memory; up to so many rows, all are read at once and
    /// the database is not asked again.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn open(cache_rows: usize, store: Box<dyn LedgerStore>) -> Result<Self, StoreError> {
        let meta = Meta::open(&*store)?;
        Ok(Self {
            state: State::open(cache_rows, store, meta.state_hash)?,
            frontier: meta.frontier,
            watermark: meta.watermark,
            chain: meta.chain,
            lines: Vec::with_capacity(16),
            dirty_submissions: 0,
            batch_open: false,
            provisional: Provisional::new(Stand {
                frontier: meta.frontier,
                chain: meta.chain,
                state_hash: meta.state_hash,
            }),
            named: Frontier::default(),
        })
    }

    /// Folds the next record in merged order. Kinds that carry no submissions only move the
    /// frontier. About 2 µs per submission.
    ///
    /// # Errors
    /// When the database cannot be believed; the ledger may be halfway through the record then
    /// and must be dropped.
    ///
    /// # Panics
    /// When the record is not the next one of its region log, or something provisional was folded.
    pub fn apply(&mut self, record: &RecordView<'_>) -> Result<(), StoreError> {
        assert!(self.provisional.is_empty(), "what is final goes below what is provisional");
        self.apply_record(record)?;
        self.state.trim();
        Ok(())
    }

    fn apply_record(&mut self, record: &RecordView<'_>) -> Result<(), StoreError> {
        let header = &record.header;
        let mut place = *header;
        if canary!("readmitted-at-its-old-place")
            && let Control::Readmitted(origin) = record.control()
        {
            (place.index, place.hlc) = (origin.index, origin.hlc);
        }
        let next = self.frontier.of(header.region) + 1;
        assert_eq!(header.index, next, "the fold takes region log {} in order", header.region);
        if header.kind.has_submissions() {
            for submission in record.submissions() {
                let submission = submission.expect("a view is decoded as a whole before");
                self.fold(&place, &submission)?;
            }
            self.dirty_submissions += usize::from(record.count);
        }
        self.frontier.set(header.region, header.index);
        Ok(())
    }

    /// How far each region log is folded for good.
    pub fn frontier(&self) -> Frontier {
        self.provisional.settled().map_or(self.frontier, |settled| settled.frontier)
    }

    /// Finality watermark: nothing at or below it can change.
    pub fn watermark(&self) -> Hlc {
        self.watermark
    }

    /// Raises the watermark; one that is not above is ignored, as it never falls.
    pub fn set_watermark(&mut self, watermark: Hlc) {
        if canary!("watermark-follows-the-clock") {
            self.watermark = watermark;
        }
        self.watermark = self.watermark.max(watermark);
    }

    /// The chain over every decision up to the frontier.
    pub fn outcome_chain(&self) -> OutcomeChain {
        self.provisional.settled().map_or(self.chain, |settled| settled.chain)
    }

    /// Sum of the hashes of every row but meta up to the frontier: equal rows, equal hash, however
    /// they came about.
    pub fn state_hash(&self) -> u128 {
        self.provisional.settled().map_or_else(|| self.state.hash(), |settled| settled.state_hash)
    }

    /// What is known of an operation, or `None` up to this frontier.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn operation(&self, op_id: OpId) -> Result<Option<Operation>, StoreError> {
        let row = self.state.peek::<OperationRow>(&op_id)?;
        Ok(row.map(|OperationRow { fingerprint, position, disposition, .. }| Operation {
            fingerprint,
            position,
            disposition,
        }))
    }

    /// Answers a query from the fold of this frontier.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn query(&self, query: &Query) -> Result<QueryResult, StoreError> {
        queries::answer(&self.state, self.watermark, query)
    }

    /// Refunds that were granted behind a position and whose payout is not confirmed, at most
    /// `limit`. One is final when its position is at or below [`Self::watermark`]: no payout may
    /// leave before (billing.md §4).
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn outbox(&self, after: Position, limit: u16) -> Result<OutboxPage, StoreError> {
        queries::outbox(&self.state, after, limit)
    }

    /// Whether the refund that was granted at a position waits for its payout.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn is_due(&self, granted_at: Position) -> Result<bool, StoreError> {
        Ok(self.state.peek::<OutboxRow>(&granted_at)?.is_some())
    }

    /// The invoice series of a region: of each incarnation, the last number that is given.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn invoice_series(&self, region: RegionId) -> Result<Vec<(Incarnation, u64)>, StoreError> {
        queries::invoice_series(&self.state, region)
    }

    /// What a number of an invoice series stands for; `None` when it is not given.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn numbered(&self, number: DocumentNumber) -> Result<Option<Numbered>, StoreError> {
        queries::numbered(&self.state, number)
    }

    /// The highest entry of each region that was named as the first of a duplicate in *another*
    /// region's log, since this node started: whoever sent the duplicate waits until that entry is
    /// safe. A hint and no part of the fold: what is taken back stays named.
    pub fn named_elsewhere(&self) -> Frontier {
        self.named
    }

    /// Submissions folded since the last [`Self::take_batch`].
    pub fn dirty_submissions(&self) -> usize {
        self.dirty_submissions
    }

    /// Every row that changed since the last call, and the meta row: together they take the
    /// database to this frontier. The rows stay readable here while they are being committed.
    ///
    /// # Panics
    /// When the batch before was not reported committed, or something provisional is folded:
    /// rewind first.
    pub fn take_batch(&mut self) -> LedgerBatch {
        assert!(self.provisional.is_empty(), "the database holds what is final");
        assert!(!self.batch_open, "one ledger commit is open at most");
        self.batch_open = true;
        self.dirty_submissions = 0;
        let mut changes = self.state.take_changes();
        let meta = Meta {
            frontier: self.frontier,
            watermark: self.watermark,
            chain: self.chain,
            state_hash: self.state.hash(),
        };
        changes.push(meta.change());
        LedgerBatch { changes }
    }

    /// The batch of the last [`Self::take_batch`] is in the database.
    ///
    /// # Panics
    /// When there is none.
    pub fn batch_committed(&mut self) {
        assert!(self.batch_open, "no ledger commit is open");
        self.batch_open = false;
        self.state.committed();
    }
}
