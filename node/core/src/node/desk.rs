//! Where outgoing things pass: records and promises go to the journal's writer, messages become
//! frames.

use super::presence::Presented;
use crate::consensus::{Life, Presence, Sink, message};
use crate::io::{Output, Outputs};
use crate::journal::Writer;
use billing_wire::frame::{FRAME_HEADER_BYTES, finish, start};
use billing_wire::{
    FrameHeader, FrameKind, Hash, Incarnation, LogIndex, NodeId, RecordHeader, RegionId, Term,
};
use bytes::Bytes;
use raft::eraftpb::Message;

/// Bytes of a message beside its entries.
const MESSAGE_BYTES: usize = 64;

/// The outgoing side of one step.
pub(super) struct Desk<'a> {
    pub(super) writer: &'a mut Writer,
    pub(super) out: &'a mut Outputs,
    pub(super) me: NodeId,
    pub(super) cluster: u64,
    pub(super) wall_ms: u64,
    pub(super) presented: &'a mut Presented,
}

impl Desk<'_> {
    /// Sends a frame with the body that `fill` appends.
    pub(super) fn send_frame(
        &mut self,
        kind: FrameKind,
        to: NodeId,
        region: RegionId,
        body_bytes: usize,
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        let (from, cluster, wall_ms) = (self.me, self.cluster, self.wall_ms);
        let header = FrameHeader { kind, from, to, region, cluster, wall_ms };
        let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + body_bytes);
        start(&header, &mut bytes);
        fill(&mut bytes);
        self.out.push(Output::Send { to, frame: finish(bytes) });
    }
}

impl Sink for Desk<'_> {
    fn append(&mut self, header: &RecordHeader, bytes: &Bytes) {
        self.writer.append(header, bytes);
    }

    fn hard_state(&mut self, region: RegionId, term: Term, vote: u64) {
        self.writer.hard_state(region, term, vote);
    }

    fn commit(&mut self, region: RegionId, index: LogIndex) {
        self.writer.commit(region, index);
    }

    fn fence(&mut self, region: RegionId) {
        self.writer.fence(region);
    }

    fn reincarnate(&mut self, region: RegionId, incarnation: Incarnation, kept: (LogIndex, Hash)) {
        self.writer.reincarnate(region, incarnation, kept);
    }

    fn send(&mut self, region: RegionId, life: Life, message: &Message) {
        let entries: usize = message.entries.iter().map(|e| 12 + e.data.len()).sum();
        let to = NodeId(message.to as u16);
        let third = self.writer.seen_of_another(to, self.wall_ms);
        let sequence = self.presented.state();
        let says = Presence { sequence, seen: self.writer.seen(to), third };
        self.send_frame(FrameKind::Raft, to, region, MESSAGE_BYTES + entries, |bytes| {
            message::encode(message, life, says, bytes);
        });
    }
}
