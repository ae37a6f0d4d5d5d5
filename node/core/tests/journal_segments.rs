//! Segments that are not simply the end of a log: those of earlier incarnations, those of a life
//! that was forgotten, and those whose headers are broken.

mod journal_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::journal::{RecoveredLog, Tail, Writer, inspect, recover};
use billing_core::{DiskStep, FileName};
use billing_wire::{Hash, Incarnation, LogIndex, Record, RecordHeader, RecordView, RegionId};
use bytes::Bytes;
use journal_support::{Directory, Log, NODE, Reopened, genesis, initialised};

const REGION: RegionId = RegionId(0);
/// Two records fill a segment.
const SEGMENT_BYTES: u64 = 300;

/// Three segments: records 1 and 2, then 3 and 4, then 3 and 4 as consensus replaced them.
fn written() -> (Directory, Writer, Log) {
    let mut directory = initialised();
    let found = Reopened::read(&directory);
    directory.run(&found.steps);
    let (mut writer, mut log) = (found.writer(SEGMENT_BYTES), found.logs[0].clone());
    for (kept, term) in [(0, 1), (1, 1), (2, 1), (3, 1), (2, 2), (3, 2)] {
        log.term = term;
        writer.hard_state(REGION, term, 1);
        let (header, bytes) = log.append(REGION.0, kept, 20);
        writer.append(&header, &bytes);
    }
    directory.run(&writer.take_steps());
    assert_eq!(segments(&directory).len(), 3);
    (directory, writer, log)
}

/// The segments and what stands in them.
fn segments(directory: &Directory) -> Vec<(FileName, Vec<u8>)> {
    let is_segment = |name: &FileName| matches!(name, FileName::Segment { .. });
    directory.image().into_iter().filter(|(name, _)| is_segment(name)).collect()
}

fn recovered(directory: &Directory) -> RecoveredLog {
    let (mut found, _) = recover(&genesis(), NODE, directory.image()).unwrap();
    found.logs.swap_remove(usize::from(REGION.0))
}

/// What must be kept for the first `kept` records to stay.
fn end_of(records: &[Bytes], kept: usize) -> (LogIndex, Hash) {
    let last = records[..kept].last().map(|last| RecordView::decode(last).unwrap().header);
    (kept as u64, last.map_or([0; 32], |last| last.hash))
}

/// A record of an incarnation that follows the others.
fn noop(incarnation: Incarnation, records: &[Bytes]) -> (RecordHeader, Bytes) {
    let last = records.last().map(|last| RecordView::decode(last).unwrap().header);
    let header = RecordHeader::derived_noop(REGION, incarnation, 9, last.as_ref());
    let mut record = Record { header, submissions: Vec::new() };
    let bytes = Bytes::from(record.encode());
    (record.header, bytes)
}

/// What consensus replaced is no orphan: nobody was told that it happened.
#[test]
fn a_log_that_was_never_sealed_leaves_no_orphans() {
    let (directory, _, log) = written();
    let found = recovered(&directory);
    assert_eq!((found.records, found.orphans), (log.records, vec![]));
}

#[test]
fn what_a_seal_left_out_is_found_again_and_nothing_else() {
    for kept in 0..=4 {
        let (mut directory, mut writer, log) = written();
        writer.reincarnate(REGION, Incarnation(1), end_of(&log.records, kept));
        directory.run(&writer.take_steps());
        let left_out = &log.records[kept..];
        let mut records = log.records[..kept].to_vec();
        let found = recovered(&directory);
        assert_eq!((&found.records, &found.orphans[..]), (&records, left_out), "{kept} are kept");

        // What the next incarnation writes in their places does not hide them.
        for _ in kept..4 {
            let (header, bytes) = noop(Incarnation(1), &records);
            writer.append(&header, &bytes);
            records.push(bytes);
        }
        directory.run(&writer.take_steps());
        let found = recovered(&directory);
        assert_eq!((&found.records, &found.orphans[..]), (&records, left_out), "{kept} are kept");
        assert_eq!(found.incarnation, Incarnation(1));
    }
}

#[test]
fn each_seal_adds_what_it_left_out() {
    let (mut directory, mut writer, log) = written();
    writer.reincarnate(REGION, Incarnation(1), end_of(&log.records, 2));
    let mut records = log.records[..2].to_vec();
    for _ in 0..2 {
        let (header, bytes) = noop(Incarnation(1), &records);
        writer.append(&header, &bytes);
        records.push(bytes);
    }
    writer.reincarnate(REGION, Incarnation(2), end_of(&records, 3));
    directory.run(&writer.take_steps());
    let found = recovered(&directory);
    let left_out = [&log.records[2..], &records[3..]].concat();
    assert_eq!((&found.records[..], found.orphans), (&records[..3], left_out));
}

/// A node that forgot what it promised keeps the segments of its earlier life as they are, and
/// writes behind them: they may be all that is left of what it acknowledged.
#[test]
fn what_a_node_forgot_is_neither_read_as_its_log_nor_touched() {
    let (mut directory, mut writer, _) = written();
    let before = segments(&directory);
    directory.run(&writer.forgotten(&genesis(), 1_000));
    let found = Reopened::read(&directory);
    let touches = |step: &DiskStep| match step {
        DiskStep::Write { file, .. }
        | DiskStep::SetLength { file, .. }
        | DiskStep::Sync { file }
        | DiskStep::Remove { file } => matches!(file, FileName::Segment { .. }),
    };
    assert!(!found.steps.iter().any(touches), "{:?}", found.steps);
    let tails = [Tail { segment: 4, offset: Tail::FULL }, Tail { segment: 0, offset: 0 }];
    assert_eq!(found.tails, tails);
    assert!(found.superblock.regions.iter().all(|promise| promise.forgotten));
    assert_eq!(found.logs, vec![Log::default(); 2]);

    directory.run(&found.steps);
    let mut writer = found.writer(SEGMENT_BYTES);
    let (header, bytes) = noop(Incarnation(0), &[]);
    writer.append(&header, &bytes);
    directory.run(&writer.take_steps());
    let found = recovered(&directory);
    assert_eq!((found.records, found.orphans), (vec![bytes], vec![]));
    assert_eq!(segments(&directory)[..3], before);
}

/// Its records are there, and will be written again from the first of them on.
#[test]
fn an_inspection_names_the_first_record_behind_a_broken_header() {
    let (directory, _, log) = written();
    for (sequence, first) in [(1, 1), (3, 3)] {
        let mut directory = directory.clone();
        let file = FileName::Segment { region: REGION, sequence };
        directory.run(&[DiskStep::Write { file, offset: 20, bytes: vec![0xff; 4].into() }]);
        let found = recovered(&directory);
        assert_eq!([found.records, found.behind].concat(), log.records);
        let text = "stands in a segment whose header does not verify";
        let expected = vec![format!("log/0: record {first} {text}")];
        assert_eq!(inspect(&genesis(), NODE, directory.image()).damage, expected);
    }
}
