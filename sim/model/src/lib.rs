//! The reference fold: what the booking rules make of the merged order, written a second time and
//! as plainly as possible. It shares the wire format with the node and nothing else, keeps
//! everything in maps, and remembers at which step each fact appeared, so that it can answer any
//! query as of any earlier frontier. It checks nothing: the oracles do.

pub mod bounds;

mod booking;
mod identity;
mod invoices;
mod meter_reads;
mod payments;
mod queries;
mod refunds;
mod subledger;
mod waiting;

pub use identity::Operation;
pub use meter_reads::BestRead;
pub use refunds::RefundedPayment;

use billing_wire::{
    AccountId, BillingPeriod, CommandClass, Date, Disposition, DocumentKind, DocumentNumber,
    Frontier, HistoryItem, Incarnation, JournalLine, LedgerCode, MeterId, OpId, OutboxItem,
    OutcomeChain, Position, RecordView, RegionId, ServicePointId, SuspenseItem, TrialBalanceView,
};
use invoices::{Effective, Filed};
use payments::{Parked, Payment};
use refunds::Refund;
use std::collections::{BTreeMap, BTreeSet};
use subledger::Account;
use waiting::Waiting;

/// How many records were folded: the model's own time. 0 is the empty cluster.
pub type Step = u64;

/// What became of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its operation.
    pub op_id: OpId,
    /// Where it stands.
    pub position: Position,
    /// Fact or intent; `None` when the body is no command of this release.
    pub class: Option<CommandClass>,
    /// Its one end.
    pub disposition: Disposition,
    /// Journal lines in booking order, derived lines included; empty or summing to 0.
    pub lines: Vec<JournalLine>,
}

/// The fold after a number of records.
#[derive(Debug, Clone, Copy)]
struct Mark {
    frontier: Frontier,
    chain: OutcomeChain,
}

/// The reference fold of one cluster, from its first record on.
#[derive(Debug)]
pub struct Model {
    /// One per step, the first for step 0.
    marks: Vec<Mark>,
    operations: BTreeMap<OpId, Operation>,
    accounts: BTreeMap<AccountId, Account>,
    service_points: BTreeSet<ServicePointId>,
    payments: BTreeMap<OpId, Payment>,
    /// Payments in suspense per account that they wait for, in merged order.
    waiting: BTreeMap<AccountId, Vec<OpId>>,
    /// Reversals by the payment that has not appeared, or appeared with another amount.
    parked: BTreeMap<OpId, Parked>,
    reads: BTreeMap<(MeterId, Date), BestRead>,
    /// Money in suspense.
    suspense: Waiting<SuspenseItem>,
    refunds: BTreeMap<OpId, Refund>,
    /// Refunds that are not paid out.
    outbox: Waiting<OutboxItem>,
    /// The last number of each series.
    series: BTreeMap<(RegionId, Incarnation, DocumentKind), u64>,
    documents: BTreeMap<DocumentNumber, Filed>,
    effective: BTreeMap<(AccountId, BillingPeriod), Effective>,
    /// Debit-positive sum per code, with the step from which on it holds.
    sums: BTreeMap<LedgerCode, Vec<(Step, i128)>>,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// An empty cluster.
    pub fn new() -> Self {
        Self {
            marks: vec![Mark { frontier: Frontier::default(), chain: OutcomeChain::default() }],
            operations: BTreeMap::new(),
            accounts: BTreeMap::new(),
            service_points: BTreeSet::new(),
            payments: BTreeMap::new(),
            waiting: BTreeMap::new(),
            parked: BTreeMap::new(),
            reads: BTreeMap::new(),
            suspense: Waiting::default(),
            refunds: BTreeMap::new(),
            outbox: Waiting::default(),
            series: BTreeMap::new(),
            documents: BTreeMap::new(),
            effective: BTreeMap::new(),
            sums: LedgerCode::ALL.iter().map(|code| (*code, vec![(0, 0)])).collect(),
        }
    }

