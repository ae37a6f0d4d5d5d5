//! Nodes read their disks through while they run, as their own scrubber does it and at its pace;
//! and what is damaged on a disk after that, when nothing damages it any more.

use super::event::{Event, NodeEvent};
use super::machine::{Machine, Power};
use super::{World, event};
use crate::disk::DiskHandle;
use crate::trace::Traced;
use billing_core::{FileName, Input};
use billing_shell::{Replica, ScrubClock, ScrubPace, Scrubber};
use std::time::Duration;

/// The scrubber of one life of a node.
#[derive(Debug)]
pub struct Scrub {
    scrubber: Scrubber,
    clock: ScrubClock,
    /// When the pass began that is under way, and whether it found anything; in nanoseconds.
    pass: Option<(u64, bool)>,
    /// When the last pass began that found nothing.
    clean: Option<u64>,
}

impl Scrub {
    /// Of a node that was opened now. `None`: it never scrubs.
    pub(super) fn new(pace: ScrubPace, machine: &Machine, now: u64) -> Option<Self> {
        let scrubber = Scrubber::new(machine.config().genesis.clone(), machine.node);
        let clock = ScrubClock::new(pace, Duration::from_nanos(now))?;
        Some(Self { scrubber, clock, pass: None, clean: None })
    }
}

impl World {
    /// A node was fed: its scrubber does what is due meanwhile.
    pub(super) fn scrub(&mut self, slot: usize, replica: &Replica) {
        let machine = &mut self.machines[slot];
        let now = Duration::from_nanos(self.now);
        let Some(mut scrub) = machine.scrub.take_if(|scrub| scrub.clock.due() <= now) else {
            return;
        };
        let directory = DiskHandle::new(&machine.disk);
        let (life, ledger) = (machine.life, replica.ledger());
        while scrub.clock.due() <= now {
            let (_, found) = scrub.pass.get_or_insert((self.now, false));
            let Ok(scrubbed) = scrub.scrubber.step(&directory, &ledger) else {
                *found = true;
                scrub.clock.failed(now);
                continue;
            };
            if let Some(file) = scrubbed.damaged {
                *found = true;
                let event = NodeEvent::Damaged(file);
                self.queue.push(self.now + 1, Event::Node { slot, life, event });
            }
            scrub.clock.stepped(now, &scrubbed);
            if scrubbed.ends_pass {
                let pass = scrub.pass.take();
                scrub.clean = pass.filter(|(_, found)| !found).map(|(began, _)| began);
            }
        }
        self.machines[slot].scrub = Some(scrub);
    }

    /// A node is told what its scrubber found.
    pub(super) fn scrubber_found(&mut self, slot: usize, file: FileName) -> Input {
        self.trace.add(self.now, Traced::Timer, slot as u8, file.to_string().as_bytes());
        // Of the others it shows when the node is opened again.
        if file == FileName::Superblock
            && let Some(kind) = self.machines[slot].disk().harmed.remove(&file)
        {
            self.tallies.observed(kind);
        }
        Input::Damaged { file }
    }

    /// Nodes that have not read their disks through since this phase began and found nothing.
    pub(super) fn unscrubbed(&self) -> Vec<String> {
        let mut stuck = Vec::new();
        for machine in self.machines.iter().filter(|machine| machine.power == Power::Up) {
            if self.is_scrubbed(machine) == Some(false) {
                let node = event::name(machine.node);
                stuck.push(format!("{node} has not read its disk through and found it whole"));
            }
        }
        stuck
    }

    /// Whether a node has read its disk through since this phase began and found nothing. `None`:
    /// it takes its time, more than there is.
    fn is_scrubbed(&self, machine: &Machine) -> Option<bool> {
        let scrub = machine.scrub.as_ref()?;
        let has_time = 4 * machine.scrub_pace.period.as_nanos() <= self.phase_limit().into();
        has_time.then(|| scrub.clean.is_some_and(|began| began >= self.phase_began))
    }

    /// At the end: what nodes found whole is whole (D6).
    pub(super) fn judge_scrubbed(&mut self) {
        for slot in 0..self.machines.len() {
            let machine = &self.machines[slot];
            if machine.power == Power::Up && self.is_scrubbed(machine) == Some(true) {
                let (node, left) = (machine.node, machine.disk().damage_left());
                self.jury.scrubbed(self.now, node, left);
            }
        }
    }
}
