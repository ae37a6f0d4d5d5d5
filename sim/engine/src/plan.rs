//! Draws the fault plan of a seed and checks plans, drawn or edited.
//!
//! Swarm testing (Groce and others, 2012): each seed has some fault kinds and not others, at
//! log-scaled rates and strengths, and some seeds have none. Every kind draws from a stream of
//! its own, so that a scenario's new kind leaves the others' faults where they were.
//!
//! Fairness: in one region everything that was acknowledged is synced on a majority, and what
//! takes synced data away strikes only where the world's atlas lets it, so every combination of
//! faults is fair, power cuts of all nodes at once included. What makes progress impossible ends
//! with the safety phase.

mod error;
mod kinds;
mod links;

pub use error::PlanError;
pub use kinds::kind_of;
use kinds::purpose;

use crate::scenario::service::{STREAMS_OF_MAIL, STREAMS_OF_PROVIDER};
use crate::scenario::{Cluster, FaultDraw, FaultKind, Scenario, Service};
use crate::seed::{Purpose, Stream};
use billsim_record::plan::PLAN_FORMAT;
use billsim_record::{
    Fault, FaultPlan, InRecovery, Moment, NodeNumber, PlannedAction, PlannedFault, PlannedService,
    Target,
};
use std::collections::BTreeSet;

/// Faults of one kind in one plan, at most: what a careless scenario can ask for.
const FAULTS_PER_KIND_MAX: usize = 10_000;

/// A second power cut in a recovery strikes one of so many disk steps; fewer may be taken.
const RECOVERY_STEPS: u64 = 24;

/// Index of the stream that says when an operator seals.
const STREAM_OF_OPERATOR: u64 = 3_000;

/// The fault plan of a seed.
pub fn draw(scenario: &Scenario, seed: u64) -> FaultPlan {
    let mut faults = Vec::new();
    let mut swarm = Stream::new(seed, Purpose::Config);
    let (mut provider, mut mail) = (PlannedService::default(), PlannedService::default());
    if swarm.below(100) >= u64::from(scenario.swarm.none_percent) {
        for (kind, settings) in &scenario.faults {
            let mut stream = Stream::indexed(seed, purpose(*kind), *kind as u64);
            if stream.below(100) < u64::from(settings.percent) {
                draw_kind(scenario, *kind, settings, &mut stream, &mut faults);
            }
        }
        let planned = |service: &Option<Service>, streams| {
            service.as_ref().map(|service| service.plan(seed, streams)).unwrap_or_default()
        };
        provider = planned(&scenario.provider, STREAMS_OF_PROVIDER);
        mail = planned(&scenario.mail, STREAMS_OF_MAIL);
    }
    // Stable: faults of the same time stay in the order of kinds.
    faults.sort_by_key(|f: &PlannedFault| f.at_ms);
    let operator = draw_operator(scenario, seed, &faults);
    FaultPlan { operator, provider, mail, ..FaultPlan::new(scenario.name.clone(), seed, faults) }
}

/// Checks a plan against the size of the cluster.
///
/// # Errors
/// The first fault that cannot be injected. Faults may overlap.
pub fn check(plan: &FaultPlan, cluster: &Cluster) -> Result<(), PlanError> {
    if plan.format != PLAN_FORMAT {
        return Err(PlanError::Format { found: plan.format });
    }
    let load = &plan.load;
    let bounds = [("clients", load.clients.map(u64::from)), ("until_ms", load.until_ms)];
    if let Some((key, _)) = bounds.into_iter().find(|(_, bound)| *bound == Some(0)) {
        return Err(PlanError::EmptyLoad { key });
    }
    for (service, mut planned) in [("provider", plan.provider), ("mail", plan.mail)] {
        for (key, percent) in planned.kinds() {
            if *percent > 100 {
                return Err(PlanError::Service { service, key, found: *percent });
            }
        }
    }
    let mut before = 0;
    for (place, planned) in plan.faults.iter().enumerate() {
        let kind = planned.fault.kind();
        if planned.at_ms < before {
            return Err(PlanError::Order { place, kind, at_ms: planned.at_ms });
        }
        before = planned.at_ms;
        let at_ms = planned.at_ms;
        if let Some(until_ms) = load.until_ms.filter(|until_ms| at_ms >= *until_ms) {
            return Err(PlanError::AfterEnd { place, kind, at_ms, until_ms });
        }
        check_target(place, &planned.fault, cluster)?;
        check_strength(place, planned)?;
    }
    check_destroyed(plan, cluster)?;
    check_operator(plan, cluster)
}

