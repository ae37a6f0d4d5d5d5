//! Consensus messages as bytes: our own versioned codec inside a frame. The library's protobuf
//! is never written to a wire or disk.
//!
//! ```text
//!   0  kind u8 · reject (bit 0) and the sender's generation (bits 1 to 7)
//!      · incarnation u16 (low half) · entries u32
//!   8  term · log_term · index · commit · commit_term · reject_hint   u64 each
//!  56  entries × { length u32, record | 0: term u64 of an entry that the library made }
//! ```

use billing_wire::codec::{DecodeError, Reader};
use billing_wire::{Frame, FrameKind, Incarnation, NodeId, RegionId, Term};
use bytes::Bytes;
use raft::eraftpb::{Entry, Message, MessageType};

const WHAT: &str = "consensus message";
/// Entries in one message, at most.
const ENTRIES_MAX: u64 = 1 << 16;

/// The kinds that travel between nodes; the others are refused on both sides.
const TRAVELLING: [MessageType; 8] = [
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgRequestVote,
    MessageType::MsgRequestVoteResponse,
    MessageType::MsgHeartbeat,
    MessageType::MsgHeartbeatResponse,
    MessageType::MsgRequestPreVote,
    MessageType::MsgRequestPreVoteResponse,
];

/// Whether a message is of a kind that travels.
pub fn travels(message: &Message) -> bool {
    TRAVELLING.contains(&message.msg_type)
}

/// The half of an incarnation that messages carry: groups of two incarnations of one region log
/// are apart, however old the message.
pub fn incarnation_mark(incarnation: Incarnation) -> u16 {
    incarnation.0 as u16
}

/// Which life of a region log and of its sender a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// The sender's generation in this group, at most 127; 0 until it loses its disk.
    pub generation: u8,
}

/// What a message says of superblocks, in words that its kind has no other use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Presence {
    /// Sequence of the sender's durable superblock; 0: not told.
    pub sequence: u64,
    /// The highest of the receiver that the sender has seen; 0: not told.
    pub seen: u64,
    /// The highest that a leader has seen of a third node; of node 0: not told.
    pub third: (NodeId, u64),
}

/// Whether `commit_term` says the sender's sequence: the library needs it in votes only.
fn tells_sequence(kind: MessageType) -> bool {
    use MessageType::{MsgAppend, MsgAppendResponse, MsgHeartbeat, MsgHeartbeatResponse};
    matches!(kind, MsgAppend | MsgAppendResponse | MsgHeartbeat | MsgHeartbeatResponse)
}

/// Whether `reject_hint` says what was seen: the library needs it in refused appends only.
fn tells_seen(kind: MessageType, reject: bool) -> bool {
    kind != MessageType::MsgAppendResponse || !reject
}

/// Appends a message of an incarnation of its region log.
pub fn encode(message: &Message, life: Life, says: Presence, out: &mut Vec<u8>) {
    let kind = TRAVELLING.iter().position(|kind| *kind == message.msg_type);
    let kind = kind.expect("only kinds that travel are sent");
    out.extend_from_slice(&[kind as u8, u8::from(message.reject) | life.generation << 1]);
    out.extend_from_slice(&incarnation_mark(life.incarnation).to_le_bytes());
    out.extend_from_slice(&(message.entries.len() as u32).to_le_bytes());
    let m = message;
    let commit_term = if tells_sequence(m.msg_type) { says.sequence } else { m.commit_term };
    let reject_hint = if tells_seen(m.msg_type, m.reject) { says.seen } else { m.reject_hint };
    let third = u64::from(says.third.0.0) | says.third.1 << 16;
    let log_term = if m.msg_type == MessageType::MsgHeartbeat { third } else { m.log_term };
    for word in [m.term, log_term, m.index, m.commit, commit_term, reject_hint] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for entry in &m.entries {
        out.extend_from_slice(&(entry.data.len() as u32).to_le_bytes());
        if entry.data.is_empty() {
            out.extend_from_slice(&entry.term.to_le_bytes());
        }
        out.extend_from_slice(&entry.data);
    }
}

