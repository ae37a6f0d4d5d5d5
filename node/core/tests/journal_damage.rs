//! Damage is never taken for a torn tail: whatever was promised comes back or is missed aloud,
//! and the message says what and where.

mod journal_support;
mod memory_directory;

use billing_core::journal::superblock::SLOT_STRIDE;
use billing_core::journal::{
    Forgot, Image, RecoveredLog, Superblock, Tail, Writer, first_steps, inspect, recover,
};
use billing_core::{DiskStep, FileName};
use billing_wire::{Genesis, NodeId, RecordView, RegionId};
use journal_support::{Log, NODE, Reopened, genesis, initialised};
use memory_directory::Directory;

const TAIL: FileName = FileName::Segment { region: RegionId(0), sequence: 3 };

/// One message per line, long ones folded.
fn folded(texts: &[String]) -> String {
    texts
        .join("\n")
        .replace("; ", ";\n  ")
        .replace(", and takes", ",\n  and takes")
        .replace(": the node forgot", ":\n  the node forgot")
        .replace(" (with", "\n  (with")
}

/// Three segments of region 0: records 1 and 2, then 3 and 4, then 3 again and 4.
fn written() -> (Directory, Vec<Log>) {
    let mut directory = initialised();
    let found = Reopened::read(&directory);
    directory.run(&found.steps);
    let (mut writer, mut logs) = (found.writer(300), found.logs);
    for (kept, term) in [(0, 1), (1, 1), (2, 1), (3, 1), (2, 2), (3, 2)] {
        if logs[0].term != term {
            writer.hard_state(RegionId(0), term, 1);
            (logs[0].term, logs[0].vote) = (term, 1);
        }
        let (header, bytes) = logs[0].append(0, kept, 20);
        writer.append(&header, &bytes);
        directory.run(&writer.take_steps());
    }
    logs[0].commit = 3;
    writer.commit(RegionId(0), 3);
    directory.run(&writer.take_steps());
    let names: Vec<FileName> = directory.image().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 5, "genesis, superblock and three segments: {names:?}");
    assert_eq!(Reopened::read(&directory).logs, logs);
    (directory, logs)
}

fn file(image: &mut Image, name: FileName) -> &mut Vec<u8> {
    image.iter_mut().find(|(found, _)| *found == name).map(|(_, bytes)| bytes).unwrap()
}

fn recovered(image: Image) -> Vec<RecoveredLog> {
    let found = recover(&genesis(), NODE, image);
    found.unwrap_or_else(|error| panic!("a damaged log is no reason to refuse: {error}")).0.logs
}

/// Holes of region 0 as (first, last).
fn holes(log: &RecoveredLog) -> Vec<(u64, u64)> {
    log.holes.iter().map(|hole| (hole.first, hole.last)).collect()
}

/// Every record that was promised is there or is said to be missing; what is there is right, and
/// a hole is pinned by the hash of its last record.
fn assert_honest(found: &RecoveredLog, expected: &Log, what: &str) {
    let hash = |bytes: &bytes::Bytes| RecordView::decode(bytes).unwrap().header.hash;
    let mut missing = vec![false; expected.records.len()];
    for hole in &found.holes {
        (hole.first..=hole.last).for_each(|index| missing[index as usize - 1] = true);
        assert_eq!(hole.last_hash, hash(&expected.records[hole.last as usize - 1]), "{what}");
    }
    let there = missing.iter().zip(&expected.records).filter(|(missing, _)| !**missing);
    let left: Vec<_> = found.records.iter().chain(&found.behind).collect();
    assert_eq!(left, there.map(|(_, record)| record).collect::<Vec<_>>(), "{what}");
}

#[test]
fn a_flipped_bit_costs_nothing_or_one_record() {
    let (directory, logs) = written();
    let (mut harmless, mut rewritten) = (0, 0);
    let image = directory.image();
    for (name, bytes) in &image {
        if *name == FileName::Superblock || *name == FileName::Genesis {
            continue;
        }
        for bit in 0..bytes.len() * 8 {
            let mut image = image.clone();
            file(&mut image, *name)[bit / 8] ^= 1 << (bit % 8);
            let found = recovered(image).swap_remove(0);
            let what = format!("{name:?}: byte {} bit {}", bit / 8, bit % 8);
            assert_honest(&found, &logs[0], &what);
            match found.holes.as_slice() {
                [] if found.behind.is_empty() => harmless += 1,
                [] => rewritten += 1,
                [hole] => assert_eq!(hole.first, hole.last, "{what}"),
                more => panic!("{what}: {more:?}"),
            }
            if *name == TAIL {
                assert!(found.records.len() < 4, "every byte of it was promised: {what}");
            }
        }
    }
    // Only the segment whose two records were replaced may rot unseen.
    let replaced = FileName::Segment { region: RegionId(0), sequence: 2 };
    let replaced = image.iter().find(|(name, _)| *name == replaced).unwrap();
    assert_eq!((harmless, rewritten), (replaced.1.len() * 8, 2 * 80 * 8));
}

