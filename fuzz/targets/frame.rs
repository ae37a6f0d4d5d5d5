//! Frames between nodes, with the consensus messages in them.
#![no_main]

use billing_core::consensus::message;
use billing_fuzz::with_length;
use billing_wire::codec::Reader;
use billing_wire::{Frame, FrameKind, Submission, Token, WriteAnswer};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Frame::decode(&Bytes::copy_from_slice(data));
    let Ok(frame) = Frame::decode(&Bytes::from(with_length(data))) else { return };
    if frame.header.kind == FrameKind::Raft {
        let _ = message::decode(&frame);
    }
    let reader = || Reader::new("body", &frame.body);
    let _ = Submission::decode(&mut reader());
    let _ = Token::decode(&mut reader());
    let _ = WriteAnswer::decode(&mut reader());
});
