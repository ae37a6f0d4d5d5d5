//! Region logs that nobody works on any more: how far each of them reaches up to a stamp, and the
//! fold of all of them in merged order.

#[expect(dead_code, reason = "no row is read here")]
mod ledger_support;

use billing_core::ledger::Ledger;
use billing_core::ledger::store::StoreError;
use billing_core::merge::{CommittedLog, Replay};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Frontier, Genesis, Hlc, Incarnation, NodeId, OpId, Record,
    RecordHeader, RecordKind, RegionId, RegionMembers, ServicePointId, Submission,
};
use bytes::Bytes;
use ledger_support::{MemoryStore, commit};

/// Stamp of each record of a region log, and how many submissions are in it. The first two records
/// are stamped alike.
const LOGS: [&[(u64, u64)]; 2] = [&[(10, 1), (30, 2), (50, 1)], &[(10, 1), (20, 1), (40, 1)]];

fn genesis() -> Genesis {
    let members = |place: u8| RegionMembers {
        region: RegionId(place),
        name: format!("region {place}"),
        incarnation: Incarnation(0),
        nodes: vec![NodeId(u16::from(place) + 1)],
    };
    let regions = (0..LOGS.len() as u8).map(members).collect();
    Genesis { cluster: ClusterId(1), currency: *b"EUR", secret: [7; 32], regions }
}

fn opening(account: u64) -> Submission {
    let (account, op_id) = (AccountId(account), OpId(u128::from(account)));
    let service_point = ServicePointId(account.0);
    let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
    Submission { op_id, command }
}

fn log(region: RegionId, records: &[(u64, u64)]) -> CommittedLog {
    let mut last = None;
    let encoded = records.iter().map(|(stamp, submissions)| {
        let derived = RecordHeader::derived_noop(region, Incarnation(0), 1, last.as_ref());
        let header = RecordHeader { kind: RecordKind::Submissions, hlc: Hlc(*stamp), ..derived };
        // No account is opened twice.
        let first = 1_000 * (u64::from(region.0) + 1) + 10 * stamp;
        let submissions = (first..first + submissions).map(opening).collect();
        let mut record = Record { header, submissions };
        let bytes = Bytes::from(record.encode());
        last = Some(record.header);
        bytes
    });
    let records = encoded.collect();
    CommittedLog { incarnation: Incarnation(0), records }
}

fn replay() -> Replay {
    let logs = LOGS.iter().zip(0..).map(|(records, region)| log(RegionId(region), records));
    Replay::new(&genesis(), logs.collect())
}

/// So many records of each log.
fn frontier(counts: [u64; 2]) -> Frontier {
    let mut frontier = Frontier::default();
    for (count, region) in counts.into_iter().zip(0..) {
        frontier.set(RegionId(region), count);
    }
    frontier
}

#[test]
fn a_stamp_says_how_far_each_log_reaches_up_to_it() {
    let replay = replay();
    let until = [(9, [0, 0]), (10, [1, 1]), (29, [1, 2]), (30, [2, 2]), (40, [2, 3]), (99, [3, 3])];
    for (stamp, counts) in until {
        assert_eq!(replay.frontier_until(Hlc(stamp)), frontier(counts), "until {stamp}");
    }
    assert_eq!([0, 1].map(|region| replay.last_index(RegionId(region))), [3, 3]);
    // Among records that are stamped alike the lower region comes first.
    assert_eq!(replay.frontier_at((Hlc(10), RegionId(0))), frontier([1, 0]));
    assert_eq!(replay.frontier_at((Hlc(10), RegionId(1))), frontier([1, 1]));
}

#[test]
fn the_last_record_of_a_frontier_is_the_last_one_in_merged_order() {
    let replay = replay();
    let lasts = [
        ([0, 0], None),
        ([1, 0], Some((10, 0, 1))),
        ([1, 1], Some((10, 1, 1))),
        ([2, 2], Some((30, 0, 2))),
        ([2, 3], Some((40, 1, 3))),
        ([3, 3], Some((50, 0, 3))),
    ];
    for (counts, last) in lasts {
        let last = last.map(|(stamp, region, index)| (Hlc(stamp), RegionId(region), index));
        assert_eq!(replay.last_of(&frontier(counts)), last, "of {counts:?}");
    }
}

#[test]
fn a_fold_goes_on_in_merged_order_and_lets_batches_be_taken_on_its_way() {
    let (replay, store) = (replay(), MemoryStore::default());
    let mut ledger = Ledger::open(1_000, Box::new(store.clone())).unwrap();
    let mut fold = |until: [u64; 2]| {
        let mut batches = Vec::new();
        let take = |ledger: &mut Ledger| {
            commit(ledger, &store);
            batches.push(ledger.frontier());
            Ok::<(), StoreError>(())
        };
        let entries = replay.fold(&mut ledger, &frontier(until), 2, take).unwrap();
        assert_eq!(ledger.frontier(), frontier(until));
        (entries, batches, ledger.watermark())
    };
    // One submission each, until the record of two fills a batch that holds one already.
    let batches = vec![frontier([1, 1]), frontier([2, 2])];
    assert_eq!(fold([2, 2]), (4, batches, Hlc(30)));
    assert_eq!(fold([2, 2]), (0, vec![], Hlc(30)));
    assert_eq!(fold([3, 3]), (2, vec![frontier([3, 3])], Hlc(50)));
}