fn check_operator(plan: &FaultPlan, cluster: &Cluster) -> Result<(), PlanError> {
    let mut before = 0;
    for (place, action) in plan.operator.iter().enumerate() {
        let (region, regions, at_ms) = (action.seal, cluster.regions, action.at_ms);
        if region >= regions || regions == 1 {
            return Err(PlanError::Seal { place, region, regions });
        }
        if at_ms < before {
            return Err(PlanError::OperatorOrder { place, at_ms });
        }
        before = at_ms;
    }
    Ok(())
}

/// Seals the regions that are lost, each some time after it was: one that is destroyed, or dark
/// for longer than the operator waits.
fn draw_operator(scenario: &Scenario, seed: u64, faults: &[PlannedFault]) -> Vec<PlannedAction> {
    let Some(operator) = &scenario.operator else { return Vec::new() };
    let mut stream = Stream::indexed(seed, Purpose::Process, STREAM_OF_OPERATOR);
    let mut actions: Vec<PlannedAction> = Vec::new();
    if stream.below(100) >= u64::from(operator.percent) {
        return actions;
    }
    let is_destroyed = |region: u8| {
        faults.iter().any(|planned| planned.fault == Fault::RegionDestroyed { region })
    };
    for planned in faults {
        let (region, lasts_ms) = match planned.fault {
            Fault::RegionDestroyed { region } | Fault::RegionWiped { region, .. } => {
                (region, u64::MAX)
            }
            Fault::RegionDark { region } => (region, planned.for_ms),
            _ => continue,
        };
        // Nobody would be left to seal it.
        let is_last =
            (0..scenario.cluster.regions).all(|other| other == region || is_destroyed(other));
        let waits_ms = stream.range(operator.seal_after_ms.min, operator.seal_after_ms.max);
        let at_ms = planned.at_ms + waits_ms;
        // One that was sealed and came back is sealed again when it is destroyed.
        let is_sealed = actions.iter().any(|action| action.seal == region);
        if waits_ms < lasts_ms && !is_last && (!is_sealed || lasts_ms == u64::MAX) {
            actions.push(PlannedAction { at_ms, seal: region });
        }
    }
    actions.sort_by_key(|action| action.at_ms);
    actions
}

fn check_destroyed(plan: &FaultPlan, cluster: &Cluster) -> Result<(), PlanError> {
    let mut destroyed = BTreeSet::new();
    for (place, planned) in plan.faults.iter().enumerate() {
        if let Fault::RegionDestroyed { region } = planned.fault {
            destroyed.insert(region);
        }
        if destroyed.len() == usize::from(cluster.regions) {
            return Err(PlanError::NothingLeft { place });
        }
    }
    Ok(())
}

