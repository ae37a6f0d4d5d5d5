//! Codecs of what crosses a network or a disk most often: a record of payments, and the frame round
//! it. Items are payments.

use billing_wire::frame::{self, Frame};
use billing_wire::{
    AccountId, Command, Date, FrameHeader, FrameKind, Hlc, Incarnation, NodeId, OpId, Record,
    RecordHeader, RecordKind, RecordView, RegionId, RegionMode, Submission,
};
use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// Payments of a record: one, as a quiet leader logs it, and a full batch.
const PAYMENTS: [u64; 2] = [1, 100];

fn main() {
    divan::main();
}

fn record(payments: u64) -> Record {
    let submission = |number: u64| Submission {
        op_id: OpId(u128::from(number) << 64 | 7),
        command: Command::RecordPayment {
            account: AccountId(number),
            amount: 12_345,
            date: Date(20_000),
            provider: "bank".to_owned(),
            external_ref: format!("transfer {number}"),
        },
    };
    let header = RecordHeader {
        kind: RecordKind::Submissions,
        region: RegionId(0),
        incarnation: Incarnation(0),
        index: 1,
        term: 1,
        hlc: Hlc(10),
        geo_index: 0,
        mode: RegionMode::Geo,
        prev_hash: [0; 32],
        hash: [0; 32],
    };
    Record { header, submissions: (0..payments).map(submission).collect() }
}

/// With the hash that chains it to the one before.
#[divan::bench(args = PAYMENTS)]
fn record_encode(bencher: Bencher<'_, '_>, payments: u64) {
    let mut record = record(payments);
    bencher.counter(ItemsCount::new(payments)).bench_local(|| black_box(&mut record).encode());
}

/// Checks the checksum and finds each submission, without copying one.
#[divan::bench(args = PAYMENTS)]
fn record_view(bencher: Bencher<'_, '_>, payments: u64) {
    let bytes = record(payments).encode();
    bencher.counter(ItemsCount::new(payments)).bench_local(|| {
        let view = RecordView::decode(black_box(&bytes)).expect("it was encoded");
        view.submissions().count()
    });
}

#[divan::bench(args = PAYMENTS)]
fn record_hash(bencher: Bencher<'_, '_>, payments: u64) {
    let bytes = record(payments).encode();
    let view = RecordView::decode(&bytes).expect("it was encoded");
    bencher.counter(ItemsCount::new(payments)).bench_local(|| black_box(&view).verify_hash());
}

fn framed(body: &[u8]) -> Bytes {
    let header = FrameHeader {
        kind: FrameKind::Raft,
        from: NodeId(1),
        to: NodeId(2),
        region: RegionId(0),
        cluster: 7,
        wall_ms: 1,
    };
    let mut out = Vec::with_capacity(body.len() + 64);
    frame::start(&header, &mut out);
    out.extend_from_slice(body);
    frame::finish(out)
}

#[divan::bench(args = PAYMENTS)]
fn frame_encode(bencher: Bencher<'_, '_>, payments: u64) {
    let body = record(payments).encode();
    bencher.counter(ItemsCount::new(payments)).bench_local(|| framed(black_box(&body)));
}

#[divan::bench(args = PAYMENTS)]
fn frame_decode(bencher: Bencher<'_, '_>, payments: u64) {
    let bytes = framed(&record(payments).encode());
    bencher
        .counter(ItemsCount::new(payments))
        .bench_local(|| Frame::decode(black_box(&bytes)).expect("it was framed"));
}
