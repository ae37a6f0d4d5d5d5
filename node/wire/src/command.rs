//! What a client may ask: the commands, their class, and their canonical bytes, over which the
//! fingerprint is taken.

use crate::billing_period::BillingPeriod;
use crate::codec::{DecodeError, put_text};
use crate::command_view::CommandView;
use crate::ids::{AccountId, Date, Hash, MeterId, OpId, ServicePointId};
use serde::{Deserialize, Serialize};

/// Whether a command reports what already happened or asks for something (billing.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandClass {
    /// Never denied; it may be redirected or be a duplicate.
    Fact,
    /// May be denied; never redirected.
    Intent,
}

/// How a meter read was obtained; a later variant is better than an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadQuality {
    /// Computed.
    Estimated = 0,
    /// Told by the customer.
    Customer = 1,
    /// Read from the meter.
    Actual = 2,
}

/// Why a payment was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalReason {
    /// The bank could not collect it.
    Bounced = 0,
    /// The payer disputed it.
    ChargeBack = 1,
}

/// Why an account is adjusted; decides the contra account and the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentReason {
    /// A credit to the customer (contra 5100).
    Goodwill = 0,
    /// A charge to the customer (contra 4200).
    LateFee = 1,
    /// A debt given up: a credit to the customer (contra 5000).
    BadDebt = 2,
}

/// One reading of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterRead {
    /// The meter.
    pub meter: MeterId,
    /// The day of the reading.
    pub date: Date,
    /// The register in base units (Wh, litre).
    pub register: u64,
    /// How it was obtained.
    pub quality: ReadQuality,
}

/// What a client asks. Money is in minor units of the cluster's one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Intent: open an account at a service point.
    OpenAccount {
        /// The new account.
        account: AccountId,
        /// Where it is supplied.
        service_point: ServicePointId,
        /// From when.
        date: Date,
    },
    /// Fact: money was received.
    RecordPayment {
        /// Whom the payer named.
        account: AccountId,
        /// Minor units, positive.
        amount: i64,
        /// When it was received.
        date: Date,
        /// The payment provider that reports it.
        provider: String,
        /// The provider's own reference.
        external_ref: String,
    },
    /// Fact: meters showed these registers.
    RecordRead {
        /// The readings, 1 to 100.
        reads: Vec<MeterRead>,
    },
    /// Intent: adjust a balance; the reason gives the sign.
    PostAdjustment {
        /// The account.
        account: AccountId,
        /// Minor units, positive.
        amount: i64,
        /// Why.
        reason: AdjustmentReason,
        /// For when.
        date: Date,
    },
    /// Fact: a payment was taken back by the bank.
    ReversePayment {
        /// The `op_id` of the payment.
        payment: OpId,
        /// What was taken back: the amount that the bank names, minor units, positive.
        amount: i64,
        /// Why.
        reason: ReversalReason,
        /// When.
        date: Date,
    },
    /// Intent: close an account; its final bill comes first.
    CloseAccount {
        /// The account.
        account: AccountId,
        /// From when.
        date: Date,
    },
    /// Intent: pay a payment back, whole or in part.
    RequestRefund {
        /// The `op_id` of the payment.
        payment: OpId,
        /// Minor units, positive.
        amount: i64,
        /// When it was asked for.
        date: Date,
    },
    /// Intent: bill what an account consumed up to the end of a month.
    IssueInvoice {
        /// The account.
        account: AccountId,
        /// The month.
        period: BillingPeriod,
        /// The date on the document.
        date: Date,
    },
    /// Fact: the money of a refund left the bank. Its `op_id` is
    /// [`derived_op_id(refund, "paid")`](crate::derived_op_id).
    ConfirmPayout {
        /// The `op_id` of the refund.
        refund: OpId,
        /// What the bank paid, minor units, positive.
        amount: i64,
        /// When.
        date: Date,
    },
}

// Tags are never reused. Kept free for later commands: 9 CancelRebill, 10 PublishTariff,
// 11 AssignTariff, 12 CloseCycle.
pub(crate) const TAG_OPEN_ACCOUNT: u8 = 1;
pub(crate) const TAG_RECORD_PAYMENT: u8 = 2;
pub(crate) const TAG_RECORD_READ: u8 = 3;
pub(crate) const TAG_POST_ADJUSTMENT: u8 = 4;
pub(crate) const TAG_REVERSE_PAYMENT: u8 = 5;
pub(crate) const TAG_CLOSE_ACCOUNT: u8 = 6;
pub(crate) const TAG_REQUEST_REFUND: u8 = 7;
pub(crate) const TAG_ISSUE_INVOICE: u8 = 8;
pub(crate) const TAG_CONFIRM_PAYOUT: u8 = 13;

