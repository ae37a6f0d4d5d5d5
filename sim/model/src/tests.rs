//! The booking rules as examples and as properties.

use crate::{Model, Outcome};
use billing_wire::{
    AccountId, AdjustmentReason, Command, Date, DenyReason, Disposition, Frontier, Hlc,
    Incarnation, LedgerCode, MeterId, MeterRead, OpId, OperationState, Position, Query,
    QueryResult, ReadQuality, Record, RecordHeader, RecordKind, RecordView, RedirectReason,
    RegionId, RegionMode, ReversalReason, ServicePointId, Submission,
};
use proptest::prelude::*;

const TODAY: Date = Date(20_000);

/// A model and the records that it has folded.
#[derive(Default)]
struct Books {
    model: Model,
    records: Vec<Vec<u8>>,
}

impl Books {
    fn fold(&mut self, submissions: Vec<Submission>) -> Vec<Outcome> {
        let index = self.records.len() as u64 + 1;
        let header = RecordHeader {
            kind: RecordKind::Submissions,
            region: RegionId(0),
            incarnation: Incarnation(0),
            index,
            term: 1,
            hlc: Hlc(index * 10),
            geo_index: 0,
            mode: RegionMode::Geo,
            prev_hash: [0; 32],
            hash: [0; 32],
        };
        let bytes = Record { header, submissions }.encode();
        let outcomes = self.model.apply(&RecordView::decode(&bytes).expect("just encoded"));
        self.records.push(bytes);
        outcomes
    }

    fn submit(&mut self, op: u128, command: Command) -> Outcome {
        self.fold(vec![Submission { op_id: OpId(op), command }]).remove(0)
    }

    /// Submits and compares the end and the lines, each as code, account (0: none) and amount.
    #[track_caller]
    fn expect(&mut self, op: u128, command: Command, end: Disposition, lines: &[(u16, u64, i64)]) {
        let outcome = self.submit(op, command);
        let found: Vec<_> = outcome
            .lines
            .iter()
            .map(|line| (line.code.0, line.account.map_or(0, |account| account.0), line.amount))
            .collect();
        assert_eq!((outcome.disposition, found.as_slice()), (end, lines));
    }

    fn place_of(&self, op: u128) -> Position {
        self.model.operation(OpId(op)).expect("was submitted").position
    }

    /// Sequence, operation, amount and balance of each item.
    fn history(&self, account: u64) -> Vec<(u64, u128, i64, i64)> {
        let items = self.model.history(AccountId(account));
        items.iter().map(|i| (i.sequence, i.op_id.0, i.amount, i.balance)).collect()
    }
}

fn open(account: u64, service_point: u64) -> Command {
    let service_point = ServicePointId(service_point);
    Command::OpenAccount { account: AccountId(account), service_point, date: TODAY }
}

fn pay(account: u64, amount: i64) -> Command {
    let (provider, external_ref) = ("bank".to_owned(), String::new());
    Command::RecordPayment {
        account: AccountId(account),
        amount,
        date: TODAY,
        provider,
        external_ref,
    }
}

fn reverse(payment: u128, amount: i64) -> Command {
    let reason = ReversalReason::Bounced;
    Command::ReversePayment { payment: OpId(payment), amount, reason, date: TODAY }
}

fn adjust(account: u64, reason: AdjustmentReason, amount: i64) -> Command {
    Command::PostAdjustment { account: AccountId(account), amount, reason, date: TODAY }
}

fn read(date: u32, register: u64, quality: ReadQuality) -> Command {
    let read = MeterRead { meter: MeterId(1), date: Date(date), register, quality };
    Command::RecordRead { reads: vec![read] }
}

const APPLIED: Disposition = Disposition::Applied;

fn redirected(reason: RedirectReason) -> Disposition {
    Disposition::Redirected { reason }
}

fn denied(reason: DenyReason) -> Disposition {
    Disposition::Denied { reason }
}

