//! A client population of one: opens accounts, pays, reads meters, adjusts, reverses, bills, looks
//! things up, and makes the mistakes that clients make. What has no answer is sent again under
//! the same `op_id`, at another node.

use crate::api::{NEW_YEAR, payment};
use crate::session::Session;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Date, MeterId, MeterRead, NodeId, OpId,
    Position, Query, ReadLevel, ReadQuality, ReversalReason, ServicePointId, Submission,
    WriteAnswer, derived_op_id,
};
use billsim_oracle::Answer;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Sendings of one operation before it is given up.
const ATTEMPTS_MAX: u32 = 60;
/// After an answer that was none.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Accounts lie close together, so that clients meet in them.
const ACCOUNTS_PER_CLIENT: u64 = 40;

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Each `stream` of a seed is one of its own.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The bias is below 1 in 2^50 for the small numbers of these tests.
        self.0.next_u64() % end
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    pub(crate) fn op_id(&mut self) -> OpId {
        OpId(u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64()))
    }
}

/// One client's life.
#[derive(Debug)]
pub(crate) struct Customer<'a> {
    session: Session<'a>,
    dice: Dice,
    nodes: Vec<NodeId>,
    /// How many clients there are, this one's number among them.
    clients: u64,
    number: u64,
    opened: u64,
    sent: Vec<Submission>,
}

impl<'a> Customer<'a> {
    pub(crate) fn new(
        session: Session<'a>,
        dice: Dice,
        nodes: Vec<NodeId>,
        (number, clients): (u64, u64),
    ) -> Self {
        Self { session, dice, nodes, clients, number, opened: 0, sent: Vec::new() }
    }

