//! The fold of records into the ledger, and the merge of several region logs into the order in
//! which they are folded. Items are payments; rows stay in memory, so that no disk is measured.

#[path = "../tests/ledger_support/mod.rs"]
#[expect(dead_code, reason = "what the stories of the ledger need beside")]
mod ledger_support;

use billing_core::ledger::Ledger;
use billing_core::ledger::store::StoreError;
use billing_core::merge::{CommittedLog, Replay};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Genesis, Hlc, Incarnation, NodeId, OpId, Record,
    RecordKind, RecordView, RegionId, RegionMembers, ServicePointId, Submission,
};
use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ledger_support::{MemoryStore, apply, commit, header, record};

const ACCOUNTS: u64 = 100;
const PAYMENTS: u64 = 1_000;
/// Payments of a record.
const BATCH: u64 = 10;
const REGIONS: u8 = 3;
const CACHE_ROWS: usize = 100_000;

fn main() {
    divan::main();
}

fn opening(account: u64) -> Submission {
    let (account, op_id) = (AccountId(account), OpId(u128::from(account)));
    let service_point = ServicePointId(account.0);
    let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
    Submission { op_id, command }
}

fn payment(number: u64) -> Submission {
    let command = Command::RecordPayment {
        account: AccountId(number % ACCOUNTS),
        amount: 100 + i64::try_from(number).expect("a small number"),
        date: Date(20_000),
        provider: "bank".to_owned(),
        external_ref: format!("transfer {number}"),
    };
    Submission { op_id: OpId(1 << 64 | u128::from(number)), command }
}

/// Submissions of payments, a batch each.
fn batches() -> impl Iterator<Item = Vec<Submission>> {
    (0..PAYMENTS / BATCH).map(|batch| (0..BATCH).map(|at| payment(batch * BATCH + at)).collect())
}

fn opened(store: &MemoryStore) -> Ledger {
    let mut ledger = Ledger::open(CACHE_ROWS, Box::new(store.clone())).expect("it is empty");
    apply(&mut ledger, &record(1, (0..ACCOUNTS).map(opening).collect()));
    ledger.set_watermark(header(1, RecordKind::Submissions).hlc);
    commit(&mut ledger, store);
    ledger
}

/// As the last entries of a log are folded that may still move: with a way back.
#[divan::bench]
fn provisional(bencher: Bencher<'_, '_>) {
    let records: Vec<_> = (2..).zip(batches()).map(|(index, batch)| record(index, batch)).collect();
    bencher
        .counter(ItemsCount::new(PAYMENTS))
        .with_inputs(|| opened(&MemoryStore::default()))
        .bench_local_refs(|ledger| {
            records.iter().for_each(|record| apply(ledger, black_box(record)))
        });
}

/// As entries are folded that are final, with their batch for the database.
#[divan::bench]
fn settled(bencher: Bencher<'_, '_>) {
    let records: Vec<_> = (2..).zip(batches()).map(|(index, batch)| record(index, batch)).collect();
    bencher
        .counter(ItemsCount::new(PAYMENTS))
        .with_inputs(|| opened(&MemoryStore::default()))
        .bench_local_refs(|ledger| {
            for (index, record) in (2..).zip(&records) {
                apply(ledger, black_box(record));
                ledger.set_watermark(header(index, RecordKind::Submissions).hlc);
            }
            let batch = ledger.take_batch();
            ledger.batch_committed();
            batch.changes.len()
        });
}

fn genesis() -> Genesis {
    let members = |place: u8| RegionMembers {
        region: RegionId(place),
        name: format!("region{place}"),
        incarnation: Incarnation(0),
        nodes: vec![NodeId(u16::from(place) + 1)],
    };
    let regions = (0..REGIONS).map(members).collect();
    Genesis { cluster: ClusterId(1), currency: *b"EUR", secret: [7; 32], regions }
}

/// A log per region, whose stamps take turns; the accounts are opened by the first entry of all.
fn logs() -> Vec<CommittedLog> {
    let mut lasts = vec![None; usize::from(REGIONS)];
    let mut logs = vec![Vec::new(); usize::from(REGIONS)];
    let openings = std::iter::once((0..ACCOUNTS).map(opening).collect());
    for (number, batch) in (1..).zip(openings.chain(batches())) {
        let place = (number as usize - 1) % usize::from(REGIONS);
        let region = RegionId(place as u8);
        let last = lasts[place].as_ref();
        let mut header = billing_wire::RecordHeader::derived_noop(region, Incarnation(0), 1, last);
        header.kind = RecordKind::Submissions;
        header.hlc = Hlc(number * 10);
        let mut record = Record { header, submissions: batch };
        let bytes = record.encode();
        lasts[place] = Some(RecordView::decode(&bytes).expect("it was encoded").header);
        logs[place].push(Bytes::from(bytes));
    }
    let committed = |records| CommittedLog { incarnation: Incarnation(0), records };
    logs.into_iter().map(committed).collect()
}

/// Three region logs into one order, and that into the ledger.
#[divan::bench]
fn merged(bencher: Bencher<'_, '_>) {
    let (genesis, logs) = (genesis(), logs());
    let replay = Replay::new(&genesis, logs);
    let until = replay.frontier_until(Hlc(u64::MAX));
    bencher
        .counter(ItemsCount::new(PAYMENTS))
        .with_inputs(|| opened(&MemoryStore::default()))
        .bench_local_refs(|ledger| {
            let keep = |_: &mut Ledger| Ok::<(), StoreError>(());
            replay.fold(ledger, black_box(&until), usize::MAX, keep).expect("no disk can fail")
        });
}
