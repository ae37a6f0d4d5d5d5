//! Keeps the last messages between nodes for reports: when each left, when it arrived, or what
//! became of it. Only where a run is told as events; a run sends millions, so older ones are
//! forgotten. Decides nothing about them: that is what links and machines do.

use super::World;
use super::links::Struck;
use billing_core::consensus::message;
use billing_wire::{Frame, FrameKind};
use billsim_record::event::{Happening, RunEvent};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Messages that are kept: enough for the seconds before a failure, few enough for one page.
pub(super) const MESSAGES_MAX: usize = 3_000;

/// The last messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    kept: VecDeque<RunEvent>,
    /// Messages that were forgotten: the number of the oldest one that is kept.
    forgotten: u64,
    /// Those that are on their way, by receiver and time of arrival.
    on_the_way: BTreeMap<(usize, u64), Vec<u64>>,
}

impl Messages {
    fn push(&mut self, event: RunEvent, arrival: Option<(usize, u64)>) {
        if self.kept.len() == MESSAGES_MAX {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        if let Some(arrival) = arrival {
            let number = self.forgotten + self.kept.len() as u64;
            self.on_the_way.entry(arrival).or_default().push(number);
        }
        self.kept.push_back(event);
    }

    /// What arrives at a machine now is taken, or not.
    fn arrive(&mut self, slot: usize, now: u64, why_not: Option<&str>) {
        for number in self.on_the_way.remove(&(slot, now)).unwrap_or_default() {
            let place = number.checked_sub(self.forgotten);
            let Some(event) = place.and_then(|place| self.kept.get_mut(place as usize)) else {
                continue;
            };
            if let Happening::Message { arrives_ns, lost, .. } = &mut event.what {
                *arrives_ns = Some(now);
                *lost = why_not.map(str::to_owned);
            }
        }
    }

    /// All that are kept, in order of their sending.
    pub(super) fn into_events(self) -> impl Iterator<Item = RunEvent> {
        self.kept.into_iter()
    }
}

impl World {
    /// A frame left a machine; `arrivals` say when copies of it arrive.
    pub(super) fn tell_sent(
        &mut self,
        from: usize,
        to: usize,
        frame: &Bytes,
        fate: (Struck, [Option<u64>; 2]),
    ) {
        let (at_ns, event) = (self.now, self.trace.events());
        let (sender, receiver) = (self.machines[from].node.0, self.machines[to].node.0);
        let Some(teller) = &mut self.teller else { return };
        let (struck, arrivals) = fate;
        let message = |words: String, lost: Option<&str>| {
            let lost = lost.map(str::to_owned);
            let what =
                Happening::Message { node: sender, to: receiver, words, arrives_ns: None, lost };
            RunEvent { number: 0, event, at_ns, what }
        };
        let words =
            format!("{}{}", words(frame), if struck.flipped { ", a bit flips" } else { "" });
        if arrivals == [None; 2] {
            teller.messages.push(message(words, Some(why_lost(struck))), None);
            return;
        }
        for (copy, at) in arrivals.into_iter().enumerate() {
            let Some(at) = at else { continue };
            let again = if copy == 1 { ", a second time" } else { "" };
            let sent = message(format!("{words}{again}"), None);
            teller.messages.push(sent, Some((to, at)));
        }
    }

    /// A frame arrives at a machine, and its node takes it; or why not.
    pub(super) fn tell_arrived(&mut self, slot: usize, why_not: Option<&str>) {
        let now = self.now;
        if let Some(teller) = &mut self.teller {
            teller.messages.arrive(slot, now, why_not);
        }
    }
}

fn why_lost(struck: Struck) -> &'static str {
    match struck {
        Struck { cut: true, .. } => "the link is cut",
        Struck { region_cut: true, .. } | Struck { region_flap: true, .. } => {
            "the regions are cut off from each other"
        }
        Struck { lost: true, .. } => "lost on the way",
        Struck { queued: true, .. } => "too much waits on the slow link",
        _ => "the node is isolated",
    }
}

/// What a frame carries.
fn words(frame: &Bytes) -> String {
    let Ok(frame) = Frame::decode(frame) else { return "bytes that are no frame".to_owned() };
    let region = frame.header.region;
    let about = match frame.header.kind {
        FrameKind::Raft => return of_consensus(&frame),
        FrameKind::Forward => "a client's write, for the leader",
        FrameKind::ForwardAnswer => "the leader's answer to a write",
        FrameKind::Hello => "hello",
        FrameKind::TailRequest => "where does this log end? take no more of it",
        FrameKind::TailReport => "where that log ends",
        FrameKind::ChainRequest => "asks for records of a sealed log",
        FrameKind::Chain => "records of a sealed log",
        FrameKind::RestoreRequest => "asks to be let in again",
        FrameKind::Orphan => "a record that a seal left out",
        FrameKind::RepairRequest => "asks for records that it lost",
        FrameKind::Repair => "records for a repair",
        FrameKind::LogEndRequest => "asks where the log ends",
        FrameKind::LogEnd => "where the log ends",
        FrameKind::SealedEndRequest => "asks how the log was sealed",
        FrameKind::SealedEnd => "how the log was sealed",
    };
    format!("{about} (log of region {region})")
}