    /// Works until it is told to stop; what it has begun then, it finishes.
    pub(crate) fn live(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.dice.below(100) {
                0..25 => self.look(),
                25..28 => self.send_again(),
                28..30 => self.send_another_body(),
                _ => {
                    let command = self.draw();
                    let op_id = match &command {
                        Command::ConfirmPayout { refund, .. } => derived_op_id(*refund, "paid"),
                        _ => self.dice.op_id(),
                    };
                    let submission = Submission { op_id, command };
                    self.submit(&submission);
                    self.sent.push(submission);
                }
            }
            sleep(self.dice.milliseconds(1, 8));
        }
    }

    fn submit(&mut self, submission: &Submission) {
        for attempt in 0..ATTEMPTS_MAX {
            let node = self.dice.pick(&self.nodes);
            match self.session.write(node, submission, attempt > 0) {
                Answer::Write(
                    WriteAnswer::Done(_) | WriteAnswer::Conflict { .. } | WriteAnswer::Refused(_),
                ) => return,
                _ => sleep(RETRY_PAUSE),
            }
        }
    }

    fn draw(&mut self) -> Command {
        if self.opened == 0 {
            return self.open();
        }
        match self.dice.below(20) {
            0..3 => self.open(),
            3..5 => self.record_read(),
            5..7 => self.adjust(),
            7..8 => self.reverse(),
            8..9 => self.bill(),
            _ => {
                let (account, amount) = (self.account(), 1 + self.dice.below(50_000) as i64);
                let external_ref = format!("{}-{}", self.number, self.sent.len());
                payment(account, amount, &external_ref)
            }
        }
    }

    fn open(&mut self) -> Command {
        // Beyond its own accounts it asks for those that it has: denied.
        let place = self.opened % ACCOUNTS_PER_CLIENT;
        self.opened += 1;
        let account = self.number + self.clients * place;
        let service_point = ServicePointId(account);
        Command::OpenAccount { account: AccountId(account), service_point, date: self.date() }
    }

    fn record_read(&mut self) -> Command {
        let quality = [ReadQuality::Estimated, ReadQuality::Customer, ReadQuality::Actual];
        let reads = (0..1 + self.dice.below(3))
            .map(|_| MeterRead {
                meter: MeterId(self.dice.below(20)),
                date: self.date(),
                register: self.dice.below(100_000),
                quality: self.dice.pick(&quality),
            })
            .collect();
        Command::RecordRead { reads }
    }

    fn adjust(&mut self) -> Command {
        let reasons =
            [AdjustmentReason::Goodwill, AdjustmentReason::LateFee, AdjustmentReason::BadDebt];
        Command::PostAdjustment {
            account: self.account(),
            amount: 1 + self.dice.below(3_000) as i64,
            reason: self.dice.pick(&reasons),
            date: self.date(),
        }
    }

    fn reverse(&mut self) -> Command {
        let payment_of = |sent: &Submission| match sent.command {
            Command::RecordPayment { amount, .. } => Some((sent.op_id, amount)),
            _ => None,
        };
        let payments: Vec<_> = self.sent.iter().filter_map(payment_of).collect();
        let (payment, amount) = match payments.as_slice() {
            // The bank names a payment that nobody reported.
            [] => (self.dice.op_id(), 500),
            payments => self.dice.pick(payments),
        };
        let reason = self.dice.pick(&[ReversalReason::Bounced, ReversalReason::ChargeBack]);
        Command::ReversePayment { payment, amount, reason, date: self.date() }
    }

    /// A refund, its payout, an invoice or a closing.
    fn bill(&mut self) -> Command {
        let (date, account) = (self.date(), self.account());
        let paid = |sent: &Submission| match sent.command {
            Command::RecordPayment { amount, .. } => Some((sent.op_id, amount)),
            _ => None,
        };
        let granted = |sent: &Submission| match sent.command {
            Command::RequestRefund { amount, .. } => Some((sent.op_id, amount)),
            _ => None,
        };
        let (payment, refund) =
            (self.sent.iter().rev().find_map(paid), self.sent.iter().rev().find_map(granted));
        match (self.dice.below(6), payment, refund) {
            (0, ..) => Command::CloseAccount { account, date },
            (1 | 2, Some((payment, amount)), _) => {
                let amount = 1 + self.dice.below(amount as u64) as i64;
                Command::RequestRefund { payment, amount, date }
            }
            (3, _, Some((refund, amount))) => Command::ConfirmPayout { refund, amount, date },
            _ => Command::IssueInvoice { account, period: BillingPeriod::of(date), date },
        }
    }

    /// Mostly own accounts, some of other clients, some that nobody has opened.
    fn account(&mut self) -> AccountId {
        let own = self.opened.min(ACCOUNTS_PER_CLIENT);
        let (client, place) = match self.dice.below(10) {
            0..7 => (self.number, self.dice.below(own)),
            _ => (self.dice.below(self.clients), self.dice.below(ACCOUNTS_PER_CLIENT)),
        };
        AccountId(client + self.clients * place)
    }

    fn date(&mut self) -> Date {
        Date(NEW_YEAR.0 + self.dice.below(31) as u32)
    }

    fn look(&mut self) {
        let node = self.dice.pick(&self.nodes);
        let levels = [ReadLevel::Local, ReadLevel::Session, ReadLevel::Session, ReadLevel::Final];
        let level = self.dice.pick(&levels);
        let account = if self.opened == 0 { AccountId(0) } else { self.account() };
        let (from, to, after, limit) = (NEW_YEAR, self.date(), Position::default(), 5);
        let query = match self.dice.below(15) {
            0..4 => Query::Balance { account },
            4..6 => Query::History { account, after: self.dice.below(4), limit: 5 },
            6..9 => match self.sent.last() {
                Some(sent) => Query::Operation { op_id: sent.op_id },
                None => return,
            },
            9 => Query::Statement { account, from, to, after: 0, limit },
            10 => Query::Documents { account, after: 0, limit },
            11 => Query::Invoice { account, period: BillingPeriod::of(from) },
            12 => Query::Suspense { after, limit },
            13 => Query::Outbox { after, limit },
            _ => Query::TrialBalance,
        };
        self.session.read(node, query, level);
    }

    /// A client that has an answer forgot that it has.
    fn send_again(&mut self) {
        if let Some(sent) = self.sent.last().cloned() {
            self.submit(&sent);
        }
    }

    /// A client that uses a key twice.
    fn send_another_body(&mut self) {
        let Some(op_id) = self.sent.last().map(|sent| sent.op_id) else { return };
        let command = payment(self.account(), 7, "key used twice");
        self.submit(&Submission { op_id, command });
    }
}
