//! However often the ledger is committed, crashed and opened again, and however few rows it may
//! keep in memory, it comes to the same rows, sums and decisions as one fold in one go.

mod ledger_support;

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{LedgerBatch, StoreError, Table};
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Date, HistoryPage, LedgerCode, MeterId,
    MeterRead, OpId, Position, Query, QueryResult, ReadQuality, Record, RecordKind, RecordView,
    ReversalReason, ServicePointId, Submission, derived_op_id,
};
use ledger_support::{MemoryStore, apply, commit, header, record, totals};
use proptest::prelude::*;
use proptest::sample::select;

/// What happens between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Nothing,
    /// A batch leaves.
    Take,
    /// It is committed.
    Committed,
    /// The power goes; the next ledger may keep so many rows in memory.
    Crash {
        cache_rows: usize,
    },
    /// So many of the next records are folded provisionally; the first ones of them become final,
    /// the others are taken back.
    Glance {
        ahead: usize,
        settle: usize,
    },
}

fn date() -> impl Strategy<Value = Date> {
    prop_oneof![20 => 20_000..20_010_u32, 1 => Just(0)].prop_map(Date)
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![10 => select(vec![10, 20, 30]), 1 => Just(0), 1 => Just(1_000_000_000_000)]
}

fn read() -> impl Strategy<Value = MeterRead> {
    let quality = select(vec![ReadQuality::Estimated, ReadQuality::Customer, ReadQuality::Actual]);
    (0..3_u64, date(), select(vec![5, 10, 500_000_000]), quality).prop_map(
        |(meter, date, register, quality)| MeterRead {
            meter: MeterId(meter),
            date,
            register,
            quality,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let account = || (0..6_u64).prop_map(AccountId);
    let adjustment = select(vec![
        AdjustmentReason::Goodwill,
        AdjustmentReason::LateFee,
        AdjustmentReason::BadDebt,
    ]);
    prop_oneof![
        1 => (account(), 0..6_u64, date()).prop_map(|(account, point, date)| {
            Command::OpenAccount { account, service_point: ServicePointId(point), date }
        }),
        4 => (account(), amount(), date()).prop_map(|(account, amount, date)| {
            let (provider, external_ref) = (String::new(), String::new());
            Command::RecordPayment { account, amount, date, provider, external_ref }
        }),
        2 => (account(), amount(), adjustment, date()).prop_map(
            |(account, amount, reason, date)| {
                Command::PostAdjustment { account, amount, reason, date }
            }
        ),
        3 => (0..40_u128, amount(), date()).prop_map(|(payment, amount, date)| {
            let reason = ReversalReason::ChargeBack;
            Command::ReversePayment { payment: OpId(payment), amount, reason, date }
        }),
        1 => prop::collection::vec(read(), 0..4).prop_map(|reads| Command::RecordRead { reads }),
        1 => (account(), date())
            .prop_map(|(account, date)| Command::CloseAccount { account, date }),
        2 => (0..40_u128, amount(), date()).prop_map(|(payment, amount, date)| {
            Command::RequestRefund { payment: OpId(payment), amount, date }
        }),
        1 => (0..40_u128, amount(), date()).prop_map(|(refund, amount, date)| {
            Command::ConfirmPayout { refund: OpId(refund), amount, date }
        }),
        2 => (account(), 656..660_u16, date()).prop_map(|(account, period, date)| {
            Command::IssueInvoice { account, period: BillingPeriod(period), date }
        }),
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    (0..40_u128, command(), any::<bool>()).prop_map(|(op_id, command, is_derived)| {
        let op_id = match &command {
            Command::ConfirmPayout { refund, .. } if is_derived => derived_op_id(*refund, "paid"),
            _ => OpId(op_id),
        };
        Submission { op_id, command }
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Nothing),
        3 => Just(Event::Take),
        3 => Just(Event::Committed),
        2 => select(vec![0, 3, 20, 10_000]).prop_map(|cache_rows| Event::Crash { cache_rows }),
        4 => (1..8_usize, 0..8_usize).prop_map(|(ahead, settle)| Event::Glance { ahead, settle }),
    ]
}

fn run() -> impl Strategy<Value = Vec<(Vec<Submission>, Event)>> {
    prop::collection::vec((prop::collection::vec(submission(), 0..6), event()), 1..40)
}

fn open(store: &MemoryStore, cache_rows: usize) -> Ledger {
    Ledger::open(cache_rows, Box::new(store.clone())).unwrap()
}

/// Records with the events that follow them; one without submissions is a no-op.
fn encoded(run: Vec<(Vec<Submission>, Event)>) -> Vec<(Vec<u8>, Event)> {
    let encode = |(index, (submissions, event)): (u64, (Vec<Submission>, Event))| {
        let bytes = if submissions.is_empty() {
            let noop = header(index, RecordKind::Noop);
            Record { header: noop, submissions }.encode()
        } else {
            record(index, submissions)
        };
        (bytes, event)
    };
    (1..).zip(run).map(encode).collect()
}

/// Everything that a client can see, and what two replicas compare.
#[derive(Debug, PartialEq)]
struct Sight {
    state_hash: u128,
    chain: u64,
    totals: Vec<(LedgerCode, i128)>,
    histories: Vec<Option<HistoryPage>>,
    operations: Vec<QueryResult>,
    documents: Vec<QueryResult>,
    suspense: QueryResult,
    outbox: QueryResult,
}

fn sight(ledger: &mut Ledger) -> Sight {
    let history = |ledger: &mut Ledger, account| {
        let account = AccountId(account);
        let query = Query::History { account, after: 0, limit: HISTORY_PAGE_MAX };
        match ledger.query(&query).unwrap() {
            QueryResult::History(page) => Some(page),
            _ => None,
        }
    };
    let operation = |ledger: &mut Ledger, op_id| {
        ledger.query(&Query::Operation { op_id: OpId(op_id) }).unwrap()
    };
    let documents = |ledger: &mut Ledger, account| {
        let account = AccountId(account);
        ledger.query(&Query::Documents { account, after: 0, limit: HISTORY_PAGE_MAX }).unwrap()
    };
    let (after, limit) = (Position::default(), HISTORY_PAGE_MAX);
    Sight {
        state_hash: ledger.state_hash(),
        chain: ledger.outcome_chain().0,
        totals: totals(ledger),
        histories: (0..6).map(|account| history(ledger, account)).collect(),
        operations: (0..40).map(|op_id| operation(ledger, op_id)).collect(),
        documents: (0..6).map(|account| documents(ledger, account)).collect(),
        suspense: ledger.query(&Query::Suspense { after, limit }).unwrap(),
        outbox: ledger.query(&Query::Outbox { after, limit }).unwrap(),
    }
}

/// The sub-ledger: each history adds up, and the balances add up to the receivables.
fn check_books(sight: &Sight) {
    let sum: i128 = sight.totals.iter().map(|(_, sum)| sum).sum();
    assert_eq!(sum, 0, "the trial balance is off");
    let mut receivables = 0;
    for page in sight.histories.iter().flatten() {
        let mut balance = 0;
        for item in &page.items {
            balance += item.amount;
            assert_eq!(item.balance, balance, "{page:?}");
        }
        receivables += i128::from(balance);
    }
    let total = |wanted| sight.totals.iter().find(|(code, _)| *code == wanted).unwrap().1;
    assert_eq!(total(LedgerCode::RECEIVABLE), receivables);
    let QueryResult::Suspense(page) = &sight.suspense else { panic!("{:?}", sight.suspense) };
    let held: i128 = page.items.iter().map(|item| i128::from(item.amount)).sum();
    assert_eq!(total(LedgerCode::SUSPENSE), -held);
    let QueryResult::Outbox(page) = &sight.outbox else { panic!("{:?}", sight.outbox) };
    let owed: i128 = page.items.iter().map(|item| i128::from(item.amount)).sum();
    assert_eq!(total(LedgerCode::REFUNDS), -owed);
}

fn fold_with_restarts(records: &[(Vec<u8>, Event)], store: &MemoryStore) -> Ledger {
    let mut ledger = open(store, 3);
    let mut open_batch: Option<LedgerBatch> = None;
    let mut index = 0;
    // An event happens once, also when its record is folded again after a crash.
    let mut next_event = 0;
    while index < records.len() {
        let (bytes, event) = &records[index];
        apply(&mut ledger, bytes);
        index += 1;
        if index <= next_event {
            continue;
        }
        next_event = index;
        match *event {
            Event::Take if open_batch.is_none() => open_batch = Some(ledger.take_batch()),
            Event::Committed => {
                if let Some(batch) = open_batch.take() {
                    store.commit(&batch);
                    ledger.batch_committed();
                }
            }
            Event::Crash { cache_rows } => {
                // What was in progress may have reached the disk without being reported.
                if let Some(batch) = open_batch.take().filter(|_| index % 2 == 0) {
                    store.commit(&batch);
                }
                ledger = open(store, cache_rows);
                index = ledger.frontier().0[0] as usize;
            }
            Event::Glance { ahead, settle } => {
                let end = (index + ahead).min(records.len());
                index += glance(&mut ledger, &records[index..end], settle);
            }
            Event::Take | Event::Nothing => {}
        }
        assert!(index <= records.len());
    }
    if let Some(batch) = open_batch {
        store.commit(&batch);
        ledger.batch_committed();
    }
    ledger
}

/// Folds records provisionally, makes up to `settle` of them final and takes the others back;
/// returns how many are final.
fn glance(ledger: &mut Ledger, records: &[(Vec<u8>, Event)], settle: usize) -> usize {
    let (frontier, chain) = (ledger.frontier(), ledger.outcome_chain());
    let (hash, finally) = (ledger.state_hash(), sight(ledger));
    for (bytes, _) in records {
        ledger.apply_provisionally(&RecordView::decode(bytes).unwrap()).unwrap();
        assert_eq!(ledger.frontier(), frontier, "nothing of it is final yet");
        assert_eq!((ledger.outcome_chain(), ledger.state_hash()), (chain, hash));
    }
    assert_eq!(ledger.shown().0[0], frontier.0[0] + records.len() as u64);
    let shown = sight(ledger);
    if let Some(aside) = ledger.set_aside() {
        assert!(!ledger.is_provisional());
        assert_eq!(sight(ledger), finally, "what is final is shown");
        ledger.put_back(aside);
        assert_eq!(sight(ledger), shown, "what was set aside is shown again");
    }
    let settle = settle.min(records.len());
    for _ in 0..settle {
        ledger.settle();
    }
    ledger.rewind();
    assert_eq!(ledger.frontier().0[0], frontier.0[0] + settle as u64);
    assert!(!ledger.is_provisional());
    settle
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1_000)
    })]

    #[test]
    fn restarts_and_small_caches_change_nothing(run in run()) {
        let records = encoded(run);
        let mut at_once = open(&MemoryStore::default(), 10_000);
        for (bytes, _) in &records {
            apply(&mut at_once, bytes);
        }
        let expected = sight(&mut at_once);
        check_books(&expected);
        let store = MemoryStore::default();
        let mut ledger = fold_with_restarts(&records, &store);
        prop_assert_eq!(&sight(&mut ledger), &expected);
        commit(&mut ledger, &store);
        // Read back with and without a check of every row against the state hash.
        prop_assert_eq!(&sight(&mut open(&store, 10_000)), &expected);
        prop_assert_eq!(&sight(&mut open(&store, 0)), &expected);
    }
}

