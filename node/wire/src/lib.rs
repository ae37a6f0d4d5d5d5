//! Everything that crosses a boundary of the billing node: identifiers, records of the region
//! log, frames between nodes, commands, queries and answers, each with a versioned codec.
//!
//! The node and the reference model share this crate and nothing else. It knows how things are
//! written, never what they mean: no guard, no booking rule and no state lives here.

pub mod answer;
pub mod billing_period;
pub mod codec;
pub mod command;
pub mod command_view;
pub mod control;
pub mod frame;
pub mod genesis;
pub mod hlc;
pub mod ids;
pub mod invoice;
pub mod limits;
pub mod outcome;
pub mod query;
pub mod record;
pub mod seal;

pub use answer::{Grade, OnUnmet, Receipt, Refusal, Submission, Token, WriteAnswer, WriteOptions};
pub use billing_period::BillingPeriod;
pub use codec::DecodeError;
pub use command::{
    AdjustmentReason, Command, CommandClass, MeterRead, ReadQuality, ReversalReason,
};
pub use command_view::{CommandView, ReadsView};
pub use control::{ChainPart, Control, Origin, SealedChain};
pub use frame::{Frame, FrameHeader, FrameKind};
pub use genesis::{Genesis, RegionMembers};
pub use hlc::Hlc;
pub use ids::{
    AccountId, ClusterId, Date, Frontier, Hash, Incarnation, LogIndex, MeterId, NodeId, OpId,
    Position, RegionId, ServicePointId, Term, derived_op_id,
};
pub use invoice::{Document, DocumentKind, DocumentNumber, Invoice, Tariff, Void};
pub use outcome::{DenyReason, Disposition, JournalLine, LedgerCode, OutcomeChain, RedirectReason};
pub use query::{
    BalanceView, DocumentPage, HistoryItem, HistoryPage, OperationState, OutboxItem, OutboxPage,
    Query, QueryResult, Read, ReadAnswer, ReadLevel, StatementPage, SuspenseItem, SuspensePage,
    TrialBalanceView,
};
pub use record::{Record, RecordHeader, RecordKind, RecordView, RegionMode, SubmissionView};
pub use seal::{SealAnswer, SealRefusal};
