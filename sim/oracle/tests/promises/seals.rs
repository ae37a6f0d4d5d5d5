//! Histories of two regions: one that is sealed and comes back, for S2; entries that wait for
//! their final place, for L4; the place that they get, for O7.

use crate::Case;
use crate::stage::{Answers, Disks, NODES, Stage, local, open, submission};
use billing_wire::record::encode_readmitted;
use billing_wire::{
    Control, Frontier, Hlc, Incarnation, NodeId, OpId, OperationState, Position, Query,
    QueryResult, ReadAnswer, Receipt, Record, RecordHeader, RecordKind, RecordView, RegionId,
    RegionMembers, SealedChain, Token,
};
use billsim_model::Model;
use billsim_oracle::{Answer, Fate, Jury, LedgerView, NodeView, Request};

const LOST: RegionId = RegionId(0);
const LEFT: RegionId = RegionId(1);

pub(crate) const CASES: &[Case] = &[
    ("S2", "an entry was readmitted again", |s, broken| {
        let (orphan, mut log, _) = back_from_a_seal(s);
        log.readmit(s, &orphan);
        if broken {
            log.readmit(s, &orphan);
        }
    }),
    ("S2", "an entry that a seal left out was not readmitted", |s, broken| {
        let (orphan, mut log, mut left) = back_from_a_seal(s);
        if !broken {
            log.readmit(s, &orphan);
            left.close(s, 110, 0);
            log.close(s, 120, 2);
            left.close(s, 130, 3);
        }
        s.jury.quiescent(s.now, &[], &Answers(&Model::new(), Hlc::ZERO, &[]));
    }),
    ("S2", "an entry of another incarnation", |s, broken| {
        let (orphan, mut log, _) = back_from_a_seal(s);
        log.incarnation.0 += u32::from(broken);
        log.readmit(s, &orphan);
    }),
    ("S2", "an entry of the sealed chain was appended again", |s, broken| {
        let (orphan, mut log, _) = back_from_a_seal(s);
        let chosen = if broken { log.first.clone() } else { orphan };
        log.readmit(s, &chosen);
    }),
    ("S2", "a seal left out what was geo-durable", |s, broken| {
        two_regions(s);
        leave_out_the_second(s, &mut Log::of(LEFT), broken);
    }),
    ("S2", "a seal left out what was final", |s, broken| {
        two_regions(s);
        let mut left = Log::of(LEFT);
        left.close(s, 21, 0);
        left.close(s, 23, 1);
        leave_out_the_second(s, &mut left, broken);
    }),
    ("O7", "an operation stands elsewhere than the sort puts it", |s, broken| {
        two_regions(s);
        let (mut first, mut second) = (Log::of(LOST), Log::of(LEFT));
        first.submit(s, 10, 1);
        second.submit(s, 15, 2);
        first.close(s, 20, 1);
        second.close(s, 25, 1);
        first.close(s, 30, 2);
        second.close(s, 35, 2);
        // All up to the first region's second entry is final.
        let mut model = Model::new();
        for bytes in [&first.all[0], &second.all[0], &first.all[1]] {
            model.apply(&RecordView::decode(bytes).expect("just encoded"));
        }
        let operation = Query::Operation { op_id: OpId(2) };
        let watermark = Hlc::from_ms(20);
        let mut answer = model.answer(&operation, model.step(), watermark);
        if let QueryResult::Operation(OperationState::Final { position, .. }) = &mut answer {
            position.hlc.0 += u64::from(broken);
        }
        let (chain, folded) = (model.chain(), model.frontier());
        let ledger = LedgerView { state_hash: 5, outcome_chain: chain, watermark };
        let mut committed = folded;
        committed.set(LOST, 3);
        committed.set(LEFT, 3);
        let view = NodeView { folded, committed, ledger, ..s.view(NODES[0]) };
        let view = NodeView { refolded: None, resumed: None, rebuilt: None, ..view };
        let lies = [(NODES[0], operation, answer)];
        s.jury.quiescent(s.now, &[view], &Answers(&model, watermark, &lies));
    }),
    ("O3", "booked before what its client had seen", |s, broken| {
        // The clock of the region that is back is behind that of what the seal left out.
        two_regions(s);
        let (mut lost, mut left) = (Log::of(LOST), Log::of(LEFT));
        lost.submit(s, 10, 1);
        let end = lost.last.expect("just logged");
        let seen = lost.submit(s, 280, 2);
        let orphan = lost.submit_informed(s, 300, 3, 2);
        let mut log = seal_and_return(s, &mut left, end, &lost);
        log.readmit(s, &seen);
        if broken {
            log.log(s, 110, 3);
        } else {
            log.readmit(s, &orphan);
        }
        left.submit_informed(s, 120, 4, 1);
        let last = log.last.map_or(0, |last| last.index);
        log.close(s, 130, last);
        log.close(s, 135, last + 1);
        left.close(s, 140, 3);
        s.jury.quiescent(s.now, &[], &Answers(&Model::new(), Hlc::ZERO, &[]));
    }),
    ("R1", "answer claims what is not committed", |s, broken| {
        two_regions(s);
        read_of_one_that_has_not_heard(s, broken, |_| {});
    }),
    ("R1", "operation differs from the books", |s, broken| {
        two_regions(s);
        read_of_one_that_has_not_heard(s, false, |answer| {
            if let QueryResult::Operation(OperationState::Final { position, .. }) = answer {
                position.hlc.0 += u64::from(broken);
            }
        });
    }),
    ("L4", "a logged command never became final", |s, broken| {
        two_regions(s);
        let (mut first, mut second) = (Log::of(LOST), Log::of(LEFT));
        first.submit(s, 10, 1);
        second.close(s, 15, 0);
        if !broken {
            first.close(s, 20, 1);
        }
        second.close(s, 25, 1);
        s.jury.quiescent(s.now, &[], &Answers(&Model::new(), Hlc::ZERO, &[]));
    }),
    ("L4", "a logged command never became final", |s, broken| {
        two_regions(s);
        let (mut lost, mut left) = (Log::of(LOST), Log::of(LEFT));
        lost.submit(s, 10, 1);
        let end = lost.last.expect("just logged");
        lost.submit(s, 20, 2);
        if !broken {
            // What lay behind the end of a region that is gone went with it.
            s.jury.region_destroyed(s.now, LOST, None, &Disks::default());
        }
        let chain = SealedChain {
            region: LOST,
            incarnation: Incarnation(0),
            last_index: 1,
            last_hash: end.hash,
        };
        left.control(s, RecordKind::RegionSealed, 30, &Control::Sealed(vec![chain]));
        left.close(s, 40, 1);
        s.jury.quiescent(s.now, &[], &Answers(&Model::new(), Hlc::ZERO, &[]));
    }),
];