    /// Folds the next record of the merged order; returns one outcome per submission, in order.
    ///
    /// # Panics
    /// When the record is not the next one of its region log: the caller feeds merged order.
    pub fn apply(&mut self, record: &RecordView<'_>) -> Vec<Outcome> {
        let Mark { mut frontier, mut chain } = self.last();
        let header = &record.header;
        let expected = frontier.of(header.region) + 1;
        assert_eq!(header.index, expected, "the model is fed each region log without a gap");
        frontier.set(header.region, header.index);
        let step = self.step() + 1;
        let mut outcomes = Vec::with_capacity(record.count.into());
        for submission in record.submissions() {
            let submission = submission.expect("a decoded record has whole submissions");
            let outcome = self.submit(&submission, header, step);
            chain.add(&outcome.position, outcome.op_id, &outcome.disposition, &outcome.lines);
            outcomes.push(outcome);
        }
        self.marks.push(Mark { frontier, chain });
        outcomes
    }

    fn last(&self) -> Mark {
        self.marks[self.marks.len() - 1]
    }

    /// Records folded so far.
    pub fn step(&self) -> Step {
        self.marks.len() as Step - 1
    }

    /// The step at which the fold stood exactly at `frontier`; `None` when it never did. Region
    /// logs are dense from 1, so a frontier's indices sum to its step.
    pub fn step_at(&self, frontier: &Frontier) -> Option<Step> {
        let step = frontier.0.iter().try_fold(0_u64, |sum, index| sum.checked_add(*index))?;
        let mark = self.marks.get(usize::try_from(step).ok()?)?;
        (mark.frontier == *frontier).then_some(step)
    }

    /// The last step at which the fold held nothing beyond `frontier`.
    pub fn last_step_within(&self, frontier: &Frontier) -> Step {
        let is_within = |mark: &Mark| frontier.covers(&mark.frontier);
        (self.marks.partition_point(is_within) as Step).saturating_sub(1)
    }

    /// Entries folded per region at a step.
    pub fn frontier_at(&self, step: Step) -> Option<Frontier> {
        self.marks.get(usize::try_from(step).ok()?).map(|mark| mark.frontier)
    }

    /// Entries folded per region.
    pub fn frontier(&self) -> Frontier {
        self.last().frontier
    }

    /// The chain over everything folded.
    pub fn chain(&self) -> OutcomeChain {
        self.last().chain
    }

    /// The chain as it was at a step.
    pub fn chain_at(&self, step: Step) -> Option<OutcomeChain> {
        self.marks.get(usize::try_from(step).ok()?).map(|mark| mark.chain)
    }

    /// Every open account, ascending.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.keys().copied()
    }

    /// Balance of an account; `None` when it is not open.
    pub fn balance(&self, account: AccountId) -> Option<i64> {
        self.accounts.get(&account).map(Account::balance)
    }

    /// Everything that happened to an account, oldest first.
    pub fn history(&self, account: AccountId) -> Vec<HistoryItem> {
        self.accounts.get(&account).map_or_else(Vec::new, Account::items)
    }

    /// The first submission of an operation in merged order.
    pub fn operation(&self, op_id: OpId) -> Option<&Operation> {
        self.operations.get(&op_id)
    }

    /// Every operation that was logged, ascending.
    pub fn operations(&self) -> impl Iterator<Item = (OpId, &Operation)> {
        self.operations.iter().map(|(op_id, operation)| (*op_id, operation))
    }

    /// The best read of a meter on a day.
    pub fn best_read(&self, meter: MeterId, date: Date) -> Option<&BestRead> {
        self.reads.get(&(meter, date))
    }

    /// Sum of every account of the general ledger.
    pub fn trial_balance(&self) -> TrialBalanceView {
        self.trial_balance_at(self.step())
    }
}

#[cfg(test)]
mod tests;