impl Command {
    /// Fact or intent.
    pub fn class(&self) -> CommandClass {
        match self {
            Self::RecordPayment { .. }
            | Self::RecordRead { .. }
            | Self::ReversePayment { .. }
            | Self::ConfirmPayout { .. } => CommandClass::Fact,
            Self::OpenAccount { .. }
            | Self::PostAdjustment { .. }
            | Self::CloseAccount { .. }
            | Self::RequestRefund { .. }
            | Self::IssueInvoice { .. } => CommandClass::Intent,
        }
    }

    /// Name as in the API and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpenAccount { .. } => "OpenAccount",
            Self::RecordPayment { .. } => "RecordPayment",
            Self::RecordRead { .. } => "RecordRead",
            Self::PostAdjustment { .. } => "PostAdjustment",
            Self::ReversePayment { .. } => "ReversePayment",
            Self::CloseAccount { .. } => "CloseAccount",
            Self::RequestRefund { .. } => "RequestRefund",
            Self::IssueInvoice { .. } => "IssueInvoice",
            Self::ConfirmPayout { .. } => "ConfirmPayout",
        }
    }

    /// Appends the canonical bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::OpenAccount { account, service_point, date } => {
                out.push(TAG_OPEN_ACCOUNT);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&service_point.0.to_le_bytes());
                out.extend_from_slice(&date.0.to_le_bytes());
            }
            Self::RecordPayment { account, amount, date, provider, external_ref } => {
                out.push(TAG_RECORD_PAYMENT);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&amount.to_le_bytes());
                out.extend_from_slice(&date.0.to_le_bytes());
                put_text(out, provider);
                put_text(out, external_ref);
            }
            Self::RecordRead { reads } => {
                out.push(TAG_RECORD_READ);
                out.extend_from_slice(&(reads.len() as u16).to_le_bytes());
                for read in reads {
                    out.extend_from_slice(&read.meter.0.to_le_bytes());
                    out.extend_from_slice(&read.date.0.to_le_bytes());
                    out.extend_from_slice(&read.register.to_le_bytes());
                    out.push(read.quality as u8);
                }
            }
            Self::PostAdjustment { account, amount, reason, date } => {
                out.push(TAG_POST_ADJUSTMENT);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&amount.to_le_bytes());
                out.push(*reason as u8);
                out.extend_from_slice(&date.0.to_le_bytes());
            }
            Self::ReversePayment { payment, amount, reason, date } => {
                out.push(TAG_REVERSE_PAYMENT);
                out.extend_from_slice(&payment.0.to_le_bytes());
                out.extend_from_slice(&amount.to_le_bytes());
                out.push(*reason as u8);
                out.extend_from_slice(&date.0.to_le_bytes());
            }
            Self::CloseAccount { account, date } => {
                out.push(TAG_CLOSE_ACCOUNT);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&date.0.to_le_bytes());
            }
            Self::RequestRefund { payment, amount, date } => {
                put_money_of(out, TAG_REQUEST_REFUND, *payment, *amount, *date);
            }
            Self::IssueInvoice { account, period, date } => {
                out.push(TAG_ISSUE_INVOICE);
                out.extend_from_slice(&account.0.to_le_bytes());
                out.extend_from_slice(&period.0.to_le_bytes());
                out.extend_from_slice(&date.0.to_le_bytes());
            }
            Self::ConfirmPayout { refund, amount, date } => {
                put_money_of(out, TAG_CONFIRM_PAYOUT, *refund, *amount, *date);
            }
        }
    }

    /// Reads the canonical bytes of one whole command.
    ///
    /// # Errors
    /// Whatever is not exactly one command of this release.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(CommandView::decode(bytes)?.to_command())
    }

    /// `blake3(canonical body)`: what an `op_id` is bound to (billing.md §5).
    pub fn fingerprint(&self) -> Hash {
        let mut body = Vec::with_capacity(64);
        self.encode(&mut body);
        fingerprint(&body)
    }
}

/// Appends a command about the money of another operation.
fn put_money_of(out: &mut Vec<u8>, tag: u8, of: OpId, amount: i64, date: Date) {
    out.push(tag);
    out.extend_from_slice(&of.0.to_le_bytes());
    out.extend_from_slice(&amount.to_le_bytes());
    out.extend_from_slice(&date.0.to_le_bytes());
}

/// The fingerprint of a canonical command body.
pub fn fingerprint(body: &[u8]) -> Hash {
    *blake3::hash(body).as_bytes()
}
