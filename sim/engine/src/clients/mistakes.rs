//! Clients that get it wrong: what the node must refuse, deny or redirect without losing money.

use super::generator::{Draft, Generator};
use super::memory::Payment;
use billing_core::limits::{AMOUNT_MAX, DATE_MAX, DATE_MIN, REGISTER_MAX};
use billing_wire::{AdjustmentReason, Command, Date, MeterId, MeterRead, ReadQuality, Submission};
use billsim_oracle::history::Request;

impl Generator {
    /// An `op_id` of late with another body, of the same kind or not.
    pub(super) fn other_body(&mut self) -> Draft {
        let Some(submission) = self.memory.recent(&mut self.stream).cloned() else {
            return self.pay();
        };
        let command = match self.stream.below(4) {
            0 => {
                let account = self.memory.account(&mut self.stream);
                let amount = self.amount();
                self.payment_of(account, amount)
            }
            _ => changed(submission.command),
        };
        Draft::of(Request::write(Submission { op_id: submission.op_id, command }, None))
    }

    /// A value that no command may have.
    pub(super) fn out_of_range(&mut self) -> Draft {
        let account = self.memory.account(&mut self.stream);
        let fine = self.amount();
        let out = [0, -fine, AMOUNT_MAX + 1, i64::MAX, i64::MIN, -AMOUNT_MAX, i64::MIN + 1];
        let amount = *self.stream.pick(&out);
        let day = Date(*self.stream.pick(&[0, DATE_MIN - 1, DATE_MAX + 1, u32::MAX]));
        let command = match self.stream.below(8) {
            0 => self.payment_of(account, amount),
            1 => {
                let mut command = self.payment_of(account, fine);
                if let Command::RecordPayment { date, .. } = &mut command {
                    *date = day;
                }
                command
            }
            2 => Command::RecordRead { reads: Vec::new() },
            3 => {
                let register = *self.stream.pick(&[REGISTER_MAX + 1, u64::MAX, 1 << 63]);
                let quality = ReadQuality::Actual;
                let read = MeterRead { meter: MeterId(1), date: self.date, register, quality };
                Command::RecordRead { reads: vec![read] }
            }
            4 => {
                let mut command = self.new_account();
                if let Command::OpenAccount { date, .. } = &mut command {
                    *date = day;
                }
                command
            }
            5 => {
                let reason =
                    *self.stream.pick(&[AdjustmentReason::Goodwill, AdjustmentReason::LateFee]);
                Command::PostAdjustment { account, amount, reason, date: self.date }
            }
            // Just legal, all of it.
            6 => {
                let mut command = self.payment_of(account, AMOUNT_MAX);
                if let Command::RecordPayment { date, .. } = &mut command {
                    *date = Date(*self.stream.pick(&[DATE_MIN, DATE_MAX]));
                }
                command
            }
            _ => {
                let payment = self.memory.payment(&mut self.stream).map(|p| p.op_id);
                let payment = payment.unwrap_or_default();
                self.reversal_of(payment, amount)
            }
        };
        self.submit(command)
    }

    /// A payment that is sent many times: before its answer can be there, or after it was.
    pub(super) fn retry_storm(&mut self) -> Draft {
        let mut draft = self.pay();
        let times = self.stream.range(2, 8) as u32;
        if self.stream.below(2) == 0 {
            draft.hurried = times;
            draft.hurried_ms = self.stream.log_uniform(1, 50);
        } else {
            draft.more = times;
        }
        draft
    }

    /// A payment to an account that is not open.
    pub(super) fn unknown_account(&mut self) -> Draft {
        let account = self.memory.unknown_account(&mut self.stream);
        let command = self.payment(account);
        self.submit(command)
    }

    /// A reversal of a payment that will be reported later, now and then by another amount.
    pub(super) fn early_reversal(&mut self) -> Draft {
        let account = match self.stream.below(4) {
            0 => self.memory.unknown_account(&mut self.stream),
            _ => self.memory.account(&mut self.stream),
        };
        let amount = self.amount();
        let payment = self.payment_of(account, amount);
        let payment = self.submission(payment);
        let reversed = amount + i64::from(self.stream.below(8) == 0);
        let reversal = self.reversal_of(payment.op_id, reversed);
        self.memory.hold(payment);
        self.submit(reversal)
    }

    /// A second reversal, one by another amount, or one of something that is no payment.
    pub(super) fn wrong_reversal(&mut self) -> Draft {
        let target = match self.stream.below(4) {
            0 | 1 => self.memory.reversed(&mut self.stream),
            2 => {
                let payment = self.memory.payment(&mut self.stream);
                payment.map(|p| Payment { amount: p.amount + 1, ..p })
            }
            _ => {
                let amount = self.amount();
                let recent = self.memory.recent(&mut self.stream);
                recent.map(|s| Payment { op_id: s.op_id, amount })
            }
        };
        let Some(target) = target else { return self.pay() };
        let command = self.reversal_of(target.op_id, target.amount);
        self.submit(command)
    }

    /// The same payment from two sessions at once, or one of late once more.
    pub(super) fn duplicate(&mut self) -> Draft {
        if self.stream.below(2) == 0
            && let Some(submission) = self.memory.recent(&mut self.stream).cloned()
        {
            return Draft { echo: true, ..Draft::of(Request::write(submission, None)) };
        }
        Draft { twin: true, ..self.pay() }
    }
}

/// The command with another value in it.
pub(super) fn changed(mut command: Command) -> Command {
    match &mut command {
        Command::OpenAccount { date, .. }
        | Command::CloseAccount { date, .. }
        | Command::IssueInvoice { date, .. } => date.0 = date.0.wrapping_add(1),
        Command::RecordPayment { amount, .. }
        | Command::PostAdjustment { amount, .. }
        | Command::ReversePayment { amount, .. }
        | Command::RequestRefund { amount, .. }
        | Command::ConfirmPayout { amount, .. } => *amount = amount.wrapping_add(1),
        Command::RecordRead { reads } => match reads.first_mut() {
            Some(read) => read.register ^= 1,
            None => reads.push(MeterRead {
                meter: MeterId(1),
                date: Date(DATE_MIN),
                register: 1,
                quality: ReadQuality::Customer,
            }),
        },
    }
    command
}
