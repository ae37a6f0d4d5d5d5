//! Damage is never taken for a torn tail: whatever was promised comes back or is missed aloud,
//! and the message says what and where.

mod journal_support;
mod memory_directory;

use billing_core::FileName;
use billing_core::journal::superblock::SLOT_STRIDE;
use billing_core::journal::{Image, Superblock, first_steps, inspect, recover};
use billing_wire::{Genesis, NodeId, RegionId};
use journal_support::{Log, NODE, Reopened, genesis, initialised};
use memory_directory::Directory;

const TAIL: FileName = FileName::Segment { region: RegionId(0), sequence: 3 };

/// One message per line, long ones folded.
fn folded(texts: &[String]) -> String {
    texts.join("\n").replace("; ", ";\n  ").replace(": restore the", ":\n  restore the")
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

fn recovered(image: Image) -> Result<Vec<Vec<bytes::Bytes>>, String> {
    let found = recover(&genesis(), NODE, image).map_err(|error| error.to_string())?;
    Ok(found.0.logs.into_iter().map(|log| log.records).collect())
}

fn records(logs: &[Log]) -> Vec<Vec<bytes::Bytes>> {
    logs.iter().map(|log| log.records.clone()).collect()
}

#[test]
fn a_flipped_bit_costs_nothing_or_is_refused() {
    let (directory, logs) = written();
    let expected = records(&logs);
    let (mut refused, mut harmless) = (0, 0);
    let image = directory.image();
    for (name, bytes) in &image {
        if *name == FileName::Superblock || *name == FileName::Genesis {
            continue;
        }
        for bit in 0..bytes.len() * 8 {
            let mut image = image.clone();
            file(&mut image, *name)[bit / 8] ^= 1 << (bit % 8);
            match recovered(image) {
                Ok(found) => {
                    assert_eq!(found, expected, "{name:?}: byte {} bit {}", bit / 8, bit % 8);
                    assert_ne!(*name, TAIL, "every byte of the last segment was promised");
                    harmless += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    // Only the two replaced records may rot unseen.
    let replaced = image
        .iter()
        .find(|(name, _)| *name == FileName::Segment { region: RegionId(0), sequence: 2 });
    let replaced = replaced.map(|(_, bytes)| (bytes.len() - 80) * 8).unwrap();
    assert_eq!(harmless, replaced, "{refused} refused");
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
            directory.run(&[billing_core::DiskStep::Write {
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
    let segment = |sequence| FileName::Segment { region: RegionId(0), sequence };
    let other = Genesis { cluster: billing_wire::ClusterId(0xb222), ..genesis() };
    let smaller = Genesis { regions: genesis().regions[..1].to_vec(), ..genesis() };
    let texts = [
        ours(&|image| image.clear()),
        ours(&|image| image.retain(|(name, _)| *name != FileName::Superblock)),
        ours(&|image| file(image, FileName::Superblock).clear()),
        ours(&|image| {
            let slots = file(image, FileName::Superblock);
            (8..slots.len()).step_by(SLOT_STRIDE as usize).for_each(|at| slots[at] ^= 1);
        }),
        refusal(&other, NODE, &|_| {}),
        refusal(&genesis(), NodeId(3), &|_| {}),
        refusal(&smaller, NODE, &|_| {}),
        ours(&|image| image.retain(|(name, _)| *name != segment(1))),
        ours(&|image| image.retain(|(name, _)| *name != segment(3))),
        ours(&|image| file(image, segment(2))[20] ^= 1),
        ours(&|image| file(image, segment(3)).truncate(79)),
        ours(&|image| {
            let earlier = file(image, segment(1)).clone();
            *file(image, segment(3)) = earlier;
        }),
        ours(&|image| file(image, segment(1))[100] ^= 1),
        ours(&|image| {
            let length = file(image, TAIL).len();
            file(image, TAIL)[length - 1] ^= 1;
        }),
        ours(&|image| file(image, TAIL).truncate(80)),
    ];
    insta::assert_snapshot!(folded(&texts), @r"
    no superblock: an empty directory never starts by itself, run `billing-node init`
    superblock is missing beside log/0/00000001.seg:
      restore the file;
      a node that forgot what it promised must not vote again
    superblock: none of the copies at offsets 0, 4096, 8192 and 12288 verifies:
      restore the file;
      a node that forgot what it promised must not vote again
    superblock: none of the copies at offsets 0, 4096, 8192 and 12288 verifies:
      restore the file;
      a node that forgot what it promised must not vote again
    directory of another cluster (mark 000000000000b111, expected 000000000000b222)
    directory of node 2, but this is node 3: check `node` and `dir`
    superblock of 2 region logs, genesis has 1: check `dir`
    log/0/00000001.seg is missing: restore it
    log/0/00000003.seg is missing: restore it
    log/0/00000002.seg: the header at offset 0 does not verify
    log/0/00000003.seg: the header at offset 0 does not verify
    log/0/00000003.seg: the header at offset 0 does not verify
    log/0/00000001.seg: record 1 at offset 80 is damaged inside the durable prefix;
      it is not cut, because it may have been acknowledged
    log/0/00000003.seg: record 4 at offset 295 is damaged inside the durable prefix;
      it is not cut, because it may have been acknowledged
    log/0/00000003.seg: record 3 at offset 80 is damaged inside the durable prefix;
      it is not cut, because it may have been acknowledged
    ");
}

/// Segments that are whole in themselves, and not what was promised.
#[test]
fn a_segment_of_another_log_is_refused() {
    let (directory, _) = written();
    let mut other = initialised();
    let found = Reopened::read(&other);
    let (mut writer, mut logs) = (found.writer(300), found.logs);
    for kept in 0..4 {
        let (header, bytes) = logs[0].append(0, kept, 21);
        writer.append(&header, &bytes);
    }
    other.run(&writer.take_steps());
    let refusal = |sequence| {
        let segment = FileName::Segment { region: RegionId(0), sequence };
        let foreign = file(&mut other.image(), segment).clone();
        let mut image = directory.image();
        *file(&mut image, segment) = foreign;
        recovered(image).unwrap_err()
    };
    assert_eq!(
        refusal(2),
        "log/0/00000002.seg: the first record, at offset 80, does not follow the record before it"
    );
    let mut image = other.image();
    *file(&mut image, FileName::Superblock) =
        file(&mut directory.image(), FileName::Superblock).clone();
    let tail = file(&mut image, FileName::Segment { region: RegionId(0), sequence: 2 }).clone();
    let at = 80 + billing_wire::RecordView::length(&tail[80..]).unwrap();
    image.push((TAIL, under_number(&tail, 3)));
    let refused = recovered(image).unwrap_err();
    assert_eq!(
        refused,
        format!("{TAIL}: record 4 at offset {at} is not the one that the superblock names")
    );
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
    assert_eq!(damaged.logs, vec![], "what cannot be opened is not listed");
    insta::assert_snapshot!(folded(&damaged.damage), @r"
    log/0/00000001.seg: record 1 at offset 80 is damaged inside the durable prefix;
      it is not cut, because it may have been acknowledged
    ");
}

/// A record whose checksum is right and whose hash is not: only an inspection reads so closely.
#[test]
fn an_inspection_reads_every_hash() {
    let (directory, _) = written();
    let mut image = directory.image();
    let segment = file(&mut image, TAIL);
    let record = segment.len() - billing_wire::RecordView::length(&segment[80..]).unwrap();
    segment[record + 120] ^= 1;
    let crc = crc32c::crc32c(&segment[record + 8..]);
    segment[record + 4..record + 8].copy_from_slice(&crc.to_le_bytes());
    let report = inspect(&genesis(), NODE, image);
    let damage = folded(&report.damage);
    let expected = "log/0/00000003.seg: record 4 at offset 295 does not match its hash";
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
