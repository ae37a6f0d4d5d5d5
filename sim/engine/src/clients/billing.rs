//! What clients do about bills: close accounts, ask for refunds and invoices, report payouts, look
//! at documents. And races: two requests that cannot both have their way, sent to two regions at
//! once. All of it draws from a stream of its own, so that a load without it stays what it was.

use super::generator::{Draft, Generator};
use super::memory::Refund;
use crate::scenario::Load;
use crate::seed::Stream;
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Date, DocumentKind, DocumentNumber,
    Incarnation, OpId, Position, Query, Read, ReadLevel, RegionId, Submission, derived_op_id,
};
use billsim_oracle::history::Request;

/// One in so many intents goes wrong without ill will.
const SLIP: u64 = 16;
/// Numbers of documents that are looked up.
const ORDINALS: u64 = 60;

/// The stream, and how often each is asked for.
#[derive(Debug)]
pub(super) struct Billing {
    stream: Stream,
    /// First the weight of everything else; then in the order of [`Generator::billing_of`].
    mix: [u32; 14],
    regions: u64,
}

impl Billing {
    pub(super) fn new(load: &Load, others: u32, regions: u8, mut stream: Stream) -> Self {
        let mix = &load.mix;
        let mut mix = [
            others,
            mix.close_account,
            mix.refund,
            mix.payout,
            mix.invoice,
            mix.statement,
            mix.document,
            mix.suspense,
            mix.outbox,
            mix.payment_race,
            mix.refund_race,
            mix.close_race,
            mix.invoice_race,
            mix.read_race,
        ];
        for weight in &mut mix[1..] {
            if *weight > 0 && stream.below(8) == 0 && !load.whole_mix {
                *weight = 0;
            }
        }
        Self { stream, mix, regions: regions.into() }
    }
}

impl Generator {
    /// What a client asks now, if it is about bills.
    pub(super) fn billing(&mut self) -> Option<Draft> {
        if self.billing.mix[1..].iter().all(|weight| *weight == 0) {
            return None;
        }
        let kind = self.billing.stream.weighted(&self.billing.mix);
        self.billing_of(kind)
    }

    fn billing_of(&mut self, kind: usize) -> Option<Draft> {
        match kind {
            1 => self.close_account(),
            2 => self.refund(),
            3 => self.payout(),
            4 => {
                let (account, period) = (self.any_account(), self.month());
                Some(self.invoice(account, period))
            }
            5..=8 => Some(self.look_at_books(kind)),
            9 => Some(self.payment_race()),
            10 => self.refund_race(),
            11 => self.close_race(),
            12 => Some(self.invoice_race()),
            13 => Some(self.read_race()),
            _ => None,
        }
    }

    /// Mostly an account whose final bill was asked for.
    fn close_account(&mut self) -> Option<Draft> {
        let account = self.account_to_close()?;
        let date = self.date;
        Some(self.ask(Command::CloseAccount { account, date }))
    }

    fn account_to_close(&mut self) -> Option<AccountId> {
        if self.billing.stream.below(4) == 0 {
            return Some(self.any_account());
        }
        self.memory.billed(BillingPeriod::of(self.date), &mut self.billing.stream)
    }

    /// A refund of a payment, mostly of a part, now and then of more than it.
    fn refund(&mut self) -> Option<Draft> {
        let payment = self.memory.payment(&mut self.billing.stream)?;
        let amount = match self.billing.stream.below(SLIP) {
            0 => payment.amount + 1,
            1..6 => payment.amount,
            _ => self.billing.stream.log_uniform(1, payment.amount as u64) as i64,
        };
        let payment = match self.billing.stream.below(SLIP) {
            0 => self.memory.recent(&mut self.billing.stream)?.op_id,
            _ => payment.op_id,
        };
        Some(self.ask_refund(payment, amount))
    }

    fn ask_refund(&mut self, payment: OpId, amount: i64) -> Draft {
        let date = self.date;
        let draft = self.ask(Command::RequestRefund { payment, amount, date });
        if let Request::Write(submission, ..) = &draft.request {
            self.memory.remember_refund(Refund { op_id: submission.op_id, amount });
        }
        draft
    }

    /// The bank says that a refund was paid out, sometimes to two regions at once, now and then
    /// with an amount that was not asked.
    fn payout(&mut self) -> Option<Draft> {
        let refund = self.memory.take_refund(&mut self.billing.stream)?;
        let slips = self.billing.stream.below(SLIP) == 0;
        let amount = refund.amount + i64::from(slips);
        let date = self.date;
        let twin = self.billing.stream.below(4) == 0;
        let draft = self.ask(Command::ConfirmPayout { refund: refund.op_id, amount, date });
        Some(Draft { twin, across: twin, ..draft })
    }

    fn invoice(&mut self, account: AccountId, period: BillingPeriod) -> Draft {
        self.memory.remember_billed(account, period);
        let date = self.date;
        self.ask(Command::IssueInvoice { account, period, date })
    }

    /// Mostly this month, the one before, or the next.
    fn month(&mut self) -> BillingPeriod {
        let now = BillingPeriod::of(self.date).0;
        BillingPeriod(match self.billing.stream.below(8) {
            0 => now + 1,
            1..4 => now - 1,
            _ => now,
        })
    }