fn of_consensus(frame: &Frame) -> String {
    let region = frame.header.region;
    let Ok((message, ..)) = message::decode(frame) else {
        return format!("a consensus message of another release (log of region {region})");
    };
    let (term, index, entries) = (message.term, message.index, message.entries.len() as u64);
    // The library's type has no name here; its own words for its kinds have.
    let kind = format!("{:?}", message.msg_type);
    let about = match (kind.as_str(), message.reject) {
        ("MsgAppend", _) if entries == 0 => {
            format!("you hold entry {index}? committed {}", { message.commit })
        }
        ("MsgAppend", _) if entries == 1 => format!("entry {}", index + 1),
        ("MsgAppend", _) => format!("entries {} to {}", index + 1, index + entries),
        ("MsgAppendResponse", false) => format!("durable up to entry {index}"),
        ("MsgAppendResponse", true) => format!("refuses entries behind {index}"),
        ("MsgRequestVote", _) => "asks for a vote".to_owned(),
        ("MsgRequestPreVote", _) => "would it get a vote?".to_owned(),
        ("MsgRequestVoteResponse" | "MsgRequestPreVoteResponse", false) => {
            "votes for it".to_owned()
        }
        ("MsgRequestVoteResponse" | "MsgRequestPreVoteResponse", true) => {
            "refuses its vote".to_owned()
        }
        ("MsgHeartbeat", _) => format!("heartbeat, committed {}", message.commit),
        ("MsgHeartbeatResponse", _) => "heartbeat heard".to_owned(),
        (other, _) => other.trim_start_matches("Msg").to_lowercase(),
    };
    format!("{about} (log of region {region}, term {term})")
}

#[cfg(test)]
mod tests {
    use super::{MESSAGES_MAX, Messages, words};
    use billing_wire::frame::{FrameHeader, finish, start};
    use billing_wire::{FrameKind, NodeId, RegionId};
    use billsim_record::event::{Happening, RunEvent};
    use bytes::Bytes;

    fn message(at_ns: u64) -> RunEvent {
        let words = "heartbeat".to_owned();
        let what = Happening::Message { node: 1, to: 2, words, arrives_ns: None, lost: None };
        RunEvent { number: 0, event: 0, at_ns, what }
    }

    fn fate(event: &RunEvent) -> (Option<u64>, Option<&str>) {
        let Happening::Message { arrives_ns, lost, .. } = &event.what else {
            panic!("{event:?} is no message")
        };
        (*arrives_ns, lost.as_deref())
    }

    #[test]
    fn a_message_arrives_is_lost_or_stays_on_its_way() {
        let mut messages = Messages::default();
        for at in 0..3 {
            messages.push(message(at), Some((1, 10 + at)));
        }
        messages.arrive(1, 10, None);
        messages.arrive(1, 11, Some("the node is down"));
        messages.arrive(0, 12, None);
        let fates: Vec<RunEvent> = messages.into_events().collect();
        let fates: Vec<_> = fates.iter().map(fate).collect();
        let expected = [(Some(10), None), (Some(11), Some("the node is down")), (None, None)];
        assert_eq!(fates, expected);
    }

    #[test]
    fn the_oldest_messages_are_forgotten_and_may_still_arrive() {
        let mut messages = Messages::default();
        let all = MESSAGES_MAX as u64 + 5;
        for at in 0..all {
            messages.push(message(at), Some((1, all + at)));
        }
        for at in all..2 * all {
            messages.arrive(1, at, None);
        }
        assert!(messages.on_the_way.is_empty(), "nothing is waited for twice");
        let kept: Vec<RunEvent> = messages.into_events().collect();
        assert_eq!(kept.len(), MESSAGES_MAX);
        assert_eq!(kept[0].at_ns, 5);
        assert!(kept.iter().all(|event| fate(event) == (Some(event.at_ns + all), None)));
    }

    #[test]
    fn a_frame_is_told_in_words() {
        let header = FrameHeader {
            kind: FrameKind::RepairRequest,
            from: NodeId(1),
            to: NodeId(2),
            region: RegionId(0),
            cluster: 7,
            wall_ms: 0,
        };
        let mut bytes = Vec::new();
        start(&header, &mut bytes);
        assert_eq!(words(&finish(bytes)), "asks for records that it lost (log of region 0)");
        assert_eq!(words(&Bytes::from_static(b"noise")), "bytes that are no frame");
    }
}
