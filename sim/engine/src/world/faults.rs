//! Planned faults: how each begins and ends. Every change here is undone here, so that the
//! liveness phase can end them all and assert that nothing is left.

use super::astray::class;
use super::event::{Event, NodeEvent};
use super::links::LinkFaults;
use super::machine::Power;
use super::{Phase, Todo, World};
use crate::disk::{CrashPoint, DiskFaults, Hastened};
use crate::trace::Traced;
use billing_core::{DiskFault, sometimes};
use billsim_record::{Fault, Happening, NodeNumber, PlannedFault};

const MS: u64 = 1_000_000;
/// The kind of a power cut at a planned disk step.
pub(super) const CRASH_POINT: &str = "crash-point";

impl World {
    pub(super) fn begin_fault(&mut self, number: usize) -> Todo {
        let planned = self.plan.faults[number];
        let kind = planned.fault.kind();
        let fault = planned.fault;
        let ends_at = self.now + planned.for_ms * MS;
        self.trace.add(self.now, Traced::Fault, number as u8, kind.as_bytes());
        self.tell(|_| Happening::FaultBegins { fault: number as u64 + 1, planned });
        self.last_fault = Some(self.words_of(number));
        self.disturbed_at = self.now;
        self.note_trouble_of(&fault);
        match fault {
            Fault::PowerCut { node } => return self.power_cut(node.slot(), kind, Some(ends_at)),
            Fault::Kill { node } => return self.kill(node.slot(), ends_at),
            Fault::Restart { node } => return self.restart(node.slot(), ends_at),
            Fault::PowerCutAll => {
                for slot in 0..self.machines.len() {
                    let life = self.machines[slot].life;
                    self.queue.push(self.now, Event::PowerCut { slot, life, kind });
                }
                return Todo::Nothing;
            }
            Fault::RegionDark { .. } | Fault::ZoneDark { .. } | Fault::RegionWiped { .. } => {
                return self.black_out(number, ends_at);
            }
            Fault::RegionDestroyed { .. } => return Todo::Destroy { number },
            Fault::Wipe { node } => return self.wipe(node.slot(), ends_at),
            Fault::SegmentRot { .. }
            | Fault::SuperblockRot { .. }
            | Fault::LedgerRot { .. }
            | Fault::ReadError { .. }
            | Fault::MisdirectedWrite { .. }
            | Fault::PhantomWrite { .. }
            | Fault::Helix { .. } => {
                if self.damage_strikes(number) {
                    self.tallies.fired(class(&fault));
                }
                return Todo::Nothing;
            }
            Fault::MisdirectedRead { .. } if !self.damage_strikes(number) => return Todo::Nothing,
            Fault::LyingSync { node } if !self.begins_to_lie(node.slot()) => return Todo::Nothing,
            Fault::Rollback { node } => {
                self.machines[node.slot()].disk().keep_image();
                return self.lasts_until(number, ends_at);
            }
            Fault::CrashPoint { node, step, moment, again } => {
                let mut disk = self.machines[node.slot()].disk();
                let down_ns = planned.for_ms * MS;
                disk.crash
                    .get_or_insert_with(|| Box::new(CrashPoint::new(step, moment, again, down_ns)));
                return Todo::Nothing;
            }
            Fault::RegionFlap { .. } => self.switch_flap(number, true),
            Fault::Pause { node } => {
                self.pause(node.slot(), ends_at);
                return Todo::Nothing;
            }
            Fault::DiskStall { node } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.stalled_until = disk.faults.stalled_until.max(ends_at);
            }
            _ => {}
        }
        self.tallies.fired(kind);
        self.in_force[number] = true;
        self.switch(&fault, true);
        self.watch_partition();
        self.surge(number, false);
        if ends_at > self.now {
            self.queue.push(ends_at, Event::FaultEnds(number));
        }
        Todo::Nothing
    }

    /// What a planned fault is, in words. A drawn one may be several links at once.
    fn words_of(&self, number: usize) -> String {
        let planned = self.plan.faults[number];
        let as_one = |other: &&PlannedFault| {
            (other.at_ms, other.for_ms, other.fault.kind())
                == (planned.at_ms, planned.for_ms, planned.fault.kind())
        };
        match self.plan.faults.iter().filter(as_one).count() {
            1 => planned.to_string(),
            more => format!("{planned}, and {} more like it", more - 1),
        }
    }

    fn lasts_until(&mut self, number: usize, ends_at: u64) -> Todo {
        self.in_force[number] = true;
        self.queue.push(ends_at, Event::FaultEnds(number));
        Todo::Nothing
    }

    pub(super) fn end_fault(&mut self, number: usize) -> Option<Todo> {
        if std::mem::take(&mut self.in_force[number]) {
            self.trace.add(self.now, Traced::Fault, number as u8, b"over");
            self.tell(|_| Happening::FaultEnds { fault: number as u64 + 1 });
            self.disturbed_at = self.now;
            let fault = self.plan.faults[number].fault;
            self.switch_flap(number, false);
            self.switch(&fault, false);
            self.note_trouble_of(&fault);
            self.watch_partition();
            self.surge(number, true);
            self.restore_overlapping(&fault);
            if let Fault::Rollback { node } = fault
                && self.phase == Phase::Safety
            {
                return self.roll_back(node.slot());
            }
        }
        None
    }

    /// Switches those on again that share a knob with a fault that has just ended: windows may
    /// overlap, and the end of one must not end another.
    fn restore_overlapping(&mut self, ended: &Fault) {
        for number in 0..self.in_force.len() {
            let fault = self.plan.faults[number].fault;
            if self.in_force[number] && shares_knob(&fault, ended) {
                self.switch(&fault, true);
            }
        }
    }

    /// Ends every fault that is in force.
    pub(super) fn end_all_faults(&mut self) {
        for number in 0..self.plan.faults.len() {
            self.end_fault(number);
        }
        for machine in &mut self.machines {
            machine.dark = None;
            // Armed faults that never struck are disarmed too.
            let mut disk = machine.disk();
            disk.faults = DiskFaults::default();
            let crash = disk.crash.take();
            self.crash_seen = self.crash_seen.take().or(crash.map(|crash| crash.into_seen()));
        }
        self.hasten_disks();
    }

    /// What disks are at no longer takes as long as it took while they were slow.
    fn hasten_disks(&mut self) {
        for slot in 0..self.machines.len() {
            let machine = &self.machines[slot];
            let Some(hastened) = machine.disk().hasten(self.now) else { continue };
            let Hastened { token, result, done_at } = hastened;
            let event = NodeEvent::DiskDone { token, result };
            self.queue.push(done_at, Event::Node { slot, life: machine.life, event });
        }
    }

    /// Whether no source of faults is left, except machines that are down.
    pub(super) fn is_healed(&self) -> bool {
        let machines_are_well = self.machines.iter().all(|machine| {
            let disk = machine.disk();
            let (disk, has_no_crash_point, is_free) =
                (disk.faults, disk.crash.is_none(), disk.is_free_from() <= self.now);
            has_no_crash_point
                && machine.clock.is_true()
                && machine.isolated == 0
                && machine.client_cuts == 0
                && machine.serves_rot == 0
                && machine.dark.is_none()
                && disk.write_fails + disk.sync_fails + disk.power_cut_at == 0
                && disk.slow + disk.region_slow == 0
                && disk.bytes_left.is_none()
                && disk.stalled_until <= self.now
                && is_free
        });
        machines_are_well && self.links.are_clean() && !self.in_force.contains(&true)
    }

    fn switch(&mut self, fault: &Fault, on: bool) {
        match *fault {
            Fault::Loss { from, to, ppm } => self.link(from, to, on, |l| &mut l.loss_ppm, ppm),
            Fault::Duplicate { from, to, ppm } => {
                self.link(from, to, on, |l| &mut l.duplicate_ppm, ppm);
            }
            Fault::Reorder { from, to, ppm } => {
                self.link(from, to, on, |l| &mut l.reorder_ppm, ppm);
            }
            Fault::BitFlip { from, to, ppm } => self.link(from, to, on, |l| &mut l.flip_ppm, ppm),
            Fault::Delay { from, to, extra_us } => {
                let extra_ns = u64::from(extra_us) * 1_000;
                let link = self.links.faults(from.slot(), to.slot());
                link.extra_ns = if on { extra_ns } else { 0 };
            }
            Fault::SlowLink { from, to, bytes_per_s } if on => {
                self.links.faults(from.slot(), to.slot()).bytes_per_s = bytes_per_s.into();
            }
            Fault::SlowLink { from, to, .. } => {
                self.links.speed_up(self.now, from.slot(), to.slot());
            }
            Fault::Cut { from, to } => {
                count(&mut self.links.faults(from.slot(), to.slot()).cuts, on);
            }
            Fault::RegionCut { from_region, to_region } => {
                let (from, to) = (from_region.into(), to_region.into());
                self.links.region_cuts(from, to, |cuts| count(cuts, on));
            }
            Fault::RegionSlow { region, factor } => self.slow_region(region.into(), factor, on),
            // They have their own way to begin and end.
            Fault::RegionFlap { .. }
            | Fault::RegionDark { .. }
            | Fault::RegionWiped { .. }
            | Fault::ZoneDark { .. } => {}
            Fault::Isolate { node } => count(&mut self.machines[node.slot()].isolated, on),
            Fault::ClientCut { node } => {
                count(&mut self.machines[node.slot()].client_cuts, on);
            }
            _ => self.switch_machine(fault, on),
        }
    }

    fn link(
        &mut self,
        from: NodeNumber,
        to: NodeNumber,
        on: bool,
        field: impl Fn(&mut LinkFaults) -> &mut u32,
        value: u32,
    ) {
        *field(self.links.faults(from.slot(), to.slot())) = if on { value } else { 0 };
    }

    fn switch_machine(&mut self, fault: &Fault, on: bool) {
        let now = self.now;
        match *fault {
            Fault::PowerCutAtWrite { node, step } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.power_cut_at = if on { step } else { 0 };
            }
            Fault::SlowDisk { node, factor } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.slow = if on { factor } else { 0 };
            }
            Fault::WriteFails { node, count } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.write_fails = if on { count } else { 0 };
            }
            Fault::SyncFails { node, count } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.sync_fails = if on { count } else { 0 };
            }
            Fault::DiskFull { node, bytes_left } => {
                let mut disk = self.machines[node.slot()].disk();
                disk.faults.bytes_left = on.then_some(bytes_left.into());
            }
            Fault::ClockOffset { node, .. }
            | Fault::ClockDrift { node, .. }
            | Fault::ClockFreeze { node }
                if !on =>
            {
                self.tell_clocks();
                self.machines[node.slot()].clock.correct();
            }
            Fault::ClockOffset { node, offset_ms } => {
                self.set_clocks();
                self.machines[node.slot()].clock.set_offset(offset_ms);
            }
            Fault::ClockDrift { node, ppm } => {
                self.set_clocks();
                self.machines[node.slot()].clock.set_drift(now, ppm);
            }
            Fault::ClockFreeze { node } => {
                self.set_clocks();
                self.machines[node.slot()].clock.freeze(now);
            }
            Fault::LyingSync { node } => self.machines[node.slot()].disk().lie(on),
            Fault::RepairRot { node } => count(&mut self.machines[node.slot()].serves_rot, on),
            Fault::MisdirectedRead { node } if !on => {
                self.machines[node.slot()].disk().read_straight();
            }
            // They lapse by themselves, or have begun already.
            Fault::DiskStall { .. } | Fault::MisdirectedRead { .. } | Fault::Rollback { .. } => {}
            ref other => unreachable!("{} has its own way to begin", other.kind()),
        }
    }

    /// A node was told how its disk did.
    pub(super) fn note_disk_fault(&mut self, slot: usize, result: Result<(), DiskFault>) {
        let kind = match result {
            Ok(()) => return,
            Err(DiskFault::Sync) => "sync-fails",
            Err(DiskFault::Io) => "write-fails",
            Err(DiskFault::Full) => "disk-full",
        };
        self.health_changes();
        self.tallies.fired(kind);
        self.tallies.observed(kind);
        self.jury.sync_failed(self.now, self.machines[slot].node);
    }

    /// A node looked at a clock that is wrong.
    pub(super) fn note_clock_fault(&mut self, slot: usize) {
        for (planned, in_force) in self.plan.faults.iter().zip(&self.in_force) {
            let (Fault::ClockOffset { node, .. }
            | Fault::ClockDrift { node, .. }
            | Fault::ClockFreeze { node }) = planned.fault
            else {
                continue;
            };
            if *in_force && node.slot() == slot {
                self.tallies.observed(planned.fault.kind());
            }
        }
    }

    /// The power goes. Back at `back_at`, or after a drawn time.
    pub(super) fn power_cut(
        &mut self,
        slot: usize,
        kind: &'static str,
        back_at: Option<u64>,
    ) -> Todo {
        let now = self.now;
        if self.machines[slot].power == Power::Down {
            return Todo::Nothing;
        }
        if self.machines[slot].disk().power_cut(now) > 0 {
            sometimes!("crash-with-unsynced-bytes");
        }
        self.machines[slot].lost_power = true;
        let delay = self.process.range(100 * MS, 5_000 * MS);
        let back_at = match kind == CRASH_POINT {
            true => self.machines[slot].disk().crash.as_ref().map(|crash| now + crash.down_ns),
            false => back_at,
        };
        self.dies(slot, kind, back_at.unwrap_or(now + delay))
    }

    /// The power of a machine went while its node was being opened.
    pub(super) fn cut_while_opening(&mut self, slot: usize) {
        let now = self.now;
        let machine = &mut self.machines[slot];
        let mut disk = machine.disk();
        if disk.power_cut(now) > 0 {
            sometimes!("crash-with-unsynced-bytes");
        }
        let down_ns = disk.crash.as_ref().map_or(MS, |crash| crash.down_ns);
        drop(disk);
        sometimes!("crash-while-opening");
        machine.lost_power = true;
        let life = machine.life;
        self.trace.add(now, Traced::Life, slot as u8, &[0]);
        self.tallies.fired(CRASH_POINT);
        self.tallies.observed(CRASH_POINT);
        self.last_fault = Some(format!("{CRASH_POINT} of node {} at {} ms", slot + 1, now / MS));
        self.queue.push(now + down_ns.max(MS), Event::Start { slot, life });
    }

    fn kill(&mut self, slot: usize, back_at: u64) -> Todo {
        let now = self.now;
        if self.machines[slot].power == Power::Down {
            return Todo::Nothing;
        }
        self.machines[slot].disk().kill(now);
        self.dies(slot, "kill", back_at)
    }

    pub(super) fn dies(&mut self, slot: usize, kind: &'static str, back_at: u64) -> Todo {
        self.tallies.fired(kind);
        // That its disk is an older one, a node finds out later.
        if kind != "rollback" {
            self.tallies.observed(kind);
        }
        self.stop(slot);
        self.last_fault = Some(format!("{kind} of node {} at {} ms", slot + 1, self.now / MS));
        let life = self.machines[slot].life;
        self.queue.push(back_at.max(self.now + MS), Event::Start { slot, life });
        Todo::Stop { slot }
    }

    /// The node is gone; what was meant for it is void.
    pub(super) fn stop(&mut self, slot: usize) {
        self.close_calls(slot);
        self.note_trouble();
        let machine = &mut self.machines[slot];
        machine.power = Power::Down;
        machine.life += 1;
        machine.backlog.clear();
        machine.stopping = None;
        self.trace.add(self.now, Traced::Life, slot as u8, &[0]);
        self.tell_down(slot, false);
        self.custody_of_death(slot);
    }

    fn pause(&mut self, slot: usize, until: u64) {
        let machine = &mut self.machines[slot];
        if machine.power != Power::Up {
            return;
        }
        machine.power = Power::Paused(until);
        let life = machine.life;
        self.note_trouble();
        self.tallies.fired("pause");
        self.queue.push(until, Event::Resume { slot, life });
    }

    pub(super) fn resume(&mut self, slot: usize, life: u32) -> Option<Todo> {
        let machine = &mut self.machines[slot];
        if machine.life != life || !matches!(machine.power, Power::Paused(_)) {
            return None;
        }
        machine.power = Power::Up;
        self.jury.resumed(self.now, machine.node);
        self.note_trouble();
        let machine = &mut self.machines[slot];
        // In the order of arrival, a nanosecond apart.
        for (place, event) in std::mem::take(&mut machine.backlog).into_iter().enumerate() {
            let at = self.now + place as u64;
            let event = match event {
                request @ (NodeEvent::Write(..) | NodeEvent::Read(..) | NodeEvent::Probe(..)) => {
                    Event::Request { slot, event: request }
                }
                event => Event::Node { slot, life, event },
            };
            self.queue.push(at, event);
        }
        None
    }
}

/// Whether two faults set the same value of a link, a disk or a clock. Cuts are counted instead,
/// and what strikes at the next write stays spent.
fn shares_knob(one: &Fault, other: &Fault) -> bool {
    let is_of_clock = |fault: &Fault| {
        matches!(
            fault,
            Fault::ClockOffset { .. } | Fault::ClockDrift { .. } | Fault::ClockFreeze { .. }
        )
    };
    let is_set = |fault: &Fault| {
        matches!(
            fault,
            Fault::Loss { .. }
                | Fault::Delay { .. }
                | Fault::Duplicate { .. }
                | Fault::Reorder { .. }
                | Fault::BitFlip { .. }
                | Fault::SlowLink { .. }
                | Fault::SlowDisk { .. }
                | Fault::DiskFull { .. }
        )
    };
    let is_same_knob =
        (is_of_clock(one) && is_of_clock(other)) || (is_set(one) && one.kind() == other.kind());
    is_same_knob && one.target() == other.target()
}

fn count(counter: &mut u32, on: bool) {
    if on {
        *counter += 1;
    } else {
        *counter -= 1;
    }
}