    /// Any account that was asked to be opened, each as often; seldom one that is not.
    fn any_account(&mut self) -> AccountId {
        match self.billing.stream.below(2 * SLIP) {
            0 => self.memory.unknown_account(&mut self.billing.stream),
            _ => AccountId(1 + self.billing.stream.below(self.memory.opened().max(1))),
        }
    }

    /// A new operation with this body; a report of a payout has the identity of the outside fact.
    fn ask(&mut self, command: Command) -> Draft {
        let submission = self.identified(command);
        self.memory.remember(&submission);
        Draft::of(Request::write(submission, None))
    }

    fn identified(&mut self, command: Command) -> Submission {
        let op_id = match &command {
            Command::ConfirmPayout { refund, .. } => derived_op_id(*refund, "paid"),
            Command::RecordPayment { provider, external_ref, .. } => {
                OpId::of_fact(provider, external_ref)
            }
            _ => {
                let high = u128::from(self.billing.stream.next_u64());
                OpId((high << 64) | u128::from(self.billing.stream.next_u64()))
            }
        };
        Submission { op_id, command }
    }

    /// 5 a statement, 6 documents, 7 suspense, 8 the outbox.
    fn look_at_books(&mut self, kind: usize) -> Draft {
        let limit = self.billing.stream.log_uniform(1, HISTORY_PAGE_MAX.into()) as u16;
        let account = self.any_account();
        let stream = &mut self.billing.stream;
        let query = match kind {
            5 => {
                let from = Date(self.date.0 - stream.below(40) as u32);
                let to = Date(from.0 + stream.below(40) as u32);
                Query::Statement { account, from, to, after: stream.log_uniform(0, 50), limit }
            }
            6 => match stream.below(3) {
                0 => {
                    let region = RegionId(stream.below(self.billing.regions) as u8);
                    let (incarnation, kind) = (Incarnation(0), DocumentKind::Invoice);
                    let ordinal = stream.log_uniform(1, ORDINALS);
                    let number = DocumentNumber { region, incarnation, kind, ordinal };
                    Query::Document { number }
                }
                1 => Query::Documents { account, after: stream.log_uniform(0, 4), limit },
                _ => Query::Invoice { account, period: self.month() },
            },
            7 => Query::Suspense { after: Position::default(), limit },
            _ => Query::Outbox { after: Position::default(), limit },
        };
        let level = match self.billing.stream.below(8) {
            0..2 => ReadLevel::Local,
            2..5 => ReadLevel::Session,
            _ => ReadLevel::Final,
        };
        Draft::of(Request::Read(Read { query, level, token: None }))
    }

    /// One payment that two regions hear of.
    fn payment_race(&mut self) -> Draft {
        let account = self.any_account();
        let command = self.bank_payment(account);
        Draft { twin: true, across: true, ..self.ask(command) }
    }

    fn bank_payment(&mut self, account: AccountId) -> Command {
        Command::RecordPayment {
            account,
            amount: self.billing.stream.log_uniform(1, 100_000) as i64,
            date: self.date,
            provider: "bank".to_owned(),
            external_ref: self.next_serial().to_string(),
        }
    }

    /// Two refunds of one payment, together more than it.
    fn refund_race(&mut self) -> Option<Draft> {
        let payment = self.memory.payment(&mut self.billing.stream)?;
        let least = payment.amount / 2 + 1;
        let part = self.billing.stream.range(least as u64, payment.amount as u64) as i64;
        let rival = self.ask_refund(payment.op_id, payment.amount);
        let draft = self.ask_refund(payment.op_id, part);
        Some(draft.against(rival))
    }

    /// A closing against something that a closed account does not take, or takes otherwise.
    fn close_race(&mut self) -> Option<Draft> {
        let account = self.account_to_close()?;
        let date = self.date;
        let close = self.ask(Command::CloseAccount { account, date });
        let other = match self.billing.stream.below(6) {
            0..3 => {
                let payment = self.bank_payment(account);
                self.ask(payment)
            }
            3 => {
                let (amount, reason) = (100, AdjustmentReason::LateFee);
                self.ask(Command::PostAdjustment { account, amount, reason, date })
            }
            4 => {
                let period = BillingPeriod(BillingPeriod::of(date).0 + 1);
                self.ask(Command::IssueInvoice { account, period, date })
            }
            _ => self.ask(Command::CloseAccount { account, date }),
        };
        Some(match self.billing.stream.below(2) {
            0 => close.against(other),
            _ => other.against(close),
        })
    }

    /// Two invoices of an account for one month.
    fn invoice_race(&mut self) -> Draft {
        let (account, period) = (self.any_account(), self.month());
        let rival = self.invoice(account, period);
        self.invoice(account, period).against(rival)
    }

    /// The same look at what is final, in two regions.
    fn read_race(&mut self) -> Draft {
        let (account, limit) = (self.any_account(), HISTORY_PAGE_MAX);
        let query = match self.billing.stream.below(4) {
            0 => Query::Balance { account },
            1 => Query::History { account, after: 0, limit },
            2 => Query::Suspense { after: Position::default(), limit },
            _ => Query::TrialBalance,
        };
        let look =
            || Draft::of(Request::Read(Read { query, level: ReadLevel::Final, token: None }));
        look().against(look())
    }
}
