//! What became of a submission: its one disposition, the journal lines it caused, and the chain
//! over both by which two folds are compared in constant time.

use crate::codec::{DecodeError, Reader};
use crate::ids::{AccountId, OpId, Position};
use serde::{Deserialize, Serialize};

/// Why a fact was booked elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectReason {
    /// The account is not open (yet): the money waits in suspense.
    UnknownAccount = 0,
    /// The account is closed.
    ClosedAccount = 1,
    /// A value outside its legal range: nothing that can be booked, kept for a person.
    OutOfRange = 2,
    /// The booking would overflow an accumulator.
    Overflow = 3,
    /// The same `op_id` came before with another body; the money may be real.
    FingerprintMismatch = 4,
    /// A reversal whose payment has not appeared: parked until it does.
    PaymentNotSeen = 5,
    /// The operation that it refers to is no payment, or the amounts differ.
    NotThatPayment = 6,
    /// Bytes that are no command of this release.
    Malformed = 7,
    /// A payout that confirms no refund waiting for it.
    NotThatRefund = 8,
}

impl RedirectReason {
    /// Reads a reason.
    ///
    /// # Errors
    /// Unknown codes, truncation.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        redirect_reason(r.u8()?)
    }
}

/// Why an intent was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// The account number is taken.
    AccountExists = 0,
    /// The service point has an effective open account.
    ServicePointTaken = 1,
    /// No such account.
    UnknownAccount = 2,
    /// The account is closed.
    AccountClosed = 3,
    /// More than the reason allows at once.
    OverLimit = 4,
    /// A value outside its legal range.
    OutOfRange = 5,
    /// The same `op_id` came before with another body.
    FingerprintMismatch = 6,
    /// The booking would overflow an accumulator.
    Overflow = 7,
    /// The account has consumption that no invoice has billed.
    FinalBillMissing = 8,
    /// The operation that it refers to is no payment that lies on an account.
    NoSuchPayment = 9,
    /// More than what is left of the payment.
    OverPaid = 10,
}

/// The one end of a logged command (billing.md §4). Never changes once final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "disposition", rename_all = "snake_case")]
pub enum Disposition {
    /// It has its effect.
    Applied,
    /// The effect was there already.
    Duplicate {
        /// Where the first one stands.
        of: Position,
    },
    /// A fact that was booked elsewhere.
    Redirected {
        /// Why.
        reason: RedirectReason,
    },
    /// An intent that was refused.
    Denied {
        /// Why.
        reason: DenyReason,
    },
    /// An immutable document negated by a derived record.
    Compensated {
        /// The record that negates it.
        by: Position,
    },
}

impl Disposition {
    /// Name as in the API and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate { .. } => "duplicate",
            Self::Redirected { .. } => "redirected",
            Self::Denied { .. } => "denied",
            Self::Compensated { .. } => "compensated",
        }
    }

    /// Appends the disposition.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Applied => out.push(0),
            Self::Duplicate { of } => {
                out.push(1);
                of.encode(out);
            }
            Self::Redirected { reason } => out.extend_from_slice(&[2, *reason as u8]),
            Self::Denied { reason } => out.extend_from_slice(&[3, *reason as u8]),
            Self::Compensated { by } => {
                out.push(4);
                by.encode(out);
            }
        }
    }

    /// Reads a disposition.
    ///
    /// # Errors
    /// Unknown tags and reasons, truncation.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            0 => Self::Applied,
            1 => Self::Duplicate { of: Position::decode(r)? },
            2 => Self::Redirected { reason: RedirectReason::decode(r)? },
            3 => Self::Denied { reason: deny_reason(r.u8()?)? },
            4 => Self::Compensated { by: Position::decode(r)? },
            tag => return Err(unknown("tag", tag, 4)),
        })
    }
}

fn unknown(field: &'static str, found: u8, limit: u8) -> DecodeError {
    DecodeError::OutOfRange { what: "disposition", field, found: found.into(), limit: limit.into() }
}

