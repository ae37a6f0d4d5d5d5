//! The custody trail: where the bytes of a transaction were at every moment, from the client that
//! sent it to the disks that hold it, and what removed the last copy. Costs nothing unless a run
//! is asked for one.

use super::World;
use billing_core::ledger::Ledger;
use billing_shell::Replica;
use billing_wire::{Hash, LogIndex, OpId, RecordView, RegionId, WriteAnswer};
use billsim_oracle::history::Endpoint;
use billsim_oracle::{Answer, CallId, Event, Request};
use std::collections::{BTreeMap, BTreeSet};

/// An entry with the transaction on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    slot: usize,
    region: RegionId,
    index: LogIndex,
    hash: Hash,
}

/// Follows one transaction.
#[derive(Debug)]
pub(super) struct Custody {
    op_id: OpId,
    calls: BTreeSet<CallId>,
    /// How far each machine's logs were looked through in its present life.
    seen: BTreeMap<(usize, RegionId), LogIndex>,
    in_memory: BTreeSet<Place>,
    on_disk: BTreeSet<Place>,
    in_database: BTreeSet<Place>,
    trail: Vec<Step>,
}

/// A step of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// When, in simulated nanoseconds.
    pub(crate) at: u64,
    /// Where the bytes are now, or where they were.
    pub(crate) words: String,
    /// No copy is left.
    pub(crate) is_last: bool,
}

impl Step {
    /// As a line of the trail.
    pub(crate) fn line(&self) -> String {
        format!("{:>12.6} s  {}", self.at as f64 / 1e9, self.words)
    }
}

impl Custody {
    fn say(&mut self, at: u64, words: &str) {
        self.trail.push(Step { at, words: words.to_owned(), is_last: false });
    }
}

impl Custody {
    /// A database is the fold of one frontier: what is at or below it is in there.
    fn look_into_database(&mut self, now: u64, slot: usize, replica: &Replica) {
        let of_slot = |place: &&Place| place.slot == slot;
        let held: Vec<Place> = self.in_memory.iter().filter(of_slot).copied().collect();
        if held.iter().all(|place| self.in_database.contains(place)) {
            return;
        }
        let Ok(ledger) = Ledger::open(0, replica.database()) else { return };
        let frontier = ledger.frontier();
        for place in held.into_iter().filter(|place| place.index <= frontier.of(place.region)) {
            if self.in_database.insert(place) {
                self.say(now, &format!("folded into the database of {}", named(&place)));
            }
        }
    }
}

fn named(place: &Place) -> String {
    format!("node {}, entry {} of region {}", place.slot + 1, place.index, place.region)
}

impl World {
    /// Follows a transaction from here on.
    pub fn follow(&mut self, op_id: OpId) {
        self.custody = Some(Box::new(Custody {
            op_id,
            calls: BTreeSet::new(),
            seen: BTreeMap::new(),
            in_memory: BTreeSet::new(),
            on_disk: BTreeSet::new(),
            in_database: BTreeSet::new(),
            trail: Vec::new(),
        }));
    }

    /// The trail so far; empty when none was asked for.
    pub(crate) fn custody_trail(&mut self) -> Vec<Step> {
        self.custody.take().map(|custody| custody.trail).unwrap_or_default()
    }

    /// A client sends it, or hears of it.
    pub(super) fn custody_of_client(&mut self, event: &Event) {
        let Some(custody) = &mut self.custody else { return };
        match event {
            Event::Invoke {
                at,
                call,
                session,
                to,
                request: Request::Write(submission, ..),
                ..
            } if submission.op_id == custody.op_id => {
                custody.calls.insert(*call);
                let whom = match to {
                    Endpoint::Node(node) => format!("node {node}"),
                    Endpoint::Edge(region) => format!("the edge of region {region}"),
                };
                custody.say(*at, &format!("client {session} has it and sends it to {whom}"));
            }
            Event::Return { at, call, answer: Answer::Write(WriteAnswer::Done(receipt)) }
                if custody.calls.contains(call) =>
            {
                let (grade, position) = (receipt.grade, receipt.position);
                let grade = billsim_oracle::words::grade(grade);
                custody.say(*at, &format!("its client is told: grade {grade}, at {position}"));
            }
            _ => {}
        }
    }

