//! Records of one log on their way to a node that lacks them: the question, the answer, and what
//! makes a record the next one. A sealed chain is fetched so, and what was lost to damage.

use crate::canary;
use crate::consensus::Slot;
use billing_wire::codec::{DecodeError, Reader};
use billing_wire::{LogIndex, RecordView, SealedChain};
use bytes::Bytes;

/// When the first record does not follow the own log, so many earlier ones are asked for.
pub(super) const STEP_BACK: LogIndex = 64;
/// Bytes of records in one answer, at least one record.
const ANSWER_BYTES: usize = 512 << 10;

/// Asks for the records of a chain from `next` on.
pub(super) fn encode_question(next: LogIndex, chain: &SealedChain) -> Vec<u8> {
    let mut body = Vec::with_capacity(8 + SealedChain::BYTES);
    body.extend_from_slice(&next.to_le_bytes());
    chain.encode(&mut body);
    body
}

/// What `encode_question` wrote.
pub(super) fn decode_question(
    what: &'static str,
    body: &[u8],
) -> Result<(LogIndex, SealedChain), DecodeError> {
    let mut r = Reader::new(what, body);
    let question = (r.u64()?, SealedChain::decode(&mut r)?);
    r.finish()?;
    Ok(question)
}

/// As many of these records as fit into one answer; `next` is the index of the first.
pub(super) fn encode_answer<'a>(next: LogIndex, slots: impl Iterator<Item = &'a Slot>) -> Vec<u8> {
    let mut answer = next.to_le_bytes().to_vec();
    for slot in slots {
        if answer.len() > 8 && answer.len() + slot.bytes.len() > ANSWER_BYTES {
            break;
        }
        answer.extend_from_slice(&slot.bytes);
    }
    answer
}

/// The record of a chain at `index`, which stands in `bytes` at `at`; moves `at` behind it. `None`:
/// damaged, or another record.
pub(super) fn next_slot(
    bytes: &Bytes,
    at: &mut usize,
    chain: &SealedChain,
    index: LogIndex,
) -> Option<Slot> {
    let length = RecordView::length(bytes.get(*at..)?).ok()?;
    let record = bytes.get(*at..*at + length).map(|_| bytes.slice(*at..*at + length))?;
    let view = RecordView::decode(&record).ok()?;
    let header = view.header;
    let is_it = header.index == index
        && index <= chain.last_index
        && header.region == chain.region
        && (view.verify_hash() || canary!("repaired-without-hash-check"));
    *at += length;
    is_it.then_some(Slot { header, bytes: record })
}

/// Whether a record is the one behind `before`; `None` stands before the first.
pub(super) fn follows(slot: &Slot, before: Option<&Slot>) -> bool {
    slot.header.prev_hash == before.map_or([0; 32], |before| before.header.hash)
}

/// Whether a record is the last of a chain.
pub(super) fn holds(slot: Option<&Slot>, chain: &SealedChain) -> bool {
    slot.is_some_and(|slot| slot.header.hash == chain.last_hash)
}