#[test]
fn accounts_and_service_points_are_taken_once() {
    let mut books = Books::default();
    books.expect(1, open(1, 10), APPLIED, &[]);
    books.expect(2, open(1, 11), denied(DenyReason::AccountExists), &[]);
    books.expect(3, open(2, 10), denied(DenyReason::ServicePointTaken), &[]);
    books.expect(4, open(2, 11), APPLIED, &[]);
    assert_eq!(books.history(1), [(1, 1, 0, 0)]);
    assert_eq!(books.model.balance(AccountId(3)), None);
}

#[test]
fn suspense_is_swept_in_order_when_the_account_opens() {
    let mut books = Books::default();
    let unknown = redirected(RedirectReason::UnknownAccount);
    books.expect(1, pay(1, 70), unknown, &[(1000, 0, 70), (2200, 0, -70)]);
    books.expect(2, pay(1, 30), unknown, &[(1000, 0, 30), (2200, 0, -30)]);
    books.expect(3, reverse(1, 70), APPLIED, &[(2200, 0, 70), (1000, 0, -70)]);
    books.expect(4, pay(1, 5), unknown, &[(1000, 0, 5), (2200, 0, -5)]);
    let swept = [(2200, 0, 30), (1100, 1, -30), (2200, 0, 5), (1100, 1, -5)];
    books.expect(5, open(1, 10), APPLIED, &swept);
    assert_eq!(books.history(1), [(1, 5, 0, 0), (2, 2, -30, -30), (3, 4, -5, -35)]);
    let opening = books.place_of(5);
    assert!(books.model.history(AccountId(1)).iter().all(|item| item.position == opening));
    books.expect(6, reverse(2, 30), APPLIED, &[(1100, 1, 30), (1000, 0, -30)]);
}

#[test]
fn a_payment_is_taken_back_once() {
    let mut books = Books::default();
    books.submit(1, open(1, 10));
    books.expect(2, pay(1, 500), APPLIED, &[(1000, 0, 500), (1100, 1, -500)]);
    let other = redirected(RedirectReason::NotThatPayment);
    books.expect(3, reverse(2, 499), other, &[(2200, 0, 499), (1000, 0, -499)]);
    books.expect(4, reverse(2, 500), APPLIED, &[(1100, 1, 500), (1000, 0, -500)]);
    let again = Disposition::Duplicate { of: books.place_of(4) };
    books.expect(5, reverse(2, 500), again, &[]);
    books.expect(6, reverse(1, 500), other, &[(2200, 0, 500), (1000, 0, -500)]);
    assert_eq!(books.history(1), [(1, 1, 0, 0), (2, 2, -500, -500), (3, 4, 500, 0)]);
}

#[test]
fn a_reversal_before_its_payment_waits_for_it() {
    let mut books = Books::default();
    books.submit(1, open(1, 10));
    let parked = redirected(RedirectReason::PaymentNotSeen);
    books.expect(2, reverse(3, 40), parked, &[(2200, 0, 40), (1000, 0, -40)]);
    let both = [(1000, 0, 40), (1100, 1, -40), (1100, 1, 40), (2200, 0, -40)];
    books.expect(3, pay(1, 40), APPLIED, &both);
    assert_eq!(books.history(1), [(1, 1, 0, 0), (2, 3, -40, -40), (3, 2, 40, 0)]);
    let again = Disposition::Duplicate { of: books.place_of(2) };
    books.expect(4, reverse(3, 40), again, &[]);
    // In suspense the two cancel without a line, and nothing is left to sweep.
    books.expect(5, reverse(6, 9), parked, &[(2200, 0, 9), (1000, 0, -9)]);
    let unknown = redirected(RedirectReason::UnknownAccount);
    books.expect(6, pay(2, 9), unknown, &[(1000, 0, 9), (2200, 0, -9)]);
    books.expect(7, open(2, 20), APPLIED, &[]);
    // Another amount stays for a person.
    books.expect(8, reverse(9, 1), parked, &[(2200, 0, 1), (1000, 0, -1)]);
    books.expect(9, pay(1, 2), APPLIED, &[(1000, 0, 2), (1100, 1, -2)]);
}