fn redirect_reason(code: u8) -> Result<RedirectReason, DecodeError> {
    use RedirectReason as R;
    const ALL: [R; 9] = [
        R::UnknownAccount,
        R::ClosedAccount,
        R::OutOfRange,
        R::Overflow,
        R::FingerprintMismatch,
        R::PaymentNotSeen,
        R::NotThatPayment,
        R::Malformed,
        R::NotThatRefund,
    ];
    ALL.get(usize::from(code)).copied().ok_or_else(|| unknown("redirect reason", code, 8))
}

fn deny_reason(code: u8) -> Result<DenyReason, DecodeError> {
    use DenyReason as R;
    const ALL: [R; 11] = [
        R::AccountExists,
        R::ServicePointTaken,
        R::UnknownAccount,
        R::AccountClosed,
        R::OverLimit,
        R::OutOfRange,
        R::FingerprintMismatch,
        R::Overflow,
        R::FinalBillMissing,
        R::NoSuchPayment,
        R::OverPaid,
    ];
    ALL.get(usize::from(code)).copied().ok_or_else(|| unknown("deny reason", code, 10))
}

/// An account of the general ledger (billing.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerCode(pub u16);

impl LedgerCode {
    /// Cash clearing.
    pub const CASH: Self = Self(1000);
    /// Accounts receivable, one sub-ledger per customer account.
    pub const RECEIVABLE: Self = Self(1100);
    /// Tax payable.
    pub const TAX: Self = Self(2000);
    /// Refunds payable.
    pub const REFUNDS: Self = Self(2150);
    /// Suspense.
    pub const SUSPENSE: Self = Self(2200);
    /// Revenue.
    pub const REVENUE: Self = Self(4000);
    /// Late fees.
    pub const LATE_FEES: Self = Self(4200);
    /// Bad debt.
    pub const BAD_DEBT: Self = Self(5000);
    /// Goodwill.
    pub const GOODWILL: Self = Self(5100);
    /// Every code, ascending.
    pub const ALL: [Self; 9] = [
        Self::CASH,
        Self::RECEIVABLE,
        Self::TAX,
        Self::REFUNDS,
        Self::SUSPENSE,
        Self::REVENUE,
        Self::LATE_FEES,
        Self::BAD_DEBT,
        Self::GOODWILL,
    ];
}

/// One line of a journal: a debit is positive, a credit negative. A journal sums to 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JournalLine {
    /// Account of the general ledger.
    pub code: LedgerCode,
    /// The customer account, where the code is [`LedgerCode::RECEIVABLE`].
    pub account: Option<AccountId>,
    /// Minor units, never 0.
    pub amount: i64,
}

/// A running hash over everything that a fold decided, in merged order. Two folds with equal
/// chains at the same frontier decided the same. Not cryptographic: it finds bugs, not forgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeChain(pub u64);

impl OutcomeChain {
    fn mix(&mut self, word: u64) {
        let x = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (x ^ (x >> 29)).rotate_left(27).wrapping_add(0x2545_f491_4f6c_dd1d);
    }

    /// Adds the outcome of one submission: where, who, what became of it, and its journal lines
    /// in booking order (derived lines included).
    pub fn add(
        &mut self,
        position: &Position,
        op_id: OpId,
        disposition: &Disposition,
        lines: &[JournalLine],
    ) {
        self.mix(position.hlc.0);
        self.mix(u64::from(position.region.0) << 16 | u64::from(position.offset));
        self.mix(position.index);
        self.mix(op_id.0 as u64);
        self.mix((op_id.0 >> 64) as u64);
        match disposition {
            Disposition::Applied => self.mix(0),
            Disposition::Duplicate { of } => {
                self.mix(1);
                self.mix(of.hlc.0);
                self.mix(of.index << 16 | u64::from(of.offset));
            }
            Disposition::Redirected { reason } => self.mix(2 << 8 | *reason as u64),
            Disposition::Denied { reason } => self.mix(3 << 8 | *reason as u64),
            Disposition::Compensated { by } => {
                self.mix(4);
                self.mix(by.hlc.0);
            }
        }
        for line in lines {
            self.mix(u64::from(line.code.0) | line.account.map_or(0, |a| (a.0 << 16) | 1 << 15));
            self.mix(line.amount as u64);
        }
        self.mix(lines.len() as u64);
    }
}
