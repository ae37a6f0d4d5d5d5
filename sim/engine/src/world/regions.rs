//! What strikes a whole region or zone at once: its power goes and comes back, or it is destroyed
//! with its disks, or everything in it is slow. What is between two regions lies with the links.

use super::event::Event;
use super::{Phase, Todo, World, event};
use crate::seed::{Purpose, Stream};
use crate::trace::Traced;
use billing_core::{Role, Status};
use billing_wire::{RegionId, RegionMode};
use billsim_oracle::history::Endpoint;
use billsim_oracle::{Exposed, LossReport};
use billsim_record::{Fault, Outage};
use std::ops::Range;

const MS: u64 = 1_000_000;
/// Machines that lost their power together come back one by one, within this, in nanoseconds.
const BACK_WITHIN_NS: u64 = 2_000 * MS;
/// A region that has committed nothing for so long is at rest, in nanoseconds.
const AT_REST_NS: u64 = 1_000 * MS;
/// Streams of planned faults that draw while they are in force, one per fault.
const STREAM_OF_FAULTS: u64 = 2_000;

impl World {
    /// The machines that a fault of a region or zone strikes.
    fn struck_slots(&self, fault: &Fault) -> Vec<usize> {
        match *fault {
            Fault::RegionDark { region } | Fault::RegionWiped { region, .. } => {
                self.region_slots(region.into()).collect()
            }
            Fault::ZoneDark { zone } => {
                let regions = self.regions();
                regions.map(|region| self.region_slots(region).start + usize::from(zone)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The power goes everywhere at once, and does not come back before `ends_at`, whatever else
    /// was to start a machine.
    pub(super) fn black_out(&mut self, number: usize, ends_at: u64) -> Todo {
        let fault = self.plan.faults[number].fault;
        let kind = fault.kind();
        let mut delays =
            Stream::indexed(self.plan.seed, Purpose::Process, STREAM_OF_FAULTS + number as u64);
        if let Fault::RegionWiped { region, .. } = fault
            && !self.may_lose_disks(RegionId(region))
        {
            return Todo::Nothing;
        }
        if let Fault::RegionDark { region } | Fault::RegionWiped { region, .. } = fault {
            self.outage_begins(RegionId(region), kind);
        }
        let mut stopped = Vec::new();
        for slot in self.struck_slots(&fault) {
            let back_at = ends_at + delays.range(0, BACK_WITHIN_NS);
            if let Todo::Stop { slot } = self.power_cut(slot, kind, Some(back_at)) {
                stopped.push(slot);
            }
            let machine = &mut self.machines[slot];
            if !machine.is_destroyed && machine.dark.is_none_or(|(until, _)| until < back_at) {
                machine.dark = Some((back_at, kind));
            }
        }
        if let Fault::RegionWiped { region, disks } = fault {
            let slots = self.region_slots(region.into());
            let first = delays.below(slots.len() as u64) as usize;
            for place in 0..slots.len().min(disks.into()) {
                self.lose_disk(slots.start + (first + place) % slots.len());
            }
        }
        if let Fault::RegionDark { region } | Fault::RegionWiped { region, .. } = fault {
            self.jury.region_gone(self.now, RegionId(region));
        }
        self.last_fault = Some(self.plan.faults[number].to_string());
        self.surge(number, false);
        self.queue.push(ends_at, Event::FaultEnds(number));
        self.in_force[number] = true;
        Todo::StopAll { slots: stopped }
    }

    /// All nodes of a region are gone for good, with what their disks hold. `statuses` is what
    /// each node said of itself at this instant. Returns whose nodes must be dropped.
    pub fn destroy(&mut self, number: usize, statuses: &[Option<Status>]) -> Vec<usize> {
        self.health_changes();
        let planned = self.plan.faults[number];
        let Fault::RegionDestroyed { region } = planned.fault else { return Vec::new() };
        let kind = planned.fault.kind();
        self.tallies.fired(kind);
        self.tallies.observed(kind);
        let slots = self.region_slots(region.into());
        let region = RegionId(region);
        if !self.destroyed.contains(&region) {
            let announced = self.announced(region, statuses);
            self.look_at_disks(|jury, now, disks| {
                jury.region_destroyed(now, region, announced, disks);
            });
            self.destroyed.push(region);
            self.jury.region_gone(self.now, region);
        }
        self.outage_begins(region, kind);
        if slots.clone().any(|slot| self.machines[slot].is_running()) {
            // It is back from an earlier seal, which says nothing of what it did since.
            self.sealed.retain(|sealed| *sealed != region);
        }
        for slot in slots.clone() {
            // Whatever was to start it is of an earlier life.
            self.stop(slot);
            let machine = &mut self.machines[slot];
            machine.is_destroyed = true;
            machine.disk().destroy();
            self.custody_of_disk(slot);
        }
        self.surge(number, false);
        slots.collect()
    }

    fn outage_begins(&mut self, region: RegionId, kind: &'static str) {
        let genesis = &self.genesis;
        let is_of_region = |to| match to {
            Endpoint::Node(node) => genesis.region_of(node) == Some(region),
            Endpoint::Edge(nearest) => nearest == region,
        };
        let clients = self.clients.talking_to(is_of_region);
        self.outages.begins(self.now, region, kind, !self.edges.is_empty(), clients);
    }

    /// Every outage of a region so far.
    pub fn measured_outages(&self) -> impl Iterator<Item = Outage> + '_ {
        self.outages.measured()
    }

    /// Whether nothing was wrong from a second before that time until now.
    pub(super) fn is_calm_since(&self, at: u64) -> bool {
        self.disturbed_at + AT_REST_NS <= at
            && !self.in_force.contains(&true)
            && self.machines.iter().all(|machine| machine.is_running())
    }

    /// What a region says of its exposure: its leader, or whoever knows most.
    fn announced(&self, region: RegionId, statuses: &[Option<Status>]) -> Option<Exposed> {
        let of_region = self.region_slots(region.0.into());
        let statuses = statuses[of_region].iter().flatten();
        let first =
            statuses.max_by_key(|s| (s.role == Role::Leader, s.term, s.committed.of(region)));
        first.map(|status| self.exposed(status))
    }

    fn exposed(&self, status: &Status) -> Exposed {
        let region = self.genesis.region_of(status.node).unwrap_or_default();
        let (committed, exposure) = (status.committed.of(region), status.exposure);
        let leads = (status.role == Role::Leader).then_some(status.term);
        Exposed { region, committed, exposure, geo_index: status.geo_index, leads }
    }

    /// A node folded something, and says what its region would lose.
    pub(super) fn beyond_its_region(&mut self, slot: usize, status: &Status) {
        if self.unrest.len() == 1 {
            return;
        }
        let word = self.exposed(status);
        self.unrest[usize::from(word.region.0)] = self.now;
        // Of a log that is not whole its node cannot tell how far it was geo-durable.
        let knows = !self.machines[slot].repairing.contains(&word.region);
        let word = knows.then_some(word);
        self.look_at_disks(|jury, now, disks| {
            jury.beyond_its_region(now, status.node, &status.folded, word.as_ref(), disks);
        });
    }

    /// Leaders of regions that have been quiet for a second must expose nothing. Asked after the
    /// faults are over only, and not before the last frame has arrived and the last persist is done
    /// that a fault held up: what comes after it waits behind it. A seal that is under way is no
    /// rest: whoever has promised takes no more of that region until it is carried through.
    pub fn judge_exposure_at_rest(&mut self, statuses: &[Option<Status>]) {
        let is_judged = self.unrest.len() > 1 && self.destroyed.is_empty();
        if !is_judged || self.has_unfinished_errands() {
            return;
        }
        // One that was elected just now has nothing of its own that the others could have.
        let is_settled =
            |status: &&Status| status.role == Role::Leader && status.folded_term == status.term;
        let disks = self.machines.iter().map(|machine| machine.disk().held_up_until);
        let held_up_until = disks.chain([self.links.late_until()]).max().unwrap_or(0);
        for status in statuses.iter().flatten().filter(is_settled) {
            let region = self.genesis.region_of(status.node).unwrap_or_default();
            let quiet_since = self.unrest[usize::from(region.0)].max(held_up_until);
            if self.now >= quiet_since + AT_REST_NS {
                self.jury.exposed_at_rest(self.now, status.node, status.exposure);
            }
        }
    }

    /// The fate of every acknowledged transaction, if a region was destroyed.
    pub fn losses(&mut self) -> Option<LossReport> {
        self.look_at_disks(|jury, now, disks| jury.losses(now, disks))
    }

    /// The slots of the machines of every region that still exists.
    pub(super) fn standing_regions(&self) -> Vec<Range<usize>> {
        let stands = |region: &usize| !self.destroyed.contains(&RegionId(*region as u8));
        self.regions().filter(stands).map(|region| self.region_slots(region)).collect()
    }

    /// A sentence per region that acknowledges alone although another one is there to be waited
    /// for.
    pub(super) fn alone<'a>(&self, statuses: &[&'a Status]) -> impl Iterator<Item = String> + 'a {
        let is_there =
            |region: &RegionId| !self.destroyed.contains(region) && !self.jury.is_out(*region);
        let regions = self.regions().map(|region| RegionId(region as u8)).filter(is_there);
        let there: Vec<RegionId> = regions.collect();
        let is_alone = |status: &&Status| {
            let region = self.genesis.region_of(status.node).unwrap_or_default();
            let is_degraded = status.mode == RegionMode::Degraded && status.role == Role::Leader;
            is_degraded && there.len() > 1 && there.contains(&region)
        };
        let alone: Vec<&Status> = statuses.iter().copied().filter(is_alone).collect();
        alone.into_iter().map(|status| {
            let node = event::name(status.node);
            format!("{node} leads its region alone, as if no other one could be reached")
        })
    }