/// Reads the message of a verified frame, the mark of its incarnation, its sender's generation, and
/// what it says of superblocks; records share the frame's buffer.
///
/// # Errors
/// What is no message of this release.
pub fn decode(frame: &Frame) -> Result<(Message, u16, u8, Presence), DecodeError> {
    let mut r = Reader::new(WHAT, &frame.body);
    let tag = r.u8()?;
    r.at_most("kind", tag.into(), TRAVELLING.len() as u64 - 1)?;
    let marks = r.u8()?;
    let (reject, generation) = (marks & 1 != 0, marks >> 1);
    let mark = r.u16()?;
    let count = r.u32()?;
    r.at_most("entries", count.into(), ENTRIES_MAX)?;
    let mut message = Message {
        msg_type: TRAVELLING[usize::from(tag)],
        reject,
        from: frame.header.from.0.into(),
        to: frame.header.to.0.into(),
        term: r.u64()?,
        log_term: r.u64()?,
        index: r.u64()?,
        commit: r.u64()?,
        commit_term: r.u64()?,
        reject_hint: r.u64()?,
        ..Message::default()
    };
    if count > 0 {
        let mut entries = Vec::with_capacity((count as usize).min(r.left() / 4));
        for place in 1..=u64::from(count) {
            entries.push(entry(&mut r, &frame.body, message.index.wrapping_add(place))?);
        }
        message.entries = entries.into();
    }
    r.finish()?;
    let mut says = Presence::default();
    if tells_sequence(message.msg_type) {
        says.sequence = std::mem::take(&mut message.commit_term);
    }
    if message.msg_type == MessageType::MsgHeartbeat {
        let third = std::mem::take(&mut message.log_term);
        says.third = (NodeId(third as u16), third >> 16);
    }
    if tells_seen(message.msg_type, message.reject) {
        says.seen = std::mem::take(&mut message.reject_hint);
    }
    Ok((message, mark, generation, says))
}

fn entry(r: &mut Reader<'_>, body: &Bytes, index: u64) -> Result<Entry, DecodeError> {
    let length = r.u32()? as usize;
    if length == 0 {
        return Ok(Entry { index, term: r.u64()?, ..Entry::default() });
    }
    let start = r.offset();
    r.take(length)?;
    let data = body.slice(start..start + length);
    // The term lies inside the record; the screen verifies it and refuses what does not fit.
    let term = billing_wire::RecordHeader::read(&data)?.term;
    Ok(Entry { index, term, data, ..Entry::default() })
}

/// The vote that a frame grants: the region log and the low half of its incarnation, term and
/// candidate. For whoever watches a node from outside.
pub fn granted_vote(frame: &Frame) -> Option<((RegionId, u16), Term, NodeId)> {
    if frame.header.kind != FrameKind::Raft || frame.body.first() != Some(&3) {
        return None;
    }
    let (message, incarnation, ..) = decode(frame).ok()?;
    let group = (frame.header.region, incarnation);
    (!message.reject).then_some((group, message.term, frame.header.to))
}

#[cfg(test)]
mod tests {
    use super::{Life, Presence, decode, encode};
    use billing_wire::frame::{finish, start};
    use billing_wire::{
        Frame, FrameHeader, FrameKind, Incarnation, NodeId, Record, RecordHeader, RegionId,
    };
    use bytes::Bytes;
    use raft::eraftpb::{Entry, Message, MessageType};

    const SAYS: Presence = Presence { sequence: 5, seen: 6, third: (NodeId(0), 0) };

    fn frame(message: &Message) -> Frame {
        let header = FrameHeader {
            kind: FrameKind::Raft,
            from: NodeId(1),
            to: NodeId(2),
            region: RegionId(0),
            cluster: 7,
            wall_ms: 1,
        };
        let mut out = Vec::new();
        start(&header, &mut out);
        let life = Life { incarnation: Incarnation(0x1_0007), generation: 99 };
        encode(message, life, SAYS, &mut out);
        Frame::decode(&finish(out)).unwrap()
    }

    #[test]
    fn a_message_survives_the_journey() {
        let mut header = RecordHeader::derived_noop(RegionId(0), Default::default(), 3, None);
        header.index = 6;
        header.kind = billing_wire::RecordKind::CloseTs;
        let data = Bytes::from(Record { header, submissions: vec![] }.encode());
        let entries = vec![
            Entry { index: 5, term: 2, ..Entry::default() },
            Entry { index: 6, term: 3, data, ..Entry::default() },
        ];
        let message = Message {
            msg_type: MessageType::MsgAppend,
            from: 1,
            to: 2,
            term: 3,
            log_term: 1,
            index: 4,
            commit: 2,
            reject: true,
            entries: entries.into(),
            ..Message::default()
        };
        assert_eq!(decode(&frame(&message)).unwrap(), (message, 7, 99, SAYS));
    }

    #[test]
    fn a_refused_append_keeps_its_hint_and_others_tell_what_was_seen() {
        let answer = |reject: bool, reject_hint: u64| Message {
            msg_type: MessageType::MsgAppendResponse,
            from: 1,
            to: 2,
            reject,
            reject_hint,
            ..Message::default()
        };
        let (refused, ..) = decode(&frame(&answer(true, 42))).unwrap();
        assert_eq!(refused, answer(true, 42), "the leader goes back as far as it says");
        let (taken, _, _, says) = decode(&frame(&answer(false, 0))).unwrap();
        assert_eq!((taken, says), (answer(false, 0), SAYS));
    }

    #[test]
    fn a_short_message_is_an_error() {
        let whole = frame(&Message { msg_type: MessageType::MsgHeartbeat, ..Message::default() });
        for length in 0..whole.body.len() {
            let short = Frame { body: whole.body.slice(..length), header: whole.header };
            assert!(decode(&short).is_err(), "{length} bytes");
        }
    }
}