/// One region's log as it is written.
struct Log {
    region: RegionId,
    incarnation: Incarnation,
    last: Option<RecordHeader>,
    first: Vec<u8>,
    all: Vec<Vec<u8>>,
}

impl Log {
    fn of(region: RegionId) -> Self {
        Self { region, incarnation: Incarnation(0), last: None, first: Vec::new(), all: Vec::new() }
    }

    fn header(&self, kind: RecordKind, ms: u64) -> RecordHeader {
        let mut header =
            RecordHeader::derived_noop(self.region, self.incarnation, 1, self.last.as_ref());
        (header.kind, header.hlc) = (kind, Hlc::from_ms(ms));
        header
    }

    fn commit(&mut self, stage: &mut Stage, bytes: &[u8]) {
        stage.jury.committed(stage.now, NODES[0], bytes);
        self.last = RecordView::decode(bytes).ok().map(|view| view.header);
        if self.first.is_empty() {
            self.first = bytes.to_vec();
        }
        self.all.push(bytes.to_vec());
    }

    fn control(&mut self, stage: &mut Stage, kind: RecordKind, ms: u64, control: &Control) {
        let mut record = Record { header: self.header(kind, ms), submissions: Vec::new() };
        self.commit(stage, &record.encode_with(control));
    }

    /// Its leader says how far the log is geo-durable.
    fn close(&mut self, stage: &mut Stage, ms: u64, geo_index: u64) {
        let header = RecordHeader { geo_index, ..self.header(RecordKind::CloseTs, ms) };
        self.commit(stage, &Record { header, submissions: Vec::new() }.encode());
    }

