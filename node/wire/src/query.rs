//! Reads: what a client may look up and the frame of reference that each answer states.

use crate::answer::Token;
use crate::billing_period::BillingPeriod;
use crate::hlc::Hlc;
use crate::ids::{AccountId, Date, Frontier, OpId, Position};
use crate::invoice::{Document, DocumentNumber};
use crate::outcome::{Disposition, LedgerCode, RedirectReason};
use serde::{Deserialize, Serialize};

/// How fresh a read must be (billing.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadLevel {
    /// Whatever this node has folded.
    #[default]
    Local,
    /// At least what the session's token covers, or `session_gap` says that it is less.
    Session,
    /// Only what is final.
    Final,
}

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// Balance of an account.
    Balance {
        /// The account.
        account: AccountId,
    },
    /// What happened to an account, oldest first.
    History {
        /// The account.
        account: AccountId,
        /// Items with a sequence number above this; 0 for the first page.
        after: u64,
        /// At most so many items; 1 to `HISTORY_PAGE_MAX`.
        limit: u16,
    },
    /// What became of an operation (`GetOp`).
    Operation {
        /// The operation.
        op_id: OpId,
    },
    /// Sum of every account of the general ledger.
    TrialBalance,
    /// What happened to an account on some days.
    Statement {
        /// The account.
        account: AccountId,
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
        /// Items with a sequence number above this; 0 for the first page.
        after: u64,
        /// At most so many items; 1 to `HISTORY_PAGE_MAX`.
        limit: u16,
    },
    /// What stands under a number.
    Document {
        /// The number.
        number: DocumentNumber,
    },
    /// The invoice of an account for a month that is not negated.
    Invoice {
        /// The account.
        account: AccountId,
        /// The month.
        period: BillingPeriod,
    },
    /// Invoices and voids of an account, in merged order.
    Documents {
        /// The account.
        account: AccountId,
        /// How many to pass over; 0 for the first page.
        after: u64,
        /// At most so many; 1 to `HISTORY_PAGE_MAX`.
        limit: u16,
    },
    /// Money that lies in suspense, in merged order.
    Suspense {
        /// What stands behind this; the default for the first page.
        after: Position,
        /// At most so many; 1 to `HISTORY_PAGE_MAX`.
        limit: u16,
    },
    /// Refunds that were granted and whose payout is not confirmed, in merged order.
    Outbox {
        /// What stands behind this; the default for the first page.
        after: Position,
        /// At most so many; 1 to `HISTORY_PAGE_MAX`.
        limit: u16,
    },
}

/// A read: a query, how fresh, and what the session has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// What is looked up.
    pub query: Query,
    /// How fresh.
    pub level: ReadLevel,
    /// What the session has seen; needed by [`ReadLevel::Session`].
    pub token: Option<Token>,
}

/// Balance of an account: what the customer owes is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// The account.
    pub account: AccountId,
    /// Minor units; the sum of the account's receivable lines.
    pub balance: i64,
    /// How many history items the account has.
    pub items: u64,
}

/// One thing that happened to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// Number within the account, from 1, dense.
    pub sequence: u64,
    /// The submission that caused it.
    pub position: Position,
    /// Its operation.
    pub op_id: OpId,
    /// The date of the command that booked it.
    pub date: Date,
    /// Change of the balance in minor units; 0 for the opening and the closing.
    pub amount: i64,
    /// Balance afterwards.
    pub balance: i64,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The account.
    pub account: AccountId,
    /// The items, ascending.
    pub items: Vec<HistoryItem>,
    /// `after` of the next page; `None` on the last.
    pub next: Option<u64>,
}

/// A page of a statement: what happened on some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPage {
    /// The account.
    pub account: AccountId,
    /// Sum of everything dated before the first day, in minor units.
    pub opening: i128,
    /// Sum of everything dated up to the last day, in minor units.
    pub closing: i128,
    /// The items of the days, in merged order. Their `balance` counts every day.
    pub items: Vec<HistoryItem>,
    /// `after` of the next page; `None` on the last.
    pub next: Option<u64>,
}