#[test]
fn a_flipped_bit_of_the_newest_superblock_is_healed_by_its_copy() {
    let (directory, logs) = written();
    let mut image = directory.image();
    let whole = file(&mut image, FileName::Superblock).clone();
    let (newest, 0) = Superblock::newest(&whole).unwrap() else { panic!("nothing is damaged") };
    let first = (2 * (newest.sequence % 2) * SLOT_STRIDE) as usize;
    for copy in [first, first + SLOT_STRIDE as usize] {
        for byte in (0..512).step_by(7) {
            let mut directory = directory.clone();
            directory.run(&[DiskStep::Write {
                file: FileName::Superblock,
                offset: (copy + byte) as u64,
                bytes: vec![whole[copy + byte] ^ 0x10].into(),
            }]);
            let found = Reopened::read(&directory);
            assert_eq!(found.logs, logs, "byte {byte} of the copy at {copy}");
            directory.run(&found.steps);
            let mut image = directory.image();
            let healed = Superblock::newest(file(&mut image, FileName::Superblock));
            assert_eq!(healed, Some((newest.clone(), 0)), "recovery writes both copies again");
        }
    }
}

#[test]
fn what_cannot_be_believed_is_refused_with_its_reason() {
    let (directory, _) = written();
    let good = directory.image();
    let refusal = |genesis: &Genesis, node, change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        recover(genesis, node, image).map_err(|error| error.to_string()).unwrap_err()
    };
    let ours = |change: &dyn Fn(&mut Image)| refusal(&genesis(), NODE, change);
    let other = Genesis { cluster: billing_wire::ClusterId(0xb222), ..genesis() };
    let mut single = genesis();
    single.regions.truncate(1);
    single.regions[0].nodes = vec![NODE];
    let smaller = Genesis { regions: genesis().regions[..1].to_vec(), ..genesis() };
    let texts = [
        ours(&|image| image.clear()),
        refusal(&single, NODE, &|image| image.retain(|(name, _)| *name != FileName::Superblock)),
        refusal(&single, NODE, &|image| file(image, FileName::Superblock).clear()),
        refusal(&other, NODE, &|_| {}),
        refusal(&genesis(), NodeId(3), &|_| {}),
        refusal(&smaller, NODE, &|_| {}),
    ];
    insta::assert_snapshot!(folded(&texts), @r"
    no superblock: an empty directory never starts by itself, run `billing-node init`
      (with `--lost-disk` if the node was there before)
    superblock is missing beside log/0/00000001.seg:
      the node forgot what it promised,
      and takes part in nothing before the others let it in again;
      there are none: restore the file
    superblock: none of the copies at offsets 0, 4096, 8192 and 12288 verifies:
      the node forgot what it promised,
      and takes part in nothing before the others let it in again;
      there are none: restore the file
    directory of another cluster (mark 000000000000b111, expected 000000000000b222)
    directory of node 2, but this is node 3: check `node` and `dir`
    superblock of 2 region logs, genesis has 1: check `dir`
    ");
}

/// Without its superblock a node knows that it forgot what it promised: it starts as one that the
/// others must let in again, and keeps its segments apart.
#[test]
fn a_node_without_superblock_knows_that_it_forgot() {
    let (directory, _) = written();
    let mut rotten = directory.image();
    file(&mut rotten, FileName::Superblock).fill(0x55);
    let mut missing = directory.image();
    missing.retain(|(name, _)| *name != FileName::Superblock);
    let mut generations = Vec::new();
    for image in [rotten, missing] {
        let report = inspect(&genesis(), NODE, image.clone());
        assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
        let (found, steps) = recover(&genesis(), NODE, image).unwrap();
        assert_eq!(Some(found.forgot.unwrap().to_string()), report.damage.first().cloned());
        assert!(steps.iter().all(|step| matches!(
            step,
            DiskStep::Write { file: FileName::Superblock, .. }
                | DiskStep::Sync { file: FileName::Superblock }
        )));
        let promise = found.superblock.regions[0];
        assert!(promise.forgotten && promise.generation > 0);
        assert_eq!((promise.durable_index, promise.tail_segment), (0, 4));
        assert_eq!(found.logs[0].tail, Tail { segment: 4, offset: Tail::FULL });
        generations.push(promise.generation);
    }
    assert_ne!(generations[0], generations[1]);
}

