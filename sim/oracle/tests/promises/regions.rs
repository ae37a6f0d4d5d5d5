//! Histories for the promises about several regions: what is exposed, what is final, what a
//! destroyed region may take with it.

use crate::Case;
use crate::stage::{NODES, REGION, SECOND, Stage, open, pay, submission};
use billing_wire::answer::Unavailable;
use billing_wire::{
    Frontier, Grade, Hlc, Incarnation, NodeId, OnUnmet, Receipt, Record, RecordHeader, RecordKind,
    RecordView, RegionId, RegionMembers, RegionMode, WriteAnswer, WriteOptions,
};
use billsim_oracle::{Answer, CallId, Exposed, Fate, Jury, Request};

const OTHERS: [NodeId; 3] = [NodeId(4), NodeId(5), NodeId(6)];

/// A second region joins, before anything has happened.
fn two_regions(s: &mut Stage) {
    let (region, name) = (RegionId(1), "west".to_owned());
    let nodes = OTHERS.to_vec();
    s.genesis.regions.push(RegionMembers { region, name, incarnation: Incarnation(0), nodes });
    s.jury = Jury::new(&s.genesis);
}

/// A write of the first region that one of its nodes committed, and its copies elsewhere.
fn logged(s: &mut Stage, op: u128, copies: usize) {
    let body = if op == 1 { open(1) } else { pay(1, 5) };
    let call = s.invoke_write(1, op, body.clone());
    let record = s.log(vec![submission(op, body)]);
    for node in &OTHERS[..copies] {
        let hash = s.disks.0[&(NODES[0], op as u64)];
        s.disks.0.insert((*node, op as u64), hash);
    }
    s.jury.committed(s.now, NODES[0], &record);
    let mut receipt = s.receipt(op);
    receipt.grade = if copies > 1 { Grade::Geo } else { Grade::Region };
    s.done(call, receipt);
}

fn folded_to(s: &mut Stage, index: u64, word: Exposed) {
    let mut frontier = Frontier::default();
    frontier.set(REGION, index);
    s.jury.beyond_its_region(s.now, NODES[0], &frontier, Some(&word), &s.disks);
}

fn word(committed: u64, exposure: u64, leads: Option<u64>) -> Exposed {
    let geo_index = committed - exposure;
    Exposed { region: REGION, committed, exposure, geo_index, leads }
}

/// A client of the first region says how durable its answer is to be.
fn asked(s: &mut Stage, op: u128, min_durability: Option<Grade>, on_unmet: OnUnmet) -> CallId {
    let options = WriteOptions { min_durability, on_unmet };
    s.invoke(1, Request::Write(submission(op, open(op as u64)), None, options))
}

/// The same, and its write is logged there.
fn asked_and_logged(s: &mut Stage, min_durability: Option<Grade>) -> CallId {
    let call = asked(s, 1, min_durability, OnUnmet::Degrade);
    let record = s.log(vec![submission(1, open(1))]);
    s.jury.committed(s.now, NODES[0], &record);
    call
}

/// A client is refused for its grade, behind a write of another one.
fn refused(s: &mut Stage, on_unmet: OnUnmet, mode: RegionMode) {
    logged(s, 1, 2);
    let call = asked(s, 2, Some(Grade::Final), on_unmet);
    closed(s, last(s), 0, mode);
    let (reason, retry_after_ms) = (Unavailable::GradeUnreachable, 250);
    s.returns(call, Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms }));
}

/// A region says behind its last entry how far its log is geo-durable, and how it acknowledges.
fn closed(
    s: &mut Stage,
    (region, last): (RegionId, Option<RecordHeader>),
    geo_index: u64,
    mode: RegionMode,
) -> RecordHeader {
    let derived = RecordHeader::derived_noop(region, Incarnation(0), 1, last.as_ref());
    let hlc = Hlc::from_ms(10 * derived.index);
    let header = RecordHeader { kind: RecordKind::CloseTs, hlc, geo_index, mode, ..derived };
    let record = Record { header, submissions: Vec::new() }.encode();
    s.jury.committed(s.now, NODES[0], &record);
    RecordView::decode(&record).expect("just encoded").header
}

/// The last entry of the first region.
fn last(s: &Stage) -> (RegionId, Option<RecordHeader>) {
    let last = s.records.last().map(|record| RecordView::decode(record).expect("encoded").header);
    (REGION, last)
}

