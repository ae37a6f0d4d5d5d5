//! Commands as honest clients send them. Some are denied or redirected all the same: an account
//! exists, a limit is exceeded, a register fell.

use super::generator::Generator;
use super::memory::Payment;
use billing_core::limits::{BAD_DEBT_MAX, GOODWILL_MAX, LATE_FEE_MAX, REGISTER_JUMP};
use billing_wire::{
    AccountId, AdjustmentReason, Command, Date, MeterId, MeterRead, OpId, ReadQuality,
    ReversalReason, ServicePointId,
};

/// Largest usual payment, in minor units.
const PAYMENT_MAX: u64 = 1_000_000;
/// Meters that are read.
const METERS: u64 = 64;
/// One in so many intents goes wrong without ill will.
const SLIP: u64 = 16;

impl Generator {
    /// A payment to an account, remembered for reversals.
    pub(super) fn payment(&mut self, account: AccountId) -> Command {
        let amount = self.amount();
        let command = self.payment_of(account, amount);
        let Command::RecordPayment { provider, external_ref, .. } = &command else {
            unreachable!("a payment was made")
        };
        let op_id = OpId::of_fact(provider, external_ref);
        self.memory.remember_payment(Payment { op_id, amount });
        command
    }

    /// A payment of a given amount, not remembered.
    pub(super) fn payment_of(&mut self, account: AccountId, amount: i64) -> Command {
        Command::RecordPayment {
            account,
            amount,
            date: self.date,
            provider: (*self.stream.pick(&["bank", "card", "giro"])).to_owned(),
            external_ref: self.next_serial().to_string(),
        }
    }

    /// Minor units; small and large amounts as often.
    pub(super) fn amount(&mut self) -> i64 {
        self.stream.log_uniform(1, PAYMENT_MAX) as i64
    }

    /// One more account at a service point of its own.
    pub(super) fn new_account(&mut self) -> Command {
        let account = self.memory.open_next();
        Command::OpenAccount { account, service_point: ServicePointId(account.0), date: self.date }
    }

    /// Mostly one more account.
    pub(super) fn open_account(&mut self) -> Option<Command> {
        if self.stream.below(SLIP) != 0 {
            return Some(self.new_account());
        }
        let account = self.memory.account(&mut self.stream);
        let other = self.memory.unknown_account(&mut self.stream);
        let (account, service_point) = match self.stream.below(2) {
            0 => (account, ServicePointId(other.0)),
            _ => (other, ServicePointId(account.0)),
        };
        Some(Command::OpenAccount { account, service_point, date: self.date })
    }

    /// Mostly a few readings, sometimes a whole command full of them.
    pub(super) fn meter_read(&mut self) -> Option<Command> {
        let count = match self.stream.below(32) {
            0 => 100,
            _ => self.stream.range(1, 3),
        };
        let reads = (0..count).map(|_| self.one_read()).collect();
        Some(Command::RecordRead { reads })
    }

    fn one_read(&mut self) -> MeterRead {
        let meter = MeterId(1 + self.stream.below(METERS));
        let date = Date(self.date.0 - self.stream.below(7) as u32);
        // A register rises from day to day, falls now and then, or jumps.
        let usual = u64::from(date.0) * 1_000 + self.stream.below(1_500);
        let register = match self.stream.below(SLIP) {
            0 => usual / 2,
            1 => usual + REGISTER_JUMP + 1,
            _ => usual,
        };
        let qualities = [ReadQuality::Estimated, ReadQuality::Customer, ReadQuality::Actual];
        MeterRead { meter, date, register, quality: *self.stream.pick(&qualities) }
    }

    /// Mostly within the reason's limit and to an account that is open.
    pub(super) fn adjustment(&mut self) -> Option<Command> {
        let (reason, limit) = *self.stream.pick(&[
            (AdjustmentReason::Goodwill, GOODWILL_MAX),
            (AdjustmentReason::LateFee, LATE_FEE_MAX),
            (AdjustmentReason::BadDebt, BAD_DEBT_MAX),
        ]);
        let amount = match self.stream.below(SLIP) {
            0 => limit + 1,
            1 => limit,
            _ => self.stream.log_uniform(1, limit as u64) as i64,
        };
        let account = match self.stream.below(SLIP) {
            0 => self.memory.unknown_account(&mut self.stream),
            _ => self.memory.account(&mut self.stream),
        };
        Some(Command::PostAdjustment { account, amount, reason, date: self.date })
    }

    /// The first reversal of a payment that was reported.
    pub(super) fn reversal(&mut self) -> Option<Command> {
        let payment = self.memory.take_back(&mut self.stream)?;
        Some(self.reversal_of(payment.op_id, payment.amount))
    }

    /// A reversal of an operation by an amount.
    pub(super) fn reversal_of(&mut self, payment: OpId, amount: i64) -> Command {
        let reason = *self.stream.pick(&[ReversalReason::Bounced, ReversalReason::ChargeBack]);
        Command::ReversePayment { payment, amount, reason, date: self.date }
    }
}