fn payment(op_id: u128) -> Submission {
    let command = Command::RecordPayment {
        account: AccountId(1),
        amount: 10,
        date: Date(20_000),
        provider: String::new(),
        external_ref: String::new(),
    };
    Submission { op_id: OpId(op_id), command }
}

#[test]
fn a_row_that_does_not_add_up_to_the_state_hash_is_not_believed() {
    let store = MemoryStore::default();
    let mut ledger = open(&store, 100);
    apply(&mut ledger, &record(1, vec![payment(1)]));
    commit(&mut ledger, &store);
    store.rig(Table::Operation, &1_u128.to_be_bytes(), |row| row[0] ^= 1);
    assert!(matches!(
        Ledger::open(100, Box::new(store)),
        Err(StoreError(why)) if why.contains("hash")
    ));
}

#[test]
fn a_row_that_does_not_decode_is_an_error_not_a_panic() {
    let store = MemoryStore::default();
    let mut ledger = open(&store, 0);
    apply(&mut ledger, &record(1, vec![payment(1)]));
    commit(&mut ledger, &store);
    // The tag of the disposition: behind fingerprint and position.
    store.rig(Table::Operation, &1_u128.to_be_bytes(), |row| row[32 + 19] = 99);
    let ledger = open(&store, 0);
    assert!(ledger.operation(OpId(1)).is_err());
    assert!(Ledger::open(100, Box::new(store)).is_err());
}

