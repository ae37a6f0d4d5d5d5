//! No flipped bit of anything that lies on disk or travels is believed, and what is refused says
//! why.

use billing_wire::codec::Reader;
use billing_wire::frame::{finish, start};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Disposition, Frame, FrameHeader, FrameKind, Genesis, Hlc,
    Incarnation, NodeId, OpId, Record, RecordHeader, RecordKind, RecordView, RegionId,
    RegionMembers, RegionMode, Submission, WriteAnswer,
};
use bytes::Bytes;

fn record() -> Record {
    let payment = Command::RecordPayment {
        account: AccountId(4_711),
        amount: 1_250,
        date: Date(20_000),
        provider: "bank".into(),
        external_ref: "ref-1".into(),
    };
    let header = RecordHeader {
        kind: RecordKind::Submissions,
        region: RegionId(0),
        incarnation: Incarnation(0),
        index: 7,
        term: 3,
        hlc: Hlc::from_ms(1_000),
        geo_index: 0,
        mode: RegionMode::Geo,
        prev_hash: [5; 32],
        hash: [0; 32],
    };
    Record { header, submissions: vec![Submission { op_id: OpId(99), command: payment }] }
}

fn frame() -> Bytes {
    let header = FrameHeader {
        kind: FrameKind::Forward,
        from: NodeId(1),
        to: NodeId(2),
        region: RegionId(0),
        cluster: 77,
        wall_ms: 1_000,
    };
    let mut bytes = Vec::new();
    start(&header, &mut bytes);
    bytes.extend_from_slice(b"some body");
    finish(bytes)
}

fn genesis() -> Vec<u8> {
    let region = RegionMembers {
        region: RegionId(0),
        name: "east".into(),
        incarnation: Incarnation(0),
        nodes: vec![NodeId(1), NodeId(2), NodeId(3)],
    };
    let (currency, secret) = (*b"EUR", [9; 32]);
    Genesis { cluster: ClusterId(77), currency, secret, regions: vec![region] }.encode()
}

fn every_flipped_bit_is_refused(good: &[u8], is_accepted: impl Fn(&[u8]) -> bool) {
    assert!(is_accepted(good), "the example itself is good");
    let mut bytes = good.to_vec();
    for bit in 0..good.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_accepted(&bytes), "bit {} of byte {} flipped", bit % 8, bit / 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn no_flipped_bit_of_a_record_is_believed() {
    every_flipped_bit_is_refused(&record().encode(), |bytes| RecordView::decode(bytes).is_ok());
}

/// The checksum can be forged or hit by chance; the hash of the chain cannot.
#[test]
fn no_flipped_bit_behind_a_right_checksum_keeps_the_hash() {
    let good = record().encode();
    let mut unseen = 0;
    for bit in 8 * 8..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        if let Ok(view) = RecordView::decode(&bytes) {
            unseen += 1;
            assert!(!view.verify_hash(), "bit {} of byte {} flipped", bit % 8, bit / 8);
        }
    }
    assert!(unseen > 1_000, "most of a record can only be checked by its hash, not {unseen} bits");
}

#[test]
fn no_flipped_bit_of_a_frame_is_believed() {
    every_flipped_bit_is_refused(&frame(), |bytes| {
        Frame::decode(&Bytes::copy_from_slice(bytes)).is_ok()
    });
}

#[test]
fn no_flipped_bit_of_a_genesis_file_is_believed() {
    every_flipped_bit_is_refused(&genesis(), |bytes| Genesis::decode(bytes).is_ok());
}