    /// A node was fed: what it holds now, in memory and on its disk.
    pub(super) fn custody_of_node(&mut self, slot: usize, replica: &Replica) {
        let Some(mut custody) = self.custody.take() else { return };
        for region in self.genesis.regions.iter().map(|members| members.region) {
            let last = replica.node().last_index(region);
            let seen = custody.seen.get(&(slot, region)).copied().unwrap_or(0).min(last);
            for index in seen + 1..=last {
                let record = replica.node().record(region, index);
                let Some(view) = record.and_then(|bytes| RecordView::decode(bytes).ok()) else {
                    continue;
                };
                if view.submissions().flatten().any(|one| one.op_id == custody.op_id) {
                    let place = Place { slot, region, index, hash: view.header.hash };
                    if custody.in_memory.insert(place) {
                        custody.say(self.now, &format!("in the memory of {}", named(&place)));
                    }
                }
            }
            custody.seen.insert((slot, region), last);
        }
        let holds = |place: &Place| {
            let record = replica.node().record(place.region, place.index);
            let view = record.and_then(|bytes| RecordView::decode(bytes).ok());
            view.is_some_and(|view| view.header.hash == place.hash)
        };
        let replaced = custody.in_memory.extract_if(.., |p| p.slot == slot && !holds(p));
        for place in replaced.collect::<Vec<_>>() {
            custody.say(self.now, &format!("replaced by another entry on {}", named(&place)));
        }
        custody.look_into_database(self.now, slot, replica);
        self.custody = Some(custody);
        self.custody_of_disk(slot);
    }

    /// A node's life ended: what it had in memory only is gone.
    pub(super) fn custody_of_death(&mut self, slot: usize) {
        let Some(custody) = &mut self.custody else { return };
        custody.seen.retain(|(of, _), _| *of != slot);
        let gone: Vec<Place> = custody.in_memory.extract_if(.., |p| p.slot == slot).collect();
        let why = self.last_fault.clone().unwrap_or_else(|| "it stopped".to_owned());
        for place in gone {
            custody.say(self.now, &format!("gone from the memory of {}: {why}", named(&place)));
        }
        self.custody_of_disk(slot);
    }

    /// What of it would survive a power cut of a machine now.
    pub(super) fn custody_of_disk(&mut self, slot: usize) {
        let Some(custody) = &mut self.custody else { return };
        let disk = self.machines[slot].disk();
        let is_durable = |place: &Place| {
            disk.inspector().record_hash(place.region, place.index) == Some(place.hash)
        };
        let of_slot = |place: &&Place| place.slot == slot;
        let known: Vec<Place> = custody.in_memory.iter().filter(of_slot).copied().collect();
        for place in known.into_iter().filter(|place| is_durable(place)) {
            if custody.on_disk.insert(place) {
                custody.say(self.now, &format!("synced on {}", named(&place)));
            }
        }
        let lost = custody.on_disk.extract_if(.., |p| p.slot == slot && !is_durable(p));
        let lost: Vec<Place> = lost.collect();
        let why = self.last_fault.as_deref().unwrap_or("another entry took its place");
        let was_last = !lost.is_empty() && custody.on_disk.is_empty();
        for place in lost {
            custody.say(self.now, &format!("gone from the disk of {}: {why}", named(&place)));
        }
        if was_last && custody.in_memory.is_empty() {
            let words = format!("THE LAST COPY IS GONE: {why}");
            custody.trail.push(Step { at: self.now, words, is_last: true });
        }
    }
}