/// The first region is gone, with the disks of its nodes.
fn destroyed(s: &mut Stage, announced: Exposed) {
    s.jury.region_destroyed(s.now, REGION, Some(announced), &s.disks);
    s.disks.0.retain(|(node, _), _| OTHERS.contains(node));
}

pub(crate) const CASES: &[Case] = &[
    ("D3", "exposure is not what lies behind the geo index", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        let geo_index = u64::from(!broken);
        folded_to(s, 0, Exposed { geo_index, ..word(1, 0, Some(1)) });
    }),
    ("D3", "exposure is not what the log says", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        folded_to(s, 0, word(1, if broken { 0 } else { 1 }, None));
    }),
    ("D3", "exposure leaves out what no other region holds", |s, broken| {
        two_regions(s);
        logged(s, 1, if broken { 1 } else { 2 });
        folded_to(s, 0, word(1, 0, Some(1)));
    }),
    ("D3", "geo-durable without an entry of the leader's own term", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        folded_to(s, 0, word(1, 0, Some(if broken { 2 } else { 1 })));
    }),
    ("D3", "exposure of a region that the others have caught up with", |s, broken| {
        s.jury.exposed_at_rest(s.now, NODES[0], u64::from(broken));
    }),
    ("D3", "lost with its region and not in its exposure", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        logged(s, 2, 0);
        destroyed(s, word(2, if broken { 0 } else { 1 }, Some(1)));
        s.jury.losses(s.now, &s.disks);
    }),
    ("O8", "final and on the disks of one region only", |s, broken| {
        two_regions(s);
        logged(s, 1, if broken { 1 } else { 2 });
        folded_to(s, 1, word(1, 1, Some(1)));
    }),
    ("O8", "called final while its place may change", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        if !broken {
            // Both regions have logged that they are geo-durable beyond it.
            closed(s, last(s), 1, RegionMode::Geo);
            let other = closed(s, (RegionId(1), None), 0, RegionMode::Geo);
            closed(s, (RegionId(1), Some(other)), 1, RegionMode::Geo);
        }
        let receipt = Receipt { grade: Grade::Final, ..s.receipt(1) };
        s.acknowledge(&receipt);
    }),
    ("D12", "Geo answer to who asked for Final", |s, broken| {
        two_regions(s);
        s.jury.writes_wait(5 * SECOND);
        let call = asked_and_logged(s, Some(Grade::Final));
        let mode = if broken { RegionMode::Geo } else { RegionMode::Degraded };
        closed(s, last(s), 0, mode);
        let receipt = Receipt { grade: Grade::Geo, ..s.receipt(1) };
        s.done(call, receipt);
    }),
    ("D12", "Region answer to who asked for Geo", |s, broken| {
        two_regions(s);
        s.jury.writes_wait(5 * SECOND);
        let call = asked_and_logged(s, None);
        if !broken {
            s.now += 3 * SECOND;
        }
        let receipt = s.receipt(1);
        s.done(call, receipt);
    }),
    ("D12", "refused for a grade by who did not ask to be", |s, broken| {
        two_regions(s);
        let unmet = if broken { OnUnmet::Degrade } else { OnUnmet::FailFast };
        refused(s, unmet, RegionMode::Degraded);
    }),
    ("D12", "refused for a grade by a region that was never alone", |s, broken| {
        two_regions(s);
        let mode = if broken { RegionMode::Geo } else { RegionMode::Degraded };
        refused(s, OnUnmet::FailFast, mode);
    }),
    ("D2", "Geo transaction lost with its region", |s, broken| {
        two_regions(s);
        logged(s, 1, 2);
        destroyed(s, word(1, 0, Some(1)));
        if broken {
            s.disks.0.clear();
        }
        s.jury.losses(s.now, &s.disks);
    }),
];

#[test]
fn each_transaction_gets_its_fate() {
    let mut stage = Stage::new();
    let s = &mut stage;
    two_regions(s);
    logged(s, 1, 2);
    logged(s, 2, 1);
    logged(s, 3, 0);
    destroyed(s, word(3, 2, Some(1)));
    let report = s.jury.losses(s.now, &s.disks).expect("a region was destroyed");
    let fates: Vec<Fate> = report.fates.iter().map(|one| one.fate).collect();
    // The second one lies on one disk that is left: nobody promised that, but it is there.
    assert_eq!(fates, [Fate::Kept, Fate::Kept, Fate::LostAsGraded]);
    assert_eq!((report.destructions[0].committed, report.destructions[0].geo_index), (3, 1));
    assert_eq!(stage.jury.finish().violations, []);
}