    /// Which fault keeps a machine from saying even that it does not answer.
    pub(super) fn darkness(&self, slot: usize) -> Option<&'static str> {
        let machine = &self.machines[slot];
        if machine.is_destroyed {
            return Some("region-destroyed");
        }
        machine.dark.filter(|(until, _)| *until > self.now).map(|(_, kind)| kind)
    }

    /// Everything in a region takes longer, or no longer does.
    pub(super) fn slow_region(&mut self, region: usize, factor: u32, on: bool) {
        self.links.slow_region(region, |slow| add(slow, factor, on));
        for slot in self.region_slots(region) {
            add(&mut self.machines[slot].disk().faults.region_slow, factor, on);
        }
    }

    /// A cut that comes and goes does the one or the other.
    pub(super) fn turn_fault(&mut self, number: usize) -> Option<Todo> {
        if !self.in_force[number] {
            return None;
        }
        let planned = self.plan.faults[number];
        let Fault::RegionFlap { period_ms, .. } = planned.fault else { return None };
        let closes = self.open_flaps.remove(&number);
        if !closes {
            self.open_flaps.insert(number);
        }
        self.trace.add(self.now, Traced::Fault, number as u8, &[u8::from(closes)]);
        self.flap(&planned.fault, closes);
        let half = (u64::from(period_ms) * MS / 2).max(1);
        self.queue.push(self.now + half, Event::FaultTurns(number));
        None
    }

    /// Begins or ends a cut that comes and goes; it may be open just now.
    pub(super) fn switch_flap(&mut self, number: usize, on: bool) {
        let fault = self.plan.faults[number].fault;
        let Fault::RegionFlap { period_ms, .. } = fault else { return };
        if on {
            let half = (u64::from(period_ms) * MS / 2).max(1);
            self.queue.push(self.now + half, Event::FaultTurns(number));
            self.flap(&fault, true);
        } else if !self.open_flaps.remove(&number) {
            self.flap(&fault, false);
        }
    }

    fn flap(&mut self, fault: &Fault, on: bool) {
        let Fault::RegionFlap { from_region, to_region, .. } = *fault else { return };
        self.links.region_flaps(from_region.into(), to_region.into(), |cuts| add(cuts, 1, on));
    }

    /// Many operations arrive at once: of the clients of a region that is gone, or, when it is
    /// `over`, what piled up meanwhile.
    pub(super) fn surge(&mut self, number: usize, over: bool) {
        let is_of_regions = matches!(
            self.plan.faults[number].fault,
            Fault::RegionDark { .. }
                | Fault::RegionWiped { .. }
                | Fault::RegionDestroyed { .. }
                | Fault::RegionCut { .. }
        );
        if is_of_regions && self.phase == Phase::Safety {
            self.clients_surge(number as u64, over);
        }
    }
}

fn add(value: &mut u32, by: u32, on: bool) {
    if on {
        *value += by;
    } else {
        *value -= by;
    }
}
