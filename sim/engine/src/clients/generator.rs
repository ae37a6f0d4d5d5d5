//! What clients ask next: the scenario's mix, with the seed's own taste, and their mistakes.

use super::billing::Billing;
use super::memory::Memory;
use crate::scenario::{Load, Misbehaviour};
use crate::seed::Stream;
use billing_wire::{Command, Date, OpId, Submission};
use billsim_oracle::history::Request;

/// The civil date at the start: 2024-10-04. A simulated second is a day.
const FIRST_DATE: u32 = 20_000;
/// After so many days the dates start again, so that a long run stays within the legal ones.
const DATES: u64 = 10_000;

/// An operation to come, and how its client behaves.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) request: Request,
    /// The same was sent before.
    pub(super) echo: bool,
    /// A second session sends it at once.
    pub(super) twin: bool,
    /// A second session sends this at once.
    pub(super) rival: Option<Box<Draft>>,
    /// That session talks to another region.
    pub(super) across: bool,
    /// First sendings with next to no patience.
    pub(super) hurried: u32,
    /// That patience, in milliseconds.
    pub(super) hurried_ms: u64,
    /// Sendings after it was acknowledged.
    pub(super) more: u32,
}

impl Draft {
    pub(super) fn of(request: Request) -> Self {
        let (rival, across) = (None, false);
        let (hurried, hurried_ms, more) = (0, 0, 0);
        Self { request, echo: false, twin: false, rival, across, hurried, hurried_ms, more }
    }

    /// The two at once, in two regions.
    pub(super) fn against(self, rival: Self) -> Self {
        Self { rival: Some(Box::new(rival)), across: true, ..self }
    }
}

/// Draws operations.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) stream: Stream,
    pub(super) memory: Memory,
    pub(super) billing: Billing,
    /// Weights in the order of [`super::commands`] and [`super::queries`].
    mix: [u32; 9],
    /// Weights of mistakes, in parts per million, and of none.
    mistakes: [u32; 8],
    /// Accounts to open before the mix sets in.
    to_open: u64,
    /// Numbers the payments.
    serial: u64,
    /// Today.
    pub(super) date: Date,
}

impl Generator {
    /// `billing` draws what is about bills, `stream` everything else.
    pub(super) fn new(load: &Load, regions: u8, mut stream: Stream, billing: Stream) -> Self {
        let m = &load.mix;
        let mut mix = [
            m.payment,
            m.open_account,
            m.meter_read,
            m.adjustment,
            m.reversal,
            m.balance,
            m.history,
            m.operation,
            m.trial_balance,
        ];
        let billing = Billing::new(load, mix.iter().sum(), regions, billing);
        // Swarm: a seed does without some operations and mistakes, never without payments and
        // accounts; what the others do to each other then shows more clearly.
        for weight in &mut mix[2..] {
            if stream.below(8) == 0 && !load.whole_mix {
                *weight = 0;
            }
        }
        let mistakes = mistakes(&load.misbehaviour, &mut stream);
        let to_open = load.accounts.into();
        let memory = Memory::default();
        let date = Date(FIRST_DATE);
        Self { stream, memory, billing, mix, mistakes, to_open, serial: 0, date }
    }

    /// What a client asks now.
    pub(super) fn next(&mut self, now: u64) -> Draft {
        self.date = Date(FIRST_DATE + (now / 1_000_000_000 % DATES) as u32);
        if self.memory.opened() < self.to_open && self.stream.below(4) != 0 {
            let command = self.new_account();
            return self.submit(command);
        }
        if let Some(draft) = self.billing() {
            return draft;
        }
        let kind = self.stream.weighted(&self.mix);
        if kind >= 5 {
            return Draft::of(Request::Read(self.query(kind - 5)));
        }
        match self.stream.weighted(&self.mistakes) {
            0 => self.other_body(),
            1 => self.out_of_range(),
            2 => self.retry_storm(),
            3 => self.unknown_account(),
            4 => self.early_reversal(),
            5 => self.wrong_reversal(),
            6 => self.duplicate(),
            _ => self.correct(kind),
        }
    }

    /// A well-behaved write.
    fn correct(&mut self, kind: usize) -> Draft {
        let command = match kind {
            1 => self.open_account(),
            2 => self.meter_read(),
            3 => self.adjustment(),
            4 => self.reversal(),
            _ => None,
        };
        match command {
            Some(command) => self.submit(command),
            None => self.pay(),
        }
    }

    /// A payment: one that is overdue, or a new one.
    pub(super) fn pay(&mut self) -> Draft {
        if let Some(submission) = self.memory.release(&mut self.stream) {
            self.memory.remember(&submission);
            return Draft::of(Request::write(submission, None));
        }
        let account = self.memory.account(&mut self.stream);
        let command = self.payment(account);
        self.submit(command)
    }

    /// A payment that nothing is wrong with, never sent before.
    pub(super) fn proof_of_life(&mut self) -> Draft {
        let account = self.memory.account(&mut self.stream);
        let command = self.payment(account);
        self.submit(command)
    }

    /// A new operation with this body: payments have the identity of the outside fact.
    pub(super) fn submit(&mut self, command: Command) -> Draft {
        let submission = self.submission(command);
        self.memory.remember(&submission);
        Draft::of(Request::write(submission, None))
    }

    pub(super) fn submission(&mut self, command: Command) -> Submission {
        let op_id = match &command {
            Command::RecordPayment { provider, external_ref, .. } => {
                OpId::of_fact(provider, external_ref)
            }
            _ => self.new_op_id(),
        };
        Submission { op_id, command }
    }

    pub(super) fn new_op_id(&mut self) -> OpId {
        let high = u128::from(self.stream.next_u64());
        OpId((high << 64) | u128::from(self.stream.next_u64()))
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

fn mistakes(odd: &Misbehaviour, stream: &mut Stream) -> [u32; 8] {
    let mut weights = [
        odd.other_body_ppm,
        odd.out_of_range_ppm,
        odd.retry_storm_ppm,
        odd.unknown_account_ppm,
        odd.early_reversal_ppm,
        odd.wrong_reversal_ppm,
        odd.concurrent_duplicate_ppm,
        0,
    ];
    for weight in &mut weights {
        if stream.below(4) == 0 {
            *weight = 0;
        }
    }
    weights[7] = 1_000_000 - weights[..7].iter().sum::<u32>();
    weights
}
