//! Tells a run as events for reports: faults, lives, leaders, seals, calls. It looks on, changes
//! nothing, draws nothing, and costs nothing where nobody asked: the trace hash is the same.

use super::World;
use super::messages::Messages;
use crate::telling;
use billing_core::Role;
use billing_shell::Replica;
use billsim_oracle::history::{Endpoint, Event, Request};
use billsim_oracle::{CallId, Violation};
use billsim_record::event::{
    Callee, EVENTS_FORMAT, EventsHead, Happening, RegionMembers, RunEvent, RunEvents,
};
use billsim_record::{Failure, Outcome};
use std::collections::BTreeMap;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Teller {
    events: Vec<RunEvent>,
    /// The term in which a machine's node last led.
    led: BTreeMap<usize, u64>,
    /// The last messages between nodes.
    pub(super) messages: Messages,
    /// Who sent a call that has no answer yet.
    sessions: BTreeMap<CallId, u32>,
}

impl World {
    /// Tells everything from here on.
    pub fn keep_events(&mut self) {
        self.teller = Some(Box::default());
    }

    /// Something happened.
    pub(super) fn tell(&mut self, what: impl FnOnce(&Self) -> Happening) {
        if self.teller.is_none() {
            return;
        }
        let what = what(self);
        self.push_event(self.now, what);
    }

    fn push_event(&mut self, at_ns: u64, what: Happening) {
        let event = self.trace.events();
        if let Some(teller) = &mut self.teller {
            teller.events.push(RunEvent { number: 0, event, at_ns, what });
        }
    }

    /// A node's life ended.
    pub(super) fn tell_down(&mut self, slot: usize, halted: bool) {
        self.tell(|world| Happening::NodeDown { node: world.machines[slot].node.0, halted });
    }

    /// A node was fed: it may lead now.
    pub(super) fn tell_leader(&mut self, slot: usize, replica: &Replica) {
        if self.teller.is_none() {
            return;
        }
        let status = replica.status();
        if status.role != Role::Leader {
            return;
        }
        let (node, term) = (status.node, status.term);
        let region = self.genesis.region_of(node).unwrap_or_default().0;
        let teller = self.teller.as_mut().expect("somebody asked");
        if teller.led.insert(slot, term) != Some(term) {
            self.push_event(self.now, Happening::Leads { node: node.0, region, term });
        }
    }

    /// A client did something, or was told.
    pub(super) fn tell_client(&mut self, event: &Event) {
        let Some(teller) = &mut self.teller else { return };
        let (at, what) = match event {
            Event::Invoke { at, call, session, to, request, retry } => {
                teller.sessions.insert(*call, *session);
                let to = match to {
                    Endpoint::Node(node) => Callee::Node(node.0),
                    Endpoint::Edge(region) => Callee::Edge(region.0),
                };
                let (op_id, words) = match request {
                    Request::Write(submission, ..) => {
                        let op_id = submission.op_id.to_string();
                        (Some(op_id), telling::words(&submission.command))
                    }
                    Request::Read(read) => (None, telling::of_read(read)),
                };
                let (client, call, retry) = (*session, call.0, *retry);
                (*at, Happening::Invoke { client, call, to, op_id, retry, words })
            }
            Event::Return { at, call, answer } => {
                let client = teller.sessions.remove(call).unwrap_or_default();
                let (result, words) = telling::of_answer(answer);
                (*at, Happening::Return { client, call: call.0, result, words })
            }
        };
        self.push_event(at, what);
    }

    /// All that was told, with where the followed transaction was, in order of time.
    pub(crate) fn take_events(&mut self, told: Told<'_>) -> Option<RunEvents> {
        let Teller { mut events, messages, .. } = *self.teller.take()?;
        events.extend(messages.into_events());
        let last = self.trace.events();
        events.extend(told.custody.iter().map(|step| {
            let (words, is_last) = (step.words.clone(), step.is_last);
            let what = Happening::Custody { words, is_last };
            RunEvent { number: 0, event: last, at_ns: step.at, what }
        }));
        // In order of time; of one instant in the order in which they were told.
        events.sort_by_key(|event| event.at_ns);
        Some(RunEvents { head: self.head(&told), events })
    }

    fn head(&self, told: &Told<'_>) -> EventsHead {
        let regions = self.genesis.regions.iter().map(|members| RegionMembers {
            region: members.region.0,
            name: members.name.clone(),
            nodes: members.nodes.iter().map(|node| node.0).collect(),
        });
        EventsHead {
            format: EVENTS_FORMAT,
            scenario: told.scenario.to_owned(),
            seed: told.seed,
            trace_hash: self.trace.digest(),
            ended_ns: self.now,
            regions: regions.collect(),
            told: None,
            transaction: None,
        }
    }
}

/// Puts what broke to its time, adds which transaction it is about, and numbers all.
pub(crate) fn finish(
    mut told: RunEvents,
    outcome: &Outcome,
    violations: &[Violation],
    about: Option<&telling::Told>,
) -> RunEvents {
    let failure = outcome.failure.as_ref();
    told.head.told = about.map(|about| about.words.clone());
    told.head.transaction = about.and_then(|about| about.about).map(|op_id| op_id.to_string());
    let first = failure.map(|failure| {
        let Failure { oracle, promise, detail, transaction, .. } = failure.clone();
        (failure.at_ns, Happening::Violation { oracle, promise, detail, transaction })
    });
    // The first one is the failure, in the words of the outcome.
    let further = violations.iter().skip(1).map(|violation| {
        let Violation { oracle, promise, detail, transaction, at, .. } = violation.clone();
        let (oracle, promise) = (oracle.to_owned(), promise.to_owned());
        // What was found out later does not stand before what was found first.
        let at = failure.map_or(at, |failure| failure.at_ns.max(at));
        (at, Happening::Violation { oracle, promise, detail, transaction })
    });
    let event = failure.map_or(0, |failure| failure.event);
    for (at_ns, what) in first.into_iter().chain(further) {
        let place = told.events.partition_point(|known| known.at_ns <= at_ns);
        told.events.insert(place, RunEvent { number: 0, event, at_ns, what });
    }
    for (number, event) in (1..).zip(&mut told.events) {
        event.number = number;
    }
    told
}

/// What the world does not know of its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The scenario.
    pub(crate) scenario: &'a str,
    /// The seed.
    pub(crate) seed: u64,
    /// Where the followed transaction was.
    pub(crate) custody: &'a [super::custody::Step],
}