#[test]
fn no_prefix_and_no_extension_is_believed() {
    let record = record().encode();
    for end in 0..record.len() {
        assert!(RecordView::decode(&record[..end]).is_err(), "record cut at {end}");
    }
    let genesis = genesis();
    for end in 0..genesis.len() {
        assert!(Genesis::decode(&genesis[..end]).is_err(), "genesis cut at {end}");
    }
    let frame = frame();
    for end in 0..frame.len() {
        assert!(Frame::decode(&frame.slice(..end)).is_err(), "frame cut at {end}");
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert!(RecordView::decode(&longer(&record)).is_err());
    assert!(Genesis::decode(&longer(&genesis)).is_err());
    assert!(Frame::decode(&Bytes::from(longer(&frame))).is_err());
}

/// Puts the right checksum over a changed record.
fn record_with(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = record().encode();
    bytes[at] = byte;
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn refusal<T: std::fmt::Debug, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map_err(|error| error.to_string()).unwrap_err()
}

#[test]
fn a_refused_record_says_why() {
    let good = record().encode();
    let refused = |bytes: &[u8]| refusal(RecordView::decode(bytes));
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let mut huge = good.clone();
    huge[3] = 0xff;
    let mut tiny = good.clone();
    tiny[..4].copy_from_slice(&8_u32.to_le_bytes());
    let texts = [
        refused(&good[..20]),
        refused(&[&good[..], &[0, 0]].concat()),
        refused(&flipped),
        refused(&huge),
        refused(&tiny),
        refused(&record_with(8, 9)),
        refused(&record_with(9, 77)),
        refused(&record_with(10, 5)),
        refused(&record_with(11, 2)),
        refused(&record_with(113, 0xff)),
        refused(&record_with(112, 2)),
        refused(&record_with(112, 0)),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    record: 200 bytes expected at offset 0, 20 left
    record: 2 bytes too many at offset 200
    record: checksum 55256ed7 stored, 9c0af75a computed
    record: length is 4278190280, at most 1048576 expected
    record: 116 bytes expected at offset 0, 8 left
    record: format version 9, this release reads 1; use a matching release
    record: kind is 77, at most 10 expected
    record: region is 5, at most 4 expected
    record: mode is 2, at most 1 expected
    record: count is 65281, at most 512 expected
    record: 16 bytes expected at offset 200, 0 left
    record: 84 bytes too many at offset 116
    ");
}

#[test]
fn a_refused_command_frame_or_genesis_says_why() {
    let mut payment = Vec::new();
    record().submissions[0].command.encode(&mut payment);
    let mut no_text = payment.clone();
    *no_text.last_mut().unwrap() = 0xff;
    let mut long_text = payment.clone();
    long_text[21..23].copy_from_slice(&200_u16.to_le_bytes());
    let mut of_tomorrow = genesis();
    of_tomorrow[16] = 2;
    let crc = crc32c::crc32c(&of_tomorrow[16..]);
    of_tomorrow[12..16].copy_from_slice(&crc.to_le_bytes());
    let item = |bytes: &'static [u8]| Reader::new("item", bytes);
    let texts = [
        refusal(Command::decode(&[77])),
        refusal(Command::decode(&payment[..9])),
        refusal(Command::decode(&no_text)),
        refusal(Command::decode(&long_text)),
        refusal(Frame::length([0; 4])),
        refusal(Frame::length([0xff; 4])),
        refusal(Frame::decode(&frame().slice(..30))),
        refusal(Frame::decode(&Bytes::from([&frame()[..], &[0]].concat()))),
        refusal(Genesis::decode(&of_tomorrow)),
        refusal(Disposition::decode(&mut item(&[2, 99]))),
        refusal(Disposition::decode(&mut item(&[9]))),
        refusal(WriteAnswer::decode(&mut item(&[3, 9, 0, 0, 0, 0]))),
        refusal(Submission::decode(&mut item(&[7; 20]))),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    command: tag is 77, at most 13 expected
    command: 8 bytes expected at offset 9, 0 left
    command: external_ref is not UTF-8
    command: provider is 200, at most 128 expected
    frame: 32 bytes expected at offset 0, 0 left
    frame: length is 4294967295, at most 8388608 expected
    frame: 41 bytes expected at offset 0, 30 left
    frame: 1 bytes too many at offset 41
    genesis: format version 2, this release reads 1; use a matching release
    disposition: redirect reason is 99, at most 8 expected
    disposition: tag is 9, at most 4 expected
    answer: reason is 9, at most 6 expected
    answer: grade is 7, at most 2 expected
    ");
}
