//! Frames that arrive: verified, then consensus, forwards, and answers to forwards. What does not
//! verify is counted and dropped; every sender repeats what matters.

use super::Node;
use crate::consensus::{Consensus, Refused, message};
use crate::io::Outputs;
use crate::sometimes;
use crate::time::Now;
use billing_wire::codec::{DecodeError, Reader};
use billing_wire::{Frame, FrameKind, Hlc, Submission, WriteAnswer, WriteOptions};
use bytes::Bytes;
use raft::eraftpb::MessageType;

/// A follower's request to the leader of a term.
pub(super) struct Forward {
    /// The follower's number for it.
    pub(super) sequence: u64,
    /// The term whose leader is meant.
    pub(super) term: u64,
    /// What is submitted.
    pub(super) submission: Submission,
    /// How it is to be acknowledged.
    pub(super) options: WriteOptions,
    /// Highest stamp that the session has seen, as a token says that the follower has verified.
    pub(super) after: Hlc,
}

impl Forward {
    pub(super) fn encode(
        (sequence, term): (u64, u64),
        after: Hlc,
        submission: &Submission,
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&sequence.to_le_bytes());
        out.extend_from_slice(&term.to_le_bytes());
        out.extend_from_slice(&after.0.to_le_bytes());
        submission.encode(options, out);
    }

    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("forwarded submission", body);
        let (sequence, term, after) = (r.u64()?, r.u64()?, Hlc(r.u64()?));
        let (submission, options) = Submission::decode(&mut r)?;
        r.finish()?;
        Ok(Self { sequence, term, submission, options, after })
    }
}

fn decode_answer(body: &[u8]) -> Result<(u64, WriteAnswer), DecodeError> {
    let mut r = Reader::new("answer to a forwarded submission", body);
    let sequence = r.u64()?;
    let answer = WriteAnswer::decode(&mut r)?;
    r.finish()?;
    Ok((sequence, answer))
}

impl Node {
    /// Frames that were dropped since the node was opened: damaged, not for this node, or of what
    /// it does not know yet.
    pub fn frames_refused(&self) -> u64 {
        self.counts.frames_refused
    }

    pub(super) fn receive(&mut self, now: Now, bytes: &Bytes, out: &mut Outputs) {
        if self.take_frame(now, bytes, out).is_none() {
            sometimes!("frame-refused");
            self.counts.frames_refused += 1;
        }
    }

    /// `None`: refused.
    fn take_frame(&mut self, now: Now, bytes: &Bytes, out: &mut Outputs) -> Option<()> {
        let frame = Frame::decode(bytes).ok()?;
        let header = frame.header;
        let is_ours = header.cluster == self.cluster_mark
            && header.to == self.config.node
            && usize::from(header.region.0) < self.logs.len()
            && self.config.genesis.region_of(header.from).is_some();
        if !is_ours {
            return None;
        }
        self.skew.hear(now, header.from, header.wall_ms);
        match header.kind {
            FrameKind::Raft => self.take_message(now, &frame, out)?,
            FrameKind::Forward => {
                let forward = Forward::decode(&frame.body).ok()?;
                self.take_forward(now, header.from, forward, out);
            }
            FrameKind::ForwardAnswer => {
                let (sequence, answer) = decode_answer(&frame.body).ok()?;
                self.take_answer(now, sequence, answer, out);
            }
            FrameKind::Hello => {}
            FrameKind::RepairRequest => {
                self.take_repair_request(now, header.from, &frame.body, out)?;
            }
            FrameKind::Repair => {
                self.take_repair(now, header.from, header.region, &frame.body, out)?;
            }
            FrameKind::LogEndRequest => {
                self.take_log_end_request(header.from, header.region, &frame.body)?;
            }
            FrameKind::LogEnd => self.take_log_end(header.from, &frame.body)?,
            FrameKind::TailRequest
            | FrameKind::TailReport
            | FrameKind::ChainRequest
            | FrameKind::Chain
            | FrameKind::RestoreRequest
            | FrameKind::Orphan
            | FrameKind::SealedEndRequest
            | FrameKind::SealedEnd => self.take_of_seal(now, &frame, out)?,
        }
        Some(())
    }

    /// What seals and returns are made of.
    fn take_of_seal(&mut self, now: Now, frame: &Frame, out: &mut Outputs) -> Option<()> {
        let (from, region, body) = (frame.header.from, frame.header.region, &frame.body);
        match frame.header.kind {
            FrameKind::TailRequest => self.take_tail_request(now, from, body, out),
            FrameKind::TailReport => self.take_tail_report(from, body),
            FrameKind::ChainRequest => self.take_chain_request(now, from, body, out),
            FrameKind::Chain => self.take_chain(now, from, region, body, out),
            FrameKind::RestoreRequest => self.take_restore_request(now.monotonic, from, body),
            FrameKind::SealedEndRequest => {
                self.take_sealed_end_request(now, from, region, body, out)
            }
            FrameKind::SealedEnd => self.take_sealed_end(region, body),
            _ => self.take_orphan(body),
        }
    }

    fn take_message(&mut self, now: Now, frame: &Frame, out: &mut Outputs) -> Option<()> {
        let (message, incarnation, generation, says) = message::decode(frame).ok()?;
        if !self.is_as_known(now, frame.header.from, says, out) {
            return None;
        }
        let region = frame.header.region;
        if incarnation != message::incarnation_mark(self.logs[usize::from(region.0)].incarnation())
        {
            sometimes!("message-of-another-incarnation");
            self.sealed_ends.hear_of(region);
            return None;
        }
        if self.has_no_space_for(now, &message) {
            return Some(());
        }
        let from_leader =
            matches!(message.msg_type, MessageType::MsgAppend | MessageType::MsgHeartbeat);
        let regions = self.logs.len() as u8;
        let log = &mut self.logs[usize::from(region.0)];
        if !log.is_of_this_life(frame.header.from, generation) {
            sometimes!("message-of-an-earlier-life");
            return None;
        }
        if let Err(refused) = log.step(message) {
            if log.is_dormant() {
                self.sealed_ends.hear_of_return(region, regions);
            }
            if refused != Refused::Damaged {
                let from = frame.header.from.0;
                tracing::warn!(from, %refused, "refused a consensus message");
            }
            return None;
        }
        if from_leader && log.leader() == Some(frame.header.from) {
            self.heard_at[usize::from(region.0)] = now.monotonic;
        }
        Some(())
    }
}