/// A page of the documents of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentPage {
    /// The account.
    pub account: AccountId,
    /// Invoices and voids.
    pub documents: Vec<Document>,
    /// `after` of the next page; `None` on the last.
    pub next: Option<u64>,
}

/// Money in suspense: the items sum to what the ledger has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseItem {
    /// The submission that booked it.
    pub position: Position,
    /// Its operation.
    pub op_id: OpId,
    /// The account that a payer named.
    pub account: Option<AccountId>,
    /// Minor units: positive for money that came in, negative for money that left.
    pub amount: i64,
    /// Why it lies here.
    pub reason: RedirectReason,
}

/// A page of suspense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspensePage {
    /// In merged order.
    pub items: Vec<SuspenseItem>,
    /// `after` of the next page; `None` on the last.
    pub next: Option<Position>,
}

/// A refund that was granted and whose payout is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxItem {
    /// Where it was granted; the payout may leave once this is final.
    pub position: Position,
    /// The refund: the outside party's key too.
    pub refund: OpId,
    /// The payment that it pays back.
    pub payment: OpId,
    /// The account that the payment lies on.
    pub account: AccountId,
    /// Minor units, positive.
    pub amount: i64,
}

/// A page of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxPage {
    /// In merged order.
    pub items: Vec<OutboxItem>,
    /// `after` of the next page; `None` on the last.
    pub next: Option<Position>,
}

/// What is known of an operation (`GetOp`); only `Final` never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OperationState {
    /// Its outcome can never change.
    Final {
        /// What became of the submission that has the effect.
        disposition: Disposition,
        /// Where it stands.
        position: Position,
    },
    /// Logged, but a merge may still put something before it.
    Provisional {
        /// What became of it so far.
        disposition: Disposition,
        /// Where it stands.
        position: Position,
    },
    /// Not in the log up to the answer's frontier.
    NotSeen,
}

/// Sum per account of the general ledger; the sum over all is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialBalanceView {
    /// Debit-positive sums in minor units, ascending by code, zeros included.
    pub sums: Vec<(LedgerCode, i128)>,
}

impl TrialBalanceView {
    /// Sum over all accounts; `None` when it overflows. Anything but 0 means broken books.
    pub fn total(&self) -> Option<i128> {
        self.sums.iter().try_fold(0_i128, |total, (_, sum)| total.checked_add(*sum))
    }
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryResult {
    /// The balance.
    Balance(BalanceView),
    /// A page of history.
    History(HistoryPage),
    /// The state of an operation.
    Operation(OperationState),
    /// The trial balance.
    TrialBalance(TrialBalanceView),
    /// A page of a statement.
    Statement(StatementPage),
    /// What stands under a number, or the invoice of a month.
    Document(Box<Document>),
    /// A page of an account's documents.
    Documents(DocumentPage),
    /// A page of suspense.
    Suspense(SuspensePage),
    /// A page of the outbox.
    Outbox(OutboxPage),
    /// No such document at this frontier (404).
    NoSuchDocument,
    /// No such account at this frontier (404).
    UnknownAccount(AccountId),
    /// The database cannot answer now (503): it is being rebuilt.
    Unavailable,
    /// The token's MAC does not match (400).
    BadToken,
}

/// An answer to a read, with the frame of reference that it claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadAnswer {
    /// What was found: exactly the fold of this frontier.
    pub result: QueryResult,
    /// Entries folded per region.
    pub frontier: Frontier,
    /// Finality watermark.
    pub watermark: Hlc,
    /// Whether a merge may still change the result.
    pub provisional: bool,
    /// Milliseconds since this node last heard of the log's progress; 0 on the leader.
    pub stale_ms: u64,
    /// The session has seen more than this answer covers.
    pub session_gap: bool,
    /// What the session has now seen.
    pub token: Token,
}
