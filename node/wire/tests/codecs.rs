//! Every codec reads back exactly what it wrote, refuses every prefix of it, and survives bytes
//! that nobody wrote.

mod wire_support;

use billing_wire::codec::Reader;
use billing_wire::frame::{finish, start};
use billing_wire::record::encode_readmitted;
use billing_wire::{
    Command, CommandView, Control, DecodeError, Disposition, Frame, Frontier, Genesis, Position,
    Record, RecordKind, RecordView, Submission, Token, WriteAnswer,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::fmt::Debug;
use wire_support as any_of;

/// Encoding, decoding and every cut of one value. `decode` must read the whole slice.
fn round_trip<T: PartialEq + Debug>(
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
) {
    assert_eq!(decode(bytes).as_ref(), Ok(value));
    // Long items: every cut near both ends, a few in between.
    let step = (bytes.len() / 64).max(1);
    for end in (0..bytes.len()).filter(|end| end % step == 0 || bytes.len() - end < 40) {
        assert!(decode(&bytes[..end]).is_err(), "{value:?} cut at {end} of {}", bytes.len());
    }
}

/// A decoder of items inside other items, made to read a whole slice.
fn whole<T>(
    decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> impl Fn(&[u8]) -> Result<T, DecodeError> {
    move |bytes| {
        let mut reader = Reader::new("item", bytes);
        let value = decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands(command in any_of::command()) {
        round_trip(&command, &encoded(|out| command.encode(out)), Command::decode);
    }

    /// What is readmitted keeps its submissions byte for byte, and is known by where it stood
    /// first, however often it is moved.
    #[test]
    fn readmitted_records(mut orphan in any_of::record(), mut place in any_of::record()) {
        let bytes = orphan.encode();
        let view = RecordView::decode(&bytes).unwrap();
        place.header.kind = RecordKind::Readmitted;
        let once = encode_readmitted(&mut place.header, &view);
        let moved = RecordView::decode(&once).unwrap();
        prop_assert!(moved.verify_hash());
        prop_assert_eq!(moved.header, place.header);
        prop_assert!(moved.submissions().eq(view.submissions()));
        let Control::Readmitted(origin) = moved.control() else { panic!("no origin") };
        prop_assert_eq!((origin.index, origin.hash), (orphan.header.index, orphan.header.hash));
        place.header.index ^= 1;
        let twice = encode_readmitted(&mut place.header, &moved);
        let moved = RecordView::decode(&twice).unwrap();
        prop_assert_eq!(moved.control(), Control::Readmitted(origin));
    }

    #[test]
    fn records(mut record in any_of::record()) {
        let bytes = record.encode();
        round_trip(&record, &bytes, Record::decode);
        let view = RecordView::decode(&bytes).unwrap();
        prop_assert!(view.verify_hash());
        prop_assert_eq!(view.bytes(), &bytes[..]);
        prop_assert_eq!(usize::from(view.count), record.submissions.len());
        let written = record.submissions.iter().zip(0..);
        for (found, (written, place)) in view.submissions().zip(written) {
            let found = found.unwrap();
            prop_assert_eq!(found.offset, place);
            prop_assert_eq!(found.op_id, written.op_id);
            prop_assert_eq!(found.fingerprint, written.command.fingerprint());
        }
    }

    #[test]
    fn frames((header, body) in any_of::frame()) {
        let mut bytes = encoded(|out| start(&header, out));
        bytes.extend_from_slice(&body);
        let bytes = finish(bytes);
        let frame = Frame { header, body: Bytes::from(body) };
        round_trip(&frame, &bytes, |bytes| Frame::decode(&Bytes::copy_from_slice(bytes)));
        prop_assert_eq!(Frame::length(bytes[..4].try_into().unwrap()), Ok(bytes.len()));
    }

    #[test]
    fn submissions(submission in any_of::submission(), options in any_of::options()) {
        let bytes = encoded(|out| submission.encode(&options, out));
        round_trip(&(submission, options), &bytes, whole(Submission::decode));
    }

    #[test]
    fn write_answers(answer in any_of::write_answer()) {
        round_trip(&answer, &encoded(|out| answer.encode(out)), whole(WriteAnswer::decode));
    }

    #[test]
    fn dispositions(disposition in any_of::disposition()) {
        let bytes = encoded(|out| disposition.encode(out));
        round_trip(&disposition, &bytes, whole(Disposition::decode));
    }

    #[test]
    fn tokens(token in any_of::token()) {
        let bytes = encoded(|out| token.encode(out));
        prop_assert_eq!(bytes.len(), Token::BYTES);
        round_trip(&token, &bytes, whole(Token::decode));
    }

    #[test]
    fn frontiers(frontier in any_of::frontier()) {
        round_trip(&frontier, &encoded(|out| frontier.encode(out)), whole(Frontier::decode));
    }

    #[test]
    fn genesis_files(genesis in any_of::genesis()) {
        round_trip(&genesis, &genesis.encode(), Genesis::decode);
    }

    #[test]
    fn byte_order_of_positions_is_merged_order(a in any_of::position(), b in any_of::position()) {
        let (x, y) = (encoded(|out| a.encode(out)), encoded(|out| b.encode(out)));
        prop_assert_eq!(x.len(), Position::BYTES);
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        round_trip(&a, &x, whole(Position::decode));
        // Neighbours in each field: where random pairs seldom look.
        for next in [
            Position { hlc: billing_wire::Hlc(a.hlc.0.saturating_add(1)), ..a },
            Position { index: a.index.saturating_add(1), ..a },
            Position { offset: a.offset.saturating_add(1), ..a },
        ] {
            prop_assert_eq!(x.cmp(&encoded(|out| next.encode(out))), a.cmp(&next));
        }
    }

    #[test]
    fn nobody_panics_on_bytes_that_nobody_wrote(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..6_u8], 0..400),
    ) {
        decode_with_all(&bytes);
    }

    /// Noise rarely gets past a checksum, so this one is right and only the content is noise.
    #[test]
    fn nobody_panics_behind_a_right_checksum(
        mut record in any_of::record(),
        noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in 0..40_usize,
    ) {
        let mut bytes = record.encode();
        for (place, byte) in noise {
            let at = 8 + place.index(bytes.len() - 8);
            bytes[at] = byte;
        }
        bytes.truncate((bytes.len() - cut).max(8));
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        if let Ok(view) = RecordView::decode(&bytes) {
            prop_assert!(view.submissions().all(|found| found.is_ok()), "framing was verified");
            prop_assert_eq!(view.submissions().count(), usize::from(view.count));
        }
        decode_with_all(&bytes);
    }
}

/// Whatever one decoder accepts it must write again byte for byte, where it is canonical.
fn decode_with_all(bytes: &[u8]) {
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(encoded(|out| command.encode(out)), bytes, "one command, one form");
    }
    if let Ok(view) = CommandView::decode(bytes) {
        let _ = view.class();
    }
    if let Ok((submission, options)) = whole(Submission::decode)(bytes) {
        assert_eq!(encoded(|out| submission.encode(&options, out)), bytes);
    }
    if let Ok(disposition) = whole(Disposition::decode)(bytes) {
        assert_eq!(encoded(|out| disposition.encode(out)), bytes);
    }
    let _ = whole(WriteAnswer::decode)(bytes);
    let _ = whole(Token::decode)(bytes);
    let _ = whole(Frontier::decode)(bytes);
    let _ = whole(Position::decode)(bytes);
    let _ = Record::decode(bytes);
    let _ = RecordView::length(bytes);
    let _ = Frame::decode(&Bytes::copy_from_slice(bytes));
    let _ = Genesis::decode(bytes);
}