#[test]
fn rows_in_flight_stay_readable_and_may_change_again() {
    let store = MemoryStore::default();
    let mut ledger = open(&store, 0);
    apply(&mut ledger, &record(1, vec![payment(1)]));
    assert_eq!(ledger.dirty_submissions(), 1);
    let batch = ledger.take_batch();
    assert_eq!(ledger.dirty_submissions(), 0);
    apply(&mut ledger, &record(2, vec![payment(1), payment(2)]));
    assert!(ledger.operation(OpId(1)).unwrap().is_some());
    let open_account = Command::OpenAccount {
        account: AccountId(1),
        service_point: ServicePointId(1),
        date: Date(20_000),
    };
    apply(&mut ledger, &record(3, vec![Submission { op_id: OpId(3), command: open_account }]));
    store.commit(&batch);
    ledger.batch_committed();
    assert_eq!(ledger.dirty_submissions(), 3);
    commit(&mut ledger, &store);
    let (chain, hash) = (ledger.outcome_chain(), ledger.state_hash());
    let mut reopened = open(&store, 100);
    assert_eq!((reopened.outcome_chain(), reopened.state_hash()), (chain, hash));
    assert_eq!(sight(&mut reopened).histories[1].as_ref().unwrap().items.len(), 3);
}

#[test]
#[should_panic(expected = "in order")]
fn a_gap_in_a_region_log_is_a_bug_of_the_caller() {
    apply(&mut open(&MemoryStore::default(), 0), &record(2, vec![payment(1)]));
}
