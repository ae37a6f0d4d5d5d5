//! Reads: what a client may look up and the frame of reference that each answer states.

use crate::answer::Token;
use crate::hlc::Hlc;
use crate::ids::{AccountId, Frontier, OpId, Position};
use crate::outcome::{Disposition, LedgerCode};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Change of the balance in minor units; 0 for the opening.
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
