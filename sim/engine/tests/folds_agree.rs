//! The node's fold and the reference, over the same random histories of two regions: every
//! decision, every line and every answer is the same, also of a region's second incarnation.

use billing_core::ledger::Ledger;
use billing_core::ledger::store::EmptyStore;
use billing_wire::{
    AccountId, AdjustmentReason, BillingPeriod, Command, Date, DocumentKind, DocumentNumber, Hlc,
    Incarnation, MeterId, MeterRead, OpId, Position, Query, ReadQuality, Record, RecordHeader,
    RecordKind, RecordView, RegionId, RegionMode, ReversalReason, ServicePointId, Submission,
    derived_op_id,
};
use billsim_model::Model;
use proptest::prelude::*;
use proptest::sample::select;

const ACCOUNTS: u64 = 5;
const OPERATIONS: u128 = 60;
const MONTHS: std::ops::Range<u16> = 655..659;

fn date() -> impl Strategy<Value = Date> {
    prop_oneof![30 => 19_990..20_080_u32, 1 => Just(0)].prop_map(Date)
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![10 => select(vec![10, 20, 30]), 1 => Just(0), 1 => Just(1_000_000_000_000)]
}

fn read() -> impl Strategy<Value = MeterRead> {
    let quality = select(vec![ReadQuality::Estimated, ReadQuality::Customer, ReadQuality::Actual]);
    let register = prop_oneof![5 => 0..10_000_u64, 1 => Just(500_000_000), 1 => Just(1 << 48)];
    (0..ACCOUNTS, date(), register, quality).prop_map(|(meter, date, register, quality)| {
        MeterRead { meter: MeterId(meter), date, register, quality }
    })
}

fn command() -> impl Strategy<Value = Command> {
    let account = || (0..ACCOUNTS).prop_map(AccountId);
    let op_id = || (0..OPERATIONS).prop_map(OpId);
    let reason = select(vec![
        AdjustmentReason::Goodwill,
        AdjustmentReason::LateFee,
        AdjustmentReason::BadDebt,
    ]);
    prop_oneof![
        2 => (account(), 0..ACCOUNTS, date()).prop_map(|(account, point, date)| {
            Command::OpenAccount { account, service_point: ServicePointId(point), date }
        }),
        4 => (account(), amount(), date()).prop_map(|(account, amount, date)| {
            let (provider, external_ref) = (String::new(), String::new());
            Command::RecordPayment { account, amount, date, provider, external_ref }
        }),
        1 => (account(), amount(), reason, date()).prop_map(|(account, amount, reason, date)| {
            Command::PostAdjustment { account, amount, reason, date }
        }),
        2 => (op_id(), amount(), date()).prop_map(|(payment, amount, date)| {
            Command::ReversePayment { payment, amount, reason: ReversalReason::Bounced, date }
        }),
        2 => prop::collection::vec(read(), 0..4).prop_map(|reads| Command::RecordRead { reads }),
        2 => (account(), date())
            .prop_map(|(account, date)| Command::CloseAccount { account, date }),
        4 => (op_id(), amount(), date()).prop_map(|(payment, amount, date)| {
            Command::RequestRefund { payment, amount, date }
        }),
        3 => (op_id(), amount(), date()).prop_map(|(refund, amount, date)| {
            Command::ConfirmPayout { refund, amount, date }
        }),
        4 => (account(), MONTHS, date()).prop_map(|(account, period, date)| {
            Command::IssueInvoice { account, period: BillingPeriod(period), date }
        }),
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    (0..OPERATIONS, command(), 0..8_u8).prop_map(|(op_id, command, dice)| {
        let op_id = match &command {
            Command::ConfirmPayout { refund, .. } if dice > 0 => derived_op_id(*refund, "paid"),
            _ => OpId(op_id),
        };
        Submission { op_id, command }
    })
}

/// Records of two regions in merged order; halfway through the second is founded anew.
fn encoded(history: Vec<(u8, Vec<Submission>)>) -> Vec<Vec<u8>> {
    let (mut indices, half) = ([0; 2], history.len() / 2);
    let mut records = Vec::new();
    for ((region, submissions), place) in history.into_iter().zip(1..) {
        let index = &mut indices[usize::from(region)];
        *index += 1;
        let incarnation = Incarnation((region == 1 && place > half).into());
        let header = RecordHeader {
            kind: RecordKind::Submissions,
            region: RegionId(region),
            incarnation,
            index: *index,
            term: 1,
            hlc: Hlc(place as u64 * 10),
            geo_index: 0,
            mode: RegionMode::Geo,
            prev_hash: [0; 32],
            hash: [0; 32],
        };
        records.push(Record { header, submissions }.encode());
    }
    records
}

fn queries(after: Position) -> Vec<Query> {
    let mut queries = vec![
        Query::TrialBalance,
        Query::Suspense { after: Position::default(), limit: 3 },
        Query::Suspense { after, limit: 500 },
        Query::Outbox { after: Position::default(), limit: 2 },
        Query::Outbox { after, limit: 500 },
    ];
    for account in (0..ACCOUNTS).map(AccountId) {
        let (from, to) = (Date(20_000), Date(20_040));
        queries.extend([
            Query::Balance { account },
            Query::History { account, after: 1, limit: 500 },
            Query::Statement { account, from, to, after: 0, limit: 500 },
            Query::Statement { account, from, to, after: 2, limit: 2 },
            Query::Documents { account, after: 0, limit: 3 },
            Query::Documents { account, after: 2, limit: 500 },
        ]);
        let periods = MONTHS.map(BillingPeriod);
        queries.extend(periods.map(|period| Query::Invoice { account, period }));
    }
    for (region, incarnation) in [(0, 0), (1, 0), (1, 1)] {
        let (region, incarnation) = (RegionId(region), Incarnation(incarnation));
        queries.extend((0..9).map(|ordinal| {
            let kind = DocumentKind::Invoice;
            Query::Document { number: DocumentNumber { region, incarnation, kind, ordinal } }
        }));
    }
    queries.extend((0..OPERATIONS).map(|op_id| Query::Operation { op_id: OpId(op_id) }));
    queries
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn the_nodes_fold_is_the_reference(
        history in prop::collection::vec(
            (0..2_u8, prop::collection::vec(submission(), 1..6)),
            1..60,
        )
    ) {
        let records = encoded(history);
        let mut ledger = Ledger::open(10_000, Box::new(EmptyStore)).unwrap();
        let mut model = Model::new();
        let middle = records.len() / 2;
        let mut seen = Vec::new();
        for (bytes, place) in records.iter().zip(1..) {
            let view = RecordView::decode(bytes).unwrap();
            ledger.apply(&view).unwrap();
            let outcomes = model.apply(&view);
            prop_assert_eq!(ledger.outcome_chain(), model.chain(), "{:?}", outcomes);
            if place == middle || place == records.len() {
                let step = model.step();
                let after = Position { hlc: Hlc(middle as u64 * 5), ..Position::default() };
                for query in queries(after) {
                    let expected = model.answer(&query, step, ledger.watermark());
                    prop_assert_eq!(&ledger.query(&query).unwrap(), &expected, "{:?}", query);
                    seen.push((query, step, expected));
                }
            }
        }
        // The reference remembers what it answered before.
        for (query, step, expected) in seen {
            prop_assert_eq!(model.answer(&query, step, ledger.watermark()), expected);
        }
    }
}