    fn submit(&mut self, stage: &mut Stage, ms: u64, op: u128) -> Vec<u8> {
        let call = stage.invoke_write(1, op, open(op as u64));
        stage.returns(call, Answer::TimedOut);
        self.log(stage, ms, op)
    }

    /// As [`Self::submit`], by a client that has seen its region's log up to an entry.
    fn submit_informed(&mut self, stage: &mut Stage, ms: u64, op: u128, seen: u64) -> Vec<u8> {
        let mut frontier = Frontier::default();
        frontier.set(LOST, seen);
        let token = Token::sign(&stage.genesis.secret, frontier, Hlc::ZERO, Hlc::ZERO);
        let call = stage.invoke(1, Request::write(submission(op, open(op as u64)), Some(token)));
        stage.returns(call, Answer::TimedOut);
        self.log(stage, ms, op)
    }

    fn log(&mut self, stage: &mut Stage, ms: u64, op: u128) -> Vec<u8> {
        let header = self.header(RecordKind::Submissions, ms);
        let submissions = vec![submission(op, open(op as u64))];
        let bytes = Record { header, submissions }.encode();
        self.commit(stage, &bytes);
        bytes
    }

    fn readmit(&mut self, stage: &mut Stage, orphan: &[u8]) {
        let ms = self.last.map_or(0, |last| last.hlc.ms()).max(100) + 1;
        let mut header = self.header(RecordKind::Readmitted, ms);
        let view = RecordView::decode(orphan).expect("just encoded");
        self.commit(stage, &encode_readmitted(&mut header, &view));
    }
}

/// A second region joins, before anything has happened.
fn two_regions(stage: &mut Stage) {
    stage.genesis.regions.push(RegionMembers {
        region: LEFT,
        name: "west".to_owned(),
        incarnation: Incarnation(0),
        nodes: vec![NodeId(4), NodeId(5), NodeId(6)],
    });
    stage.jury = Jury::new(&stage.genesis);
}

/// Two regions; one logs two entries and is sealed with the first alone, then let in again. What
/// the seal left out, the log of its next incarnation, and the log of the other.
fn back_from_a_seal(stage: &mut Stage) -> (Vec<u8>, Log, Log) {
    two_regions(stage);
    let (mut lost, mut left) = (Log::of(LOST), Log::of(LEFT));
    lost.submit(stage, 10, 1);
    let end = lost.last.expect("just logged");
    let orphan = lost.submit(stage, 20, 2);
    let back = seal_and_return(stage, &mut left, end, &lost);
    (orphan, back, left)
}

/// Of the two entries that a region logged the seal leaves out the second, of which the log may
/// have said that it is geo-durable; it is logged again.
fn leave_out_the_second(stage: &mut Stage, left: &mut Log, is_geo: bool) {
    let mut lost = Log::of(LOST);
    lost.submit(stage, 10, 1);
    let end = lost.last.expect("just logged");
    let orphan = lost.submit(stage, 20, 2);
    lost.close(stage, 25, 1 + u64::from(is_geo));
    seal_and_return(stage, left, end, &lost).readmit(stage, &orphan);
}