/// A pair of which neither copy verifies was damaged after it was written: what the other pair
/// promises may be less than what the node told others.
#[test]
fn a_node_that_lost_one_of_its_two_superblocks_knows_that_it_may_have_forgotten() {
    let (directory, _) = written();
    let whole = file(&mut directory.image(), FileName::Superblock).clone();
    let (newest, 0) = Superblock::newest(&whole).unwrap() else { panic!("nothing is damaged") };
    for pair in 0..2 {
        let mut directory = directory.clone();
        for copy in [2 * pair, 2 * pair + 1] {
            let (offset, bytes) = (copy * SLOT_STRIDE + 40, vec![0xff; 8].into());
            directory.run(&[DiskStep::Write { file: FileName::Superblock, offset, bytes }]);
        }
        let report = inspect(&genesis(), NODE, directory.image());
        let (found, steps) = recover(&genesis(), NODE, directory.image()).unwrap();
        assert_eq!(found.forgot, Some(Forgot::SuperblockPairDamaged));
        assert_eq!(Some(Forgot::SuperblockPairDamaged.to_string()), report.damage.last().cloned());
        let is_newest = newest.sequence % 2 == pair;
        let left = if is_newest { newest.sequence - 1 } else { newest.sequence };
        assert_eq!(found.superblock.sequence, left + 1);
        assert!(found.superblock.regions.iter().all(|promise| promise.forgotten));
        // What is written instead of the lost one is believed from then on.
        directory.run(&steps);
        let (again, _) = recover(&genesis(), NODE, directory.image()).unwrap();
        assert_eq!((again.forgot, again.superblock), (None, found.superblock));
    }
}

#[test]
fn a_renewal_writes_every_copy_of_the_superblock_again() {
    let (mut directory, logs) = written();
    let found = Reopened::read(&directory);
    directory.run(&found.steps);
    let mut writer = found.writer(300);
    for copy in [1, 2] {
        let (offset, bytes) = (copy * SLOT_STRIDE + 40, vec![0xff; 8].into());
        directory.run(&[DiskStep::Write { file: FileName::Superblock, offset, bytes }]);
    }
    assert_eq!(inspect(&genesis(), NODE, directory.image()).torn.len(), 2, "a copy of each pair");
    writer.renew_superblock();
    while writer.is_dirty() {
        directory.run(&writer.take_steps());
    }
    let report = inspect(&genesis(), NODE, directory.image());
    assert!(report.torn.is_empty() && report.damage.is_empty(), "{:?}", report.damage);
    assert_eq!(Reopened::read(&directory).logs, logs);
}

/// Whatever happens to whole segments: what is left is kept, and what is missing is said.
#[test]
fn damage_to_whole_segments_is_told_hole_by_hole() {
    let (directory, logs) = written();
    let good = directory.image();
    let segment = |sequence| FileName::Segment { region: RegionId(0), sequence };
    let holes_of = |change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        let found = recovered(image).swap_remove(0);
        assert_honest(&found, &logs[0], "what is left");
        holes(&found)
    };
    let none: [(u64, u64); 0] = [];
    assert_eq!(holes_of(&|image| image.retain(|(name, _)| *name != segment(1))), [(1, 2)]);
    assert_eq!(holes_of(&|image| image.retain(|(name, _)| *name != segment(2))), none);
    let all = |image: &mut Image| {
        image.retain(|(name, _)| *name == FileName::Superblock);
    };
    assert_eq!(holes_of(&all), [(1, 4)]);
    assert_eq!(holes_of(&|image| file(image, TAIL).truncate(80)), [(3, 4)]);
    assert_eq!(holes_of(&|image| file(image, segment(1)).truncate(200)), [(1, 2)]);
    assert_eq!(holes_of(&|image| file(image, segment(1))[100] ^= 1), [(1, 1)]);
    let ends = |image: &mut Image| {
        file(image, segment(1))[100] ^= 1;
        let length = file(image, TAIL).len();
        file(image, TAIL)[length - 1] ^= 1;
    };
    assert_eq!(holes_of(&ends), [(1, 1), (4, 4)]);
    // The length of a record is no way to the one behind it any more.
    assert_eq!(holes_of(&|image| file(image, segment(1))[80] ^= 0x40), [(1, 1)]);
    // Zeros over the end of one file and the beginning of another.
    let swath = |image: &mut Image| {
        file(image, segment(1))[295..].fill(0);
        file(image, TAIL)[..200].fill(0);
    };
    assert_eq!(holes_of(&swath), [(2, 3)]);
}

