//! A command read in place: what a fold needs per submission, without copying texts and reads.
//! The one decoder of the canonical bytes; [`Command::decode`] copies what it finds.

use crate::billing_period::BillingPeriod;
use crate::codec::{DecodeError, Reader};
use crate::command::{
    AdjustmentReason, Command, CommandClass, MeterRead, ReadQuality, ReversalReason,
    TAG_CLOSE_ACCOUNT, TAG_CONFIRM_PAYOUT, TAG_ISSUE_INVOICE, TAG_OPEN_ACCOUNT,
    TAG_POST_ADJUSTMENT, TAG_RECORD_PAYMENT, TAG_RECORD_READ, TAG_REQUEST_REFUND,
    TAG_REVERSE_PAYMENT,
};
use crate::ids::{AccountId, Date, MeterId, OpId, ServicePointId};
use crate::limits::{READS_PER_COMMAND_MAX, TEXT_BYTES_MAX};

const WHAT: &str = "command";
const READ_BYTES: usize = 8 + 4 + 8 + 1;

/// A [`Command`] that borrows from its canonical bytes. The variants and fields mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is documented at the variant of `Command`")]
pub enum CommandView<'a> {
    /// See [`Command::OpenAccount`].
    OpenAccount { account: AccountId, service_point: ServicePointId, date: Date },
    /// See [`Command::RecordPayment`].
    RecordPayment {
        account: AccountId,
        amount: i64,
        date: Date,
        provider: &'a str,
        external_ref: &'a str,
    },
    /// See [`Command::RecordRead`].
    RecordRead { reads: ReadsView<'a> },
    /// See [`Command::PostAdjustment`].
    PostAdjustment { account: AccountId, amount: i64, reason: AdjustmentReason, date: Date },
    /// See [`Command::ReversePayment`].
    ReversePayment { payment: OpId, amount: i64, reason: ReversalReason, date: Date },
    /// See [`Command::CloseAccount`].
    CloseAccount { account: AccountId, date: Date },
    /// See [`Command::RequestRefund`].
    RequestRefund { payment: OpId, amount: i64, date: Date },
    /// See [`Command::IssueInvoice`].
    IssueInvoice { account: AccountId, period: BillingPeriod, date: Date },
    /// See [`Command::ConfirmPayout`].
    ConfirmPayout { refund: OpId, amount: i64, date: Date },
}

impl<'a> CommandView<'a> {
    /// Reads the canonical bytes of one whole command.
    ///
    /// # Errors
    /// Whatever is not exactly one command of this release.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(WHAT, bytes);
        let command = match r.u8()? {
            TAG_OPEN_ACCOUNT => Self::OpenAccount {
                account: AccountId(r.u64()?),
                service_point: ServicePointId(r.u64()?),
                date: Date(r.u32()?),
            },
            TAG_RECORD_PAYMENT => Self::RecordPayment {
                account: AccountId(r.u64()?),
                amount: r.i64()?,
                date: Date(r.u32()?),
                provider: r.text("provider", TEXT_BYTES_MAX)?,
                external_ref: r.text("external_ref", TEXT_BYTES_MAX)?,
            },
            TAG_RECORD_READ => Self::RecordRead { reads: ReadsView::decode(&mut r)? },
            TAG_POST_ADJUSTMENT => Self::PostAdjustment {
                account: AccountId(r.u64()?),
                amount: r.i64()?,
                reason: adjustment_reason(&mut r)?,
                date: Date(r.u32()?),
            },
            TAG_REVERSE_PAYMENT => Self::ReversePayment {
                payment: OpId(r.u128()?),
                amount: r.i64()?,
                reason: reversal_reason(&mut r)?,
                date: Date(r.u32()?),
            },
            TAG_CLOSE_ACCOUNT => {
                Self::CloseAccount { account: AccountId(r.u64()?), date: Date(r.u32()?) }
            }
            TAG_REQUEST_REFUND => Self::RequestRefund {
                payment: OpId(r.u128()?),
                amount: r.i64()?,
                date: Date(r.u32()?),
            },
            TAG_ISSUE_INVOICE => Self::IssueInvoice {
                account: AccountId(r.u64()?),
                period: BillingPeriod(r.u16()?),
                date: Date(r.u32()?),
            },
            TAG_CONFIRM_PAYOUT => Self::ConfirmPayout {
                refund: OpId(r.u128()?),
                amount: r.i64()?,
                date: Date(r.u32()?),
            },
            tag => return Err(unknown("tag", tag, TAG_CONFIRM_PAYOUT)),
        };
        r.finish()?;
        Ok(command)
    }

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

    /// A copy that owns its texts and reads.
    pub fn to_command(&self) -> Command {
        match *self {
            Self::OpenAccount { account, service_point, date } => {
                Command::OpenAccount { account, service_point, date }
            }
            Self::RecordPayment { account, amount, date, provider, external_ref } => {
                Command::RecordPayment {
                    account,
                    amount,
                    date,
                    provider: provider.to_owned(),
                    external_ref: external_ref.to_owned(),
                }
            }
            Self::RecordRead { reads } => Command::RecordRead { reads: reads.iter().collect() },
            Self::PostAdjustment { account, amount, reason, date } => {
                Command::PostAdjustment { account, amount, reason, date }
            }
            Self::ReversePayment { payment, amount, reason, date } => {
                Command::ReversePayment { payment, amount, reason, date }
            }
            Self::CloseAccount { account, date } => Command::CloseAccount { account, date },
            Self::RequestRefund { payment, amount, date } => {
                Command::RequestRefund { payment, amount, date }
            }
            Self::IssueInvoice { account, period, date } => {
                Command::IssueInvoice { account, period, date }
            }
            Self::ConfirmPayout { refund, amount, date } => {
                Command::ConfirmPayout { refund, amount, date }
            }
        }
    }
}