fn draw_kind(
    scenario: &Scenario,
    kind: FaultKind,
    settings: &FaultDraw,
    stream: &mut Stream,
    faults: &mut Vec<PlannedFault>,
) {
    let end_ms = u64::from(scenario.phases.safety_s) * 1_000;
    let gap_ms = settings.per_minute.map_or(1, |often| 60_000 / often.log_uniform(stream));
    let mut at_ms = match settings.at_ms {
        Some(once) => once.uniform(stream),
        None => stream.below(gap_ms.clamp(1, end_ms)),
    };
    let is_once = settings.at_ms.is_some() || kind == FaultKind::RegionDestroyed;
    for _ in 0..if is_once { 1 } else { FAULTS_PER_KIND_MAX } {
        if at_ms >= end_ms {
            break;
        }
        let lasts = settings.duration_ms.map_or(0, |d| d.log_uniform(stream));
        // It ends with the phase, when all fault sources are switched off.
        let for_ms = lasts.min(end_ms - at_ms);
        let strength = settings.intensity.map_or(0, |i| i.log_uniform(stream));
        let nodes = scenario.cluster.nodes();
        let mut add = |fault| faults.push(PlannedFault { at_ms, for_ms, fault });
        if matches!(kind, FaultKind::RegionCut | FaultKind::RegionFlap) {
            for (from, to) in region_links(stream, scenario.cluster.regions) {
                add(between_regions(kind, from, to, strength));
            }
        } else if let Some(fault) = of_region(kind, stream, &scenario.cluster, strength) {
            add(fault);
        } else if kind.is_of_a_link() {
            let drawn = match settings.pairs {
                true => links::around_pair(stream, &scenario.cluster),
                false => links::drawn(stream, nodes),
            };
            for (from, to) in drawn {
                add(of_link(kind, from, to, strength));
            }
        } else {
            let node = NodeNumber::at(stream.below(nodes.into()) as u8);
            let sign = if stream.chance_ppm(500_000) { 1 } else { -1 };
            add(match kind {
                FaultKind::CrashPoint => crash_point(node, strength, stream),
                _ => of_node(kind, node, strength, sign),
            });
        }
        at_ms += 1 + stream.exponential(gap_ms);
    }
}

/// Which regions are cut off from which. Two regions: one direction, or both. More: one
/// direction; both, so that a third region is the bridge; a ring, where each hears the one behind
/// it only; or one region from all others.
fn region_links(stream: &mut Stream, regions: u8) -> Vec<(u8, u8)> {
    let a = stream.below(regions.into()) as u8;
    let b = (a + 1 + stream.below(u64::from(regions) - 1) as u8) % regions;
    let each = || 0..regions;
    match stream.below(4) {
        0 => vec![(a, b)],
        2 if regions > 2 => each().map(|from| (from, (from + 1) % regions)).collect(),
        3 if regions > 2 => {
            each().filter(|other| *other != a).flat_map(|b| [(a, b), (b, a)]).collect()
        }
        _ => vec![(a, b), (b, a)],
    }
}

fn between_regions(kind: FaultKind, from_region: u8, to_region: u8, strength: u64) -> Fault {
    match kind {
        // Bounded by the scenario's check, far below 2^32.
        FaultKind::RegionFlap => {
            Fault::RegionFlap { from_region, to_region, period_ms: strength as u32 }
        }
        _ => Fault::RegionCut { from_region, to_region },
    }
}

/// A fault of a whole region or zone; `None` for a kind that is of nothing of the sort.
fn of_region(
    kind: FaultKind,
    stream: &mut Stream,
    cluster: &Cluster,
    strength: u64,
) -> Option<Fault> {
    let mut below = |count: u8| stream.below(count.into()) as u8;
    Some(match kind {
        FaultKind::RegionDark => Fault::RegionDark { region: below(cluster.regions) },
        FaultKind::RegionWiped => {
            Fault::RegionWiped { region: below(cluster.regions), disks: strength as u8 }
        }
        FaultKind::RegionDestroyed => Fault::RegionDestroyed { region: below(cluster.regions) },
        FaultKind::RegionSlow => {
            Fault::RegionSlow { region: below(cluster.regions), factor: strength as u32 }
        }
        FaultKind::Helix => Fault::Helix { region: below(cluster.regions), spread: strength > 1 },
        FaultKind::ZoneDark => Fault::ZoneDark { zone: below(cluster.nodes_per_region) },
        _ => return None,
    })
}