/// Where the newest copies are gone, older ones that were replaced stand in their place until the
/// record behind them says that they are not part of the log.
#[test]
fn what_was_replaced_counts_until_it_is_contradicted() {
    let (directory, logs) = written();
    let mut image = directory.image();
    image.retain(|(name, _)| *name != TAIL);
    let found = recovered(image).swap_remove(0);
    assert_eq!(holes(&found), [(4, 4)]);
    assert_eq!(found.records[..2], logs[0].records[..2]);
    assert_ne!(found.records[2], logs[0].records[2], "of the first term");
    let last = RecordView::decode(&logs[0].records[3]).unwrap().header;
    assert_eq!(found.holes[0].last_hash, last.hash);
    let stale = RecordView::decode(&found.records[2]).unwrap().header;
    assert_ne!(last.prev_hash, stale.hash, "the fetched record will contradict it");
}

/// The last record landed behind a hole, and not where it belongs: it is believed for what it says,
/// and nothing behind it is cut.
#[test]
fn nothing_is_cut_behind_a_record_that_landed_elsewhere() {
    let (directory, _) = written();
    let mut image = directory.image();
    let tail = file(&mut image, TAIL);
    let half = (tail.len() - 80) / 2;
    let (first, last) = (80..80 + half, 80 + half..tail.len());
    let record = tail[last].to_vec();
    tail[first.start..first.start + record.len()].copy_from_slice(&record);
    let length = tail.len();
    let (found, steps) = recover(&genesis(), NODE, image).expect("it is damaged, no more");
    assert_eq!(holes(&found.logs[0]), [(3, 3)]);
    let cuts = |step: &DiskStep| match step {
        DiskStep::SetLength { file: TAIL, length: to } => *to < length as u64,
        _ => false,
    };
    assert!(!steps.iter().any(cuts), "{steps:?}");
}

/// Segments that are whole in themselves, and not what was promised.
#[test]
fn a_segment_of_another_log_is_not_believed() {
    let (directory, logs) = written();
    let mut other = initialised();
    let found = Reopened::read(&other);
    let (mut writer, mut foreign) = (found.writer(300), found.logs);
    for kept in 0..4 {
        let (header, bytes) = foreign[0].append(0, kept, 21);
        writer.append(&header, &bytes);
    }
    other.run(&writer.take_steps());
    let segment = |sequence| FileName::Segment { region: RegionId(0), sequence };
    let mut image = directory.image();
    *file(&mut image, segment(2)) = file(&mut other.image(), segment(2)).clone();
    let found = recovered(image).swap_remove(0);
    assert_honest(&found, &logs[0], "a replaced segment costs nothing");
    assert_eq!(holes(&found), []);
    let mut image = directory.image();
    let swapped = file(&mut other.image(), segment(2)).clone();
    *file(&mut image, TAIL) = under_number(&swapped, 3);
    let found = recovered(image).swap_remove(0);
    let last = RecordView::decode(&logs[0].records[3]).unwrap().header;
    // The last hole is pinned by the superblock; what stands before it is not certain.
    let hole = found.holes.last().map(|hole| (hole.first, hole.last, hole.last_hash));
    assert_eq!(hole, Some((4, 4, last.hash)));
}