/// A region is sealed with its first entry alone, has not heard, and names three in a final read:
/// those that the seal leaves out carry no submission, or one does.
fn read_of_one_that_has_not_heard(
    stage: &mut Stage,
    leaves_out_submission: bool,
    bend: impl FnOnce(&mut QueryResult),
) {
    let (mut lost, mut left) = (Log::of(LOST), Log::of(LEFT));
    lost.submit(stage, 10, 1);
    let end = lost.last.expect("just logged");
    left.close(stage, 15, 0);
    if leaves_out_submission {
        lost.submit(stage, 20, 2);
    } else {
        lost.close(stage, 20, 1);
    }
    lost.close(stage, 25, 1);
    left.close(stage, 26, 1);
    let (region, incarnation) = (LOST, Incarnation(0));
    let chain = SealedChain { region, incarnation, last_index: 1, last_hash: end.hash };
    left.control(stage, RecordKind::RegionSealed, 30, &Control::Sealed(vec![chain]));
    let mut model = Model::new();
    model.apply(&RecordView::decode(&lost.first).expect("just encoded"));
    let mut frontier = model.frontier();
    frontier.set(LOST, 3);
    let (query, watermark) = (Query::Operation { op_id: OpId(1) }, end.hlc);
    let mut result = model.answer(&query, model.step(), watermark);
    bend(&mut result);
    let honest = stage.answer(&local(query));
    let answer = ReadAnswer { result, frontier, watermark, ..honest };
    let call = stage.invoke(2, Request::Read(local(query)));
    stage.returns(call, Answer::Read(Box::new(answer)));
}

/// One region is sealed with `end` as its last entry, and let in again: the log of its next
/// incarnation.
fn seal_and_return(stage: &mut Stage, left: &mut Log, end: RecordHeader, lost: &Log) -> Log {
    let (region, incarnation) = (LOST, Incarnation(0));
    let chain = SealedChain { region, incarnation, last_index: 1, last_hash: end.hash };
    left.control(stage, RecordKind::RegionSealed, 30, &Control::Sealed(vec![chain]));
    let incarnation = Incarnation(1);
    let restored = Control::Restored { region, incarnation };
    left.control(stage, RecordKind::RegionRestored, 40, &restored);
    Log { region, incarnation, last: Some(end), first: lost.first.clone(), all: Vec::new() }
}

/// A region is sealed, comes back, and is destroyed when all of its new log lies elsewhere. What
/// becomes of a transaction that the seal had left out, if it was logged again, or not?
fn fate_of_what_was_left_out(is_logged_again: bool) -> (Fate, Vec<&'static str>) {
    let mut stage = Stage::new();
    let s = &mut stage;
    two_regions(s);
    let (mut lost, mut left) = (Log::of(LOST), Log::of(LEFT));
    lost.submit(s, 10, 1);
    let end = lost.last.expect("just logged");
    let call = s.invoke_write(1, 2, open(2));
    let orphan = lost.log(s, 20, 2);
    let hash = lost.last.expect("just logged").hash;
    for node in &NODES[..2] {
        s.disks.0.insert((*node, 2), hash);
    }
    let position = Position { hlc: Hlc::from_ms(20), region: LOST, index: 2, offset: 0 };
    s.done(call, Receipt { position, ..s.forged_receipt(2, 2) });
    let mut back = seal_and_return(s, &mut left, end, &lost);
    if is_logged_again {
        back.readmit(s, &orphan);
    } else {
        back.submit(s, 120, 3);
    }
    let hash = back.last.expect("just logged").hash;
    for node in [NodeId(4), NodeId(5)] {
        s.disks.0.insert((node, 2), hash);
    }
    s.jury.region_destroyed(s.now, LOST, None, &s.disks);
    s.disks.0.clear();
    let report = s.jury.losses(s.now, &s.disks).expect("a region was destroyed");
    assert_eq!(report.destructions[0].geo_index, 2);
    let fate = report.fates.iter().find(|one| one.op_id == OpId(2)).expect("acknowledged").fate;
    (fate, stage.jury.finish().violations.iter().map(|violation| violation.oracle).collect())
}

#[test]
fn what_a_seal_left_out_may_go_with_its_region_until_it_is_logged_again() {
    assert_eq!(fate_of_what_was_left_out(false), (Fate::LostAsGraded, vec![]));
    assert_eq!(fate_of_what_was_left_out(true), (Fate::LostOutsideItsGrade, vec!["D2"]));
}