/// The readings of a `RecordRead`, in place; 0 to `READS_PER_COMMAND_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadsView<'a> {
    // Whole reads whose qualities were checked.
    bytes: &'a [u8],
}

impl<'a> ReadsView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let n = usize::from(r.u16()?);
        r.at_most("reads", n as u64, READS_PER_COMMAND_MAX as u64)?;
        let bytes = r.take(n * READ_BYTES)?;
        let mut walk = Reader::new(WHAT, bytes);
        for _ in 0..n {
            read(&mut walk)?;
        }
        Ok(Self { bytes })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The readings in order.
    pub fn iter(&self) -> impl Iterator<Item = MeterRead> + use<'a> {
        let mut walk = Reader::new(WHAT, self.bytes);
        std::iter::from_fn(move || read(&mut walk).ok())
    }
}

fn read(r: &mut Reader<'_>) -> Result<MeterRead, DecodeError> {
    Ok(MeterRead {
        meter: MeterId(r.u64()?),
        date: Date(r.u32()?),
        register: r.u64()?,
        quality: read_quality(r)?,
    })
}

fn unknown(field: &'static str, found: u8, limit: u8) -> DecodeError {
    DecodeError::OutOfRange { what: WHAT, field, found: found.into(), limit: limit.into() }
}

fn read_quality(r: &mut Reader<'_>) -> Result<ReadQuality, DecodeError> {
    match r.u8()? {
        0 => Ok(ReadQuality::Estimated),
        1 => Ok(ReadQuality::Customer),
        2 => Ok(ReadQuality::Actual),
        other => Err(unknown("quality", other, 2)),
    }
}

fn adjustment_reason(r: &mut Reader<'_>) -> Result<AdjustmentReason, DecodeError> {
    match r.u8()? {
        0 => Ok(AdjustmentReason::Goodwill),
        1 => Ok(AdjustmentReason::LateFee),
        2 => Ok(AdjustmentReason::BadDebt),
        other => Err(unknown("reason", other, 2)),
    }
}

fn reversal_reason(r: &mut Reader<'_>) -> Result<ReversalReason, DecodeError> {
    match r.u8()? {
        0 => Ok(ReversalReason::Bounced),
        1 => Ok(ReversalReason::ChargeBack),
        other => Err(unknown("reason", other, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Vec<Command> {
        let read = |register, quality| MeterRead {
            meter: MeterId(7),
            date: Date(20_000),
            register,
            quality,
        };
        vec![
            Command::OpenAccount {
                account: AccountId(1),
                service_point: ServicePointId(2),
                date: Date(20_000),
            },
            Command::RecordPayment {
                account: AccountId(1),
                amount: -5,
                date: Date(20_001),
                provider: "bank".into(),
                external_ref: "é-1".into(),
            },
            Command::RecordRead { reads: vec![] },
            Command::RecordRead {
                reads: vec![read(1, ReadQuality::Estimated), read(9, ReadQuality::Actual)],
            },
            Command::PostAdjustment {
                account: AccountId(1),
                amount: 3,
                reason: AdjustmentReason::BadDebt,
                date: Date(1),
            },
            Command::ReversePayment {
                payment: OpId(9),
                amount: 3,
                reason: ReversalReason::ChargeBack,
                date: Date(1),
            },
            Command::CloseAccount { account: AccountId(1), date: Date(2) },
            Command::RequestRefund { payment: OpId(9), amount: 3, date: Date(4) },
            Command::IssueInvoice {
                account: AccountId(1),
                period: BillingPeriod(675),
                date: Date(2),
            },
            Command::ConfirmPayout { refund: OpId(9), amount: 3, date: Date(4) },
        ]
    }

    #[test]
    fn view_is_the_command() {
        for command in commands() {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            let view = CommandView::decode(&bytes).unwrap();
            assert_eq!(view.to_command(), command);
            assert_eq!(view.class(), command.class());
        }
    }

    #[test]
    fn tags_of_later_commands_are_refused() {
        for tag in [0, 9, 10, 11, 12, 14] {
            let found = CommandView::decode(&[tag]).unwrap_err();
            assert_eq!(found, unknown("tag", tag, TAG_CONFIRM_PAYOUT));
        }
    }

    #[test]
    fn every_cut_and_every_extra_byte_is_an_error() {
        for command in commands() {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            for end in 0..bytes.len() {
                assert!(CommandView::decode(&bytes[..end]).is_err(), "{command:?} cut at {end}");
            }
            bytes.push(0);
            assert!(CommandView::decode(&bytes).is_err());
        }
    }
}