#[test]
fn another_body_never_reaches_the_account() {
    let mut books = Books::default();
    books.submit(1, open(1, 10));
    let mismatch = redirected(RedirectReason::FingerprintMismatch);
    books.expect(1, pay(1, 7), mismatch, &[(1000, 0, 7), (2200, 0, -7)]);
    books.expect(1, pay(1, 0), mismatch, &[]);
    books.expect(1, reverse(2, 7), mismatch, &[]);
    books.expect(1, open(2, 20), denied(DenyReason::FingerprintMismatch), &[]);
    let again = Disposition::Duplicate { of: books.place_of(1) };
    books.expect(1, open(1, 10), again, &[]);
    assert_eq!(books.history(1), [(1, 1, 0, 0)]);
}

#[test]
fn adjustments_keep_sign_and_limit() {
    use AdjustmentReason::{BadDebt, Goodwill, LateFee};
    let mut books = Books::default();
    books.submit(1, open(1, 10));
    books.expect(2, adjust(1, Goodwill, 3), APPLIED, &[(5100, 0, 3), (1100, 1, -3)]);
    books.expect(3, adjust(1, LateFee, 4), APPLIED, &[(1100, 1, 4), (4200, 0, -4)]);
    books.expect(4, adjust(1, BadDebt, 5), APPLIED, &[(5000, 0, 5), (1100, 1, -5)]);
    for (op, reason, limit) in
        [(5, Goodwill, 100_000), (6, LateFee, 10_000), (7, BadDebt, 10_000_000)]
    {
        books.expect(op, adjust(1, reason, limit + 1), denied(DenyReason::OverLimit), &[]);
        assert_eq!(books.submit(op + 10, adjust(1, reason, limit)).disposition, APPLIED);
    }
    books.expect(8, adjust(2, Goodwill, 1), denied(DenyReason::UnknownAccount), &[]);
    books.expect(9, adjust(1, Goodwill, 0), denied(DenyReason::OutOfRange), &[]);
}

#[test]
fn what_is_out_of_range_books_nothing() {
    let mut books = Books::default();
    let out = redirected(RedirectReason::OutOfRange);
    books.expect(1, pay(1, 0), out, &[]);
    books.expect(2, pay(1, 1_000_000_000_001), out, &[]);
    books.expect(3, read(7_304, 1, ReadQuality::Actual), out, &[]);
    books.expect(4, read(20_000, (1 << 48) + 1, ReadQuality::Actual), out, &[]);
    books.expect(5, Command::RecordRead { reads: Vec::new() }, out, &[]);
    // A payment that booked nothing is no payment.
    let other = redirected(RedirectReason::NotThatPayment);
    books.expect(6, reverse(1, 5), other, &[(2200, 0, 5), (1000, 0, -5)]);
}

#[test]
fn the_best_read_wins_and_jumps_are_flagged() {
    use ReadQuality::{Actual, Customer, Estimated};
    let mut books = Books::default();
    for (op, date, register, quality) in [
        (1, 20_000, 100, Actual),
        (2, 20_000, 101, Customer),
        (3, 20_010, 200, Estimated),
        (4, 20_010, 99, Customer),
        (5, 20_020, 100_000_100, Actual),
    ] {
        books.expect(op, read(date, register, quality), APPLIED, &[]);
    }
    let best =
        |date| books.model.best_read(MeterId(1), Date(date)).map(|r| (r.register, r.flagged));
    assert_eq!(best(20_000), Some((100, false)));
    assert_eq!(best(20_010), Some((99, true)));
    assert_eq!(best(20_020), Some((100_000_100, true)));
}