fn of_link(kind: FaultKind, from: NodeNumber, to: NodeNumber, strength: u64) -> Fault {
    // Bounded by the scenario's check, far below 2^32.
    let value = strength as u32;
    match kind {
        FaultKind::Loss => Fault::Loss { from, to, ppm: value },
        FaultKind::Delay => Fault::Delay { from, to, extra_us: value },
        FaultKind::Duplicate => Fault::Duplicate { from, to, ppm: value },
        FaultKind::Reorder => Fault::Reorder { from, to, ppm: value },
        FaultKind::BitFlip => Fault::BitFlip { from, to, ppm: value },
        FaultKind::SlowLink => Fault::SlowLink { from, to, bytes_per_s: value },
        FaultKind::Cut => Fault::Cut { from, to },
        other => unreachable!("{} is not of a link", other.name()),
    }
}

/// Bytes that an intensity means.
fn rotten(intensity: u32) -> u32 {
    if intensity > 1 { intensity } else { 0 }
}

fn of_node(kind: FaultKind, node: NodeNumber, strength: u64, sign: i32) -> Fault {
    // Bounded by the scenario's check, far below 2^31.
    let value = strength as u32;
    match kind {
        FaultKind::PowerCut => Fault::PowerCut { node },
        FaultKind::Kill => Fault::Kill { node },
        FaultKind::Restart => Fault::Restart { node },
        FaultKind::PowerCutAtWrite => Fault::PowerCutAtWrite { node, step: value },
        FaultKind::PowerCutAll => Fault::PowerCutAll,
        FaultKind::Pause => Fault::Pause { node },
        FaultKind::Isolate => Fault::Isolate { node },
        FaultKind::ClientCut => Fault::ClientCut { node },
        FaultKind::DiskStall => Fault::DiskStall { node },
        FaultKind::SlowDisk => Fault::SlowDisk { node, factor: value },
        FaultKind::WriteFails => Fault::WriteFails { node, count: value },
        FaultKind::SyncFails => Fault::SyncFails { node, count: value },
        FaultKind::Wipe => Fault::Wipe { node },
        FaultKind::ReadError => Fault::ReadError { node, bytes: value },
        FaultKind::MisdirectedWrite => Fault::MisdirectedWrite { node, reach: value as u8 },
        FaultKind::PhantomWrite => Fault::PhantomWrite { node },
        FaultKind::RepairRot => Fault::RepairRot { node },
        FaultKind::MisdirectedRead => Fault::MisdirectedRead { node },
        FaultKind::LyingSync => Fault::LyingSync { node },
        FaultKind::Rollback => Fault::Rollback { node },
        FaultKind::SegmentRot => Fault::SegmentRot { node, bytes: rotten(value) },
        FaultKind::SuperblockRot => Fault::SuperblockRot { node, bytes: rotten(value) },
        FaultKind::LedgerRot => Fault::LedgerRot { node, bytes: rotten(value) },
        FaultKind::DiskFull => Fault::DiskFull { node, bytes_left: value - 1 },
        FaultKind::ClockOffset => {
            Fault::ClockOffset { node, offset_ms: i64::from(value) * i64::from(sign) }
        }
        FaultKind::ClockDrift => Fault::ClockDrift { node, ppm: value as i32 * sign },
        FaultKind::ClockFreeze => Fault::ClockFreeze { node },
        other => unreachable!("{} is not of a node", other.name()),
    }
}

/// In half of the cases the node dies once more while it recovers.
fn crash_point(node: NodeNumber, strength: u64, stream: &mut Stream) -> Fault {
    let step = strength as u32;
    let moment = *stream.pick(&Moment::ALL);
    let again = stream.chance_ppm(500_000).then(|| {
        let step = stream.log_uniform(1, RECOVERY_STEPS) as u32;
        InRecovery { step, moment: *stream.pick(&Moment::ALL) }
    });
    Fault::CrashPoint { node, step, moment, again }
}