/// A log that was written again behind a hole comes back whole, over the damage that stays.
#[test]
fn damage_under_a_rewritten_range_costs_nothing() {
    let (directory, logs) = written();
    for (segment, at) in [(1, 100), (1, 20), (3, 90), (3, 400)] {
        let mut directory = directory.clone();
        let name = FileName::Segment { region: RegionId(0), sequence: segment };
        let byte = file(&mut directory.image(), name)[at] ^ 1;
        let offset = at as u64;
        directory.run(&[DiskStep::Write { file: name, offset, bytes: vec![byte].into() }]);
        let (found, steps) = recover(&genesis(), NODE, directory.image()).unwrap();
        directory.run(&steps);
        let tails: Vec<_> = found.logs.iter().map(|log| log.tail).collect();
        let first = found.logs[0].records.len();
        assert!(first < 4, "segment {segment}, offset {at}");
        let mut writer = Writer::new(genesis().cluster, 300, found.superblock, &tails);
        for bytes in &logs[0].records[first..] {
            writer.append(&RecordView::decode(bytes).unwrap().header, bytes);
        }
        directory.run(&writer.take_steps());
        let again = Reopened::read(&directory);
        assert_eq!(again.logs, logs, "segment {segment}, offset {at}");
        let (found, _) = recover(&genesis(), NODE, directory.image()).unwrap();
        assert_eq!((holes(&found.logs[0]), found.logs[0].behind.len()), (vec![], 0));
        let report = inspect(&genesis(), NODE, directory.image());
        assert_eq!(report.damage, Vec::<String>::new());
    }
}

/// The same segment under another number.
fn under_number(segment: &[u8], sequence: u32) -> Vec<u8> {
    let mut header = billing_core::journal::segment::SegmentHeader::decode(segment).unwrap();
    header.sequence = sequence;
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    bytes.extend_from_slice(&segment[bytes.len()..]);
    bytes
}

#[test]
fn an_inspection_reports_torn_bytes_and_damage_and_changes_nothing() {
    let (directory, logs) = written();
    let report = inspect(&genesis(), NODE, directory.image());
    assert_eq!((report.torn, report.damage), (vec![], vec![]));
    let log = &report.logs[0];
    assert_eq!((log.term, log.durable_index, log.commit, log.submissions), (2, 4, 3, 4));
    assert_eq!(log.records, logs[0].records);
    assert_eq!((report.logs[1].durable_index, report.logs[1].submissions), (0, 0));

    let mut image = directory.image();
    file(&mut image, TAIL).extend_from_slice(&[0xab; 13]);
    let whole = Superblock::newest(file(&mut image, FileName::Superblock)).unwrap().0;
    let at = (2 * (whole.sequence % 2) * SLOT_STRIDE) as usize + 40;
    file(&mut image, FileName::Superblock)[at] ^= 1;
    let torn = inspect(&genesis(), NODE, image.clone());
    assert_eq!(torn.damage, Vec::<String>::new());
    assert_eq!(torn.logs[0].records, logs[0].records);
    let texts: Vec<_> = torn.torn.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    superblock: the copy at offset 0 does not verify
    log/0/00000003.seg: 13 bytes at offset 510 are no record
    ");

    let first = FileName::Segment { region: RegionId(0), sequence: 1 };
    file(&mut image, first)[200] ^= 1;
    let damaged = inspect(&genesis(), NODE, image);
    let expected = "log/0/00000001.seg at offset 80: record 1 cannot be read";
    assert_eq!(folded(&damaged.damage), expected);
}

/// A record whose checksum is right and whose hash is not: only an inspection reads so closely.
#[test]
fn an_inspection_reads_every_hash() {
    let (directory, _) = written();
    let mut image = directory.image();
    let segment = file(&mut image, TAIL);
    let record = segment.len() - RecordView::length(&segment[80..]).unwrap();
    segment[record + 120] ^= 1;
    let crc = crc32c::crc32c(&segment[record + 8..]);
    segment[record + 4..record + 8].copy_from_slice(&crc.to_le_bytes());
    let report = inspect(&genesis(), NODE, image);
    let damage = folded(&report.damage);
    let expected = "log/0/00000003.seg at offset 295: record 4 does not match its hash";
    assert_eq!(damage, expected);
}

#[test]
fn the_first_steps_make_an_empty_directory_that_opens() {
    let directory = initialised();
    let found = Reopened::read(&directory);
    assert_eq!((found.superblock.sequence, found.superblock.node), (1, NODE));
    assert!(found.logs.iter().all(|log| *log == Log::default()));
    let mut image = directory.image();
    assert_eq!(Genesis::decode(file(&mut image, FileName::Genesis)), Ok(genesis()));
    // A power cut before the first superblock is synced leaves nothing that would start.
    let mut cut = Directory::default();
    cut.run(&first_steps(&genesis(), NODE)[..3]);
    cut.power_cut(&mut |_| 0);
    let refused = recover(&genesis(), NODE, cut.image()).map_err(|error| error.to_string());
    assert!(refused.unwrap_err().contains("billing-node init"));
}