#[test]
fn pages_and_steps_are_exact() {
    let mut books = Books::default();
    books.submit(1, open(1, 10));
    for op in 2..6 {
        books.submit(op, pay(1, 1));
    }
    let page = |after, limit, step| {
        let query = Query::History { account: AccountId(1), after, limit };
        match books.model.answer(&query, step, Hlc::ZERO) {
            QueryResult::History(page) => (page.items.len(), page.next),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(page(0, 2, 5), (2, Some(2)));
    assert_eq!(page(2, 3, 5), (3, None));
    assert_eq!(page(2, 3, 4), (2, None));
    assert_eq!(page(9, 3, 5), (0, None));
    let unborn = books.model.answer(&Query::Balance { account: AccountId(1) }, 0, Hlc::ZERO);
    assert_eq!(unborn, QueryResult::UnknownAccount(AccountId(1)));
    let look = |step, watermark| {
        let answer = books.model.answer(&Query::Operation { op_id: OpId(2) }, step, watermark);
        match answer {
            QueryResult::Operation(state) => state,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(look(1, Hlc(99)), OperationState::NotSeen);
    assert!(matches!(look(2, Hlc(19)), OperationState::Provisional { .. }));
    assert!(matches!(look(2, Hlc(20)), OperationState::Final { .. }));
    let mut frontier = Frontier::default();
    frontier.set(RegionId(0), 4);
    assert_eq!(books.model.step_at(&frontier), Some(4));
    frontier.set(RegionId(1), 1);
    assert_eq!(books.model.step_at(&frontier), None);
}

fn command() -> impl Strategy<Value = Command> {
    let amount = prop_oneof![Just(5), Just(7), Just(0), 1_i64..200_000];
    let reason = prop_oneof![
        Just(AdjustmentReason::Goodwill),
        Just(AdjustmentReason::LateFee),
        Just(AdjustmentReason::BadDebt)
    ];
    prop_oneof![
        (1_u64..4, 1_u64..5).prop_map(|(account, point)| open(account, point)),
        (1_u64..4, amount.clone()).prop_map(|(account, amount)| pay(account, amount)),
        (1_u128..24, amount.clone()).prop_map(|(payment, amount)| reverse(payment, amount)),
        (1_u64..4, reason, amount).prop_map(|(account, reason, a)| adjust(account, reason, a)),
        (20_000_u32..20_003, 0_u64..9).prop_map(|(d, r)| read(d, r, ReadQuality::Actual)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The ledger balances after every record, receivables equal the customers' balances,
    /// duplicates have no lines, and an answer about the past is what was answered then.
    #[test]
    fn books_always_balance(
        load in prop::collection::vec(
            prop::collection::vec((1_u128..24, command()), 1..4),
            1..40,
        )
    ) {
        let mut books = Books::default();
        let queries: Vec<_> = (1..4)
            .flat_map(|account| {
                let account = AccountId(account);
                [Query::Balance { account }, Query::History { account, after: 1, limit: 2 }]
            })
            .chain([Query::TrialBalance, Query::Operation { op_id: OpId(3) }])
            .collect();
        let mut then = Vec::new();
        for record in load {
            let submissions = record
                .into_iter()
                .map(|(op, command)| Submission { op_id: OpId(op), command })
                .collect();
            for outcome in books.fold(submissions) {
                let sum: i64 = outcome.lines.iter().map(|line| line.amount).sum();
                prop_assert_eq!(sum, 0);
                let duplicate = matches!(outcome.disposition, Disposition::Duplicate { .. });
                prop_assert!(!duplicate || outcome.lines.is_empty());
            }
            let sums = books.model.trial_balance().sums;
            prop_assert_eq!(sums.iter().map(|(_, sum)| *sum).sum::<i128>(), 0);
            let owed = sums.iter().find(|(code, _)| *code == LedgerCode::RECEIVABLE);
            let balances = (1..4).filter_map(|account| books.model.balance(AccountId(account)));
            prop_assert_eq!(owed.map(|(_, s)| *s), Some(balances.map(i128::from).sum()));
            let step = books.model.step();
            let ask = |query| books.model.answer(query, step, Hlc(step * 10));
            then.push((step, queries.iter().map(ask).collect::<Vec<_>>()));
        }
        for (step, answers) in then {
            let ask = |query| books.model.answer(query, step, Hlc(step * 10));
            prop_assert_eq!(queries.iter().map(ask).collect::<Vec<_>>(), answers);
        }
    }
}