fn check_target(place: usize, fault: &Fault, cluster: &Cluster) -> Result<(), PlanError> {
    let kind = fault.kind();
    let (nodes, regions) = (cluster.nodes(), cluster.regions);
    let exists = |node: NodeNumber| match node.slot() < usize::from(nodes) {
        true => Ok(()),
        false => Err(PlanError::Node { place, kind, node, last: nodes }),
    };
    match fault.target() {
        Target::All => Ok(()),
        Target::Regions(from, to) => {
            let known = from != to && from.max(to) < regions;
            if known { Ok(()) } else { Err(PlanError::Regions { place, kind, regions }) }
        }
        target @ Target::Region(region) if region >= regions => {
            Err(PlanError::Place { place, kind, target, size: format!("{regions} regions") })
        }
        target @ Target::Zone(zone) if zone >= cluster.nodes_per_region => {
            let size = format!("{} nodes in each region", cluster.nodes_per_region);
            Err(PlanError::Place { place, kind, target, size })
        }
        Target::Region(_) | Target::Zone(_) => Ok(()),
        Target::Node(node) => exists(node),
        Target::Link(from, to) if from == to => Err(PlanError::OwnLink { place, kind, node: to }),
        Target::Link(from, to) => exists(from).and(exists(to)),
    }
}

fn check_strength(place: usize, planned: &PlannedFault) -> Result<(), PlanError> {
    let kind = planned.fault.kind();
    let found = match planned.fault {
        Fault::PowerCutAtWrite { step, .. } | Fault::CrashPoint { step, .. } => step.into(),
        Fault::Loss { ppm, .. }
        | Fault::Duplicate { ppm, .. }
        | Fault::Reorder { ppm, .. }
        | Fault::BitFlip { ppm, .. } => ppm.into(),
        Fault::Delay { extra_us, .. } => extra_us.into(),
        Fault::SlowLink { bytes_per_s, .. } => bytes_per_s.into(),
        Fault::SlowDisk { factor, .. } | Fault::RegionSlow { factor, .. } => factor.into(),
        Fault::RegionFlap { period_ms, .. } => period_ms.into(),
        Fault::WriteFails { count, .. } | Fault::SyncFails { count, .. } => count.into(),
        Fault::DiskFull { bytes_left, .. } => u64::from(bytes_left) + 1,
        Fault::SegmentRot { bytes, .. }
        | Fault::SuperblockRot { bytes, .. }
        | Fault::LedgerRot { bytes, .. } => bytes.max(1).into(),
        Fault::Helix { spread, .. } => 1 + u64::from(spread),
        Fault::ReadError { bytes, .. } => bytes.into(),
        Fault::MisdirectedWrite { reach, .. } => reach.into(),
        Fault::RegionWiped { disks, .. } => disks.into(),
        Fault::ClockOffset { offset_ms, .. } => offset_ms.unsigned_abs(),
        Fault::ClockDrift { ppm, .. } => ppm.unsigned_abs().into(),
        Fault::PowerCut { .. }
        | Fault::Kill { .. }
        | Fault::Restart { .. }
        | Fault::PowerCutAll
        | Fault::Pause { .. }
        | Fault::Cut { .. }
        | Fault::RegionCut { .. }
        | Fault::RegionDark { .. }
        | Fault::RegionDestroyed { .. }
        | Fault::ZoneDark { .. }
        | Fault::Isolate { .. }
        | Fault::ClientCut { .. }
        | Fault::DiskStall { .. }
        | Fault::Wipe { .. }
        | Fault::PhantomWrite { .. }
        | Fault::RepairRot { .. }
        | Fault::MisdirectedRead { .. }
        | Fault::LyingSync { .. }
        | Fault::Rollback { .. }
        | Fault::ClockFreeze { .. } => 0,
    };
    let named = kind_of(&planned.fault);
    if let Some((low, high, unit)) = named.intensities()
        && !(low..=high).contains(&found)
    {
        return Err(PlanError::Intensity { place, kind, found, low, high, unit });
    }
    let found = planned.for_ms;
    match (named.lasts(), found) {
        (true, 0) => Err(PlanError::Duration { place, kind, found, expected: "at least 1" }),
        (false, 1..) => Err(PlanError::Duration { place, kind, found, expected: "0" }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
