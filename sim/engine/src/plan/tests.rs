//! Plans of the shipped scenarios: legal, repeatable, and with every kind of fault.

use super::{PlanError, check, draw, kind_of};
use crate::scenario::{Cluster, FaultKind, Scenario};
use crate::seed::{Purpose, Stream};
use billsim_record::{Fault, FaultPlan, NodeNumber, PlannedAction, PlannedFault};
use std::collections::BTreeSet;

fn shipped(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the scenario is shipped");
    Scenario::parse(name, &text).expect("it parses")
}

const SHIPPED: &[&str] = &[
    "smoke/steady",
    "smoke/crash",
    "smoke/partition",
    "smoke/disk-crash",
    "smoke/clock",
    "smoke/everything",
    "disk/commit-path",
    "disk/full",
    "disk/wipe-and-return",
    "disk/wiped-elsewhere",
    "disk/bit-rot",
    "disk/two-of-three-rotten",
    "disk/helix",
    "disk/torn",
    "disk/fsync-fails",
    "disk/slow",
    "disk/restore-drill",
    "disk/region-rebuilt",
    "disk/misdirected",
    "disk/lying-fsync",
    "disk/rollback-image",
    "disk/unrestricted",
    "region/steady",
    "region/cut",
    "region/everything",
    "region/dark",
    "region/sealed-and-back",
    "region/destroyed-connected",
    "region/destroyed-partitioned",
    "region/destroyed-edge",
    "region/edge",
    "region/three-regions",
    "region/elections",
    "region/payouts",
    "region/github-2018",
    "region/late-return",
    "chaos/monkey",
    "chaos/gorilla",
    "chaos/kong",
    "chaos/latency-monkey",
    "load/spike-10x",
    "load/storm",
    "swarm/everything",
];

#[test]
fn every_drawn_plan_is_legal_and_ends_with_the_phase() {
    for name in SHIPPED {
        let scenario = shipped(name);
        let end_ms = u64::from(scenario.phases.safety_s) * 1_000;
        for seed in 0..200 {
            let plan = draw(&scenario, seed);
            check(&plan, &scenario.cluster).expect("a drawn plan is legal");
            assert_eq!(plan, draw(&scenario, seed));
            assert!(plan.faults.iter().all(|f| f.at_ms + f.for_ms <= end_ms), "{name} {seed}");
        }
    }
}

#[test]
fn every_kind_of_a_scenario_is_drawn_and_no_other() {
    for name in SHIPPED {
        let scenario = shipped(name);
        let drawn: BTreeSet<FaultKind> = (0..200)
            .flat_map(|seed| draw(&scenario, seed).faults)
            .map(|f| kind_of(&f.fault))
            .collect();
        assert_eq!(drawn, scenario.faults.keys().copied().collect(), "{name}");
        assert_eq!(drawn, scenario.require.iter().copied().collect(), "{name}");
    }
    let all: BTreeSet<FaultKind> =
        SHIPPED.iter().flat_map(|name| shipped(name).faults.into_keys()).collect();
    assert_eq!(all, FaultKind::ALL.into_iter().collect());
}

#[test]
fn seeds_differ_in_which_kinds_they_have() {
    let scenario = shipped("smoke/everything");
    let kinds = |seed| -> BTreeSet<FaultKind> {
        draw(&scenario, seed).faults.iter().map(|f| kind_of(&f.fault)).collect()
    };
    let sets: BTreeSet<BTreeSet<FaultKind>> = (0..200).map(kinds).collect();
    assert!(sets.len() > 150, "{} different sets of kinds", sets.len());
    assert!(sets.contains(&BTreeSet::new()), "no seed without faults");
}

#[test]
fn a_new_kind_leaves_the_others_where_they_were() {
    let mut scenario = shipped("smoke/crash");
    scenario.swarm.none_percent = 0;
    let mut fewer = scenario.clone();
    fewer.faults.remove(&FaultKind::PowerCut);
    for seed in 0..50 {
        let rest: Vec<PlannedFault> = draw(&scenario, seed)
            .faults
            .into_iter()
            .filter(|f| kind_of(&f.fault) != FaultKind::PowerCut)
            .collect();
        assert_eq!(rest, draw(&fewer, seed).faults);
    }
}

// What a stored seed means must not change with a refactoring.
#[test]
fn a_plan_never_changes() {
    let plan = draw(&shipped("smoke/disk-crash"), 3);
    let lines: Vec<String> = plan
        .faults
        .iter()
        .take(6)
        .map(|f| format!("{} for {}: {:?}", f.at_ms, f.for_ms, f.fault))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

const THREE: Cluster = Cluster { regions: 1, nodes_per_region: 3 };

fn plan_of(at_ms: u64, for_ms: u64, fault: Fault) -> FaultPlan {
    let faults = vec![PlannedFault { at_ms, for_ms, fault }];
    FaultPlan::new("test".to_owned(), 0, faults)
}

#[test]
fn illegal_plans_are_refused_with_a_reason() {
    let mut other_format = plan_of(0, 1, Fault::PowerCutAll);
    other_format.format = 9;
    let mut out_of_order = plan_of(5, 1, Fault::PowerCutAll);
    out_of_order.faults.extend(plan_of(4, 1, Fault::PowerCutAll).faults);
    let mut after_end = plan_of(5_000, 1, Fault::PowerCutAll);
    after_end.load.until_ms = Some(5_000);
    let mut nobody = plan_of(0, 1, Fault::PowerCutAll);
    nobody.load.clients = Some(0);
    let cases = [
        after_end,
        nobody,
        other_format,
        out_of_order,
        plan_of(0, 1, Fault::Kill { node: NodeNumber::at(3) }),
        plan_of(0, 1, Fault::Cut { from: NodeNumber::at(0), to: NodeNumber::at(7) }),
        plan_of(0, 1, Fault::Cut { from: NodeNumber::at(1), to: NodeNumber::at(1) }),
        plan_of(
            0,
            1,
            Fault::Loss { from: NodeNumber::at(0), to: NodeNumber::at(1), ppm: 2_000_000 },
        ),
        plan_of(0, 1, Fault::SlowDisk { node: NodeNumber::at(0), factor: 1 }),
        plan_of(0, 0, Fault::Pause { node: NodeNumber::at(0) }),
        plan_of(0, 1, Fault::SyncFails { node: NodeNumber::at(0), count: 1 }),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|plan| check(plan, &THREE).expect_err("it is illegal"))
        .map(|error: PlanError| error.to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn regions_are_bounded_and_one_is_left() {
    let two = Cluster { regions: 2, nodes_per_region: 3 };
    let mut both = plan_of(0, 0, Fault::RegionDestroyed { region: 0 });
    both.faults.extend(plan_of(9, 0, Fault::RegionDestroyed { region: 1 }).faults);
    let mut seals = plan_of(0, 0, Fault::RegionDestroyed { region: 0 });
    seals.operator.push(PlannedAction { at_ms: 5_000, seal: 0 });
    assert_eq!(check(&seals, &two), Ok(()));
    let mut stranger = seals.clone();
    stranger.operator[0].seal = 2;
    seals.operator.push(PlannedAction { at_ms: 4_999, seal: 1 });
    let cases = [
        both,
        stranger,
        seals,
        plan_of(0, 1, Fault::RegionDark { region: 2 }),
        plan_of(0, 1, Fault::ZoneDark { zone: 3 }),
        plan_of(0, 1, Fault::RegionSlow { region: 0, factor: 1 }),
        plan_of(0, 1, Fault::RegionFlap { from_region: 1, to_region: 1, period_ms: 50 }),
        plan_of(0, 7, Fault::RegionDestroyed { region: 0 }),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|plan| check(plan, &two).expect_err("it is illegal").to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_operator_seals_no_region_that_is_the_last() {
    let scenario = shipped("region/payouts");
    let mut seals_of_dark = 0;
    for seed in 0..400 {
        let plan = draw(&scenario, seed);
        let is_destroyed = |region: u8| {
            plan.faults.iter().any(|planned| planned.fault == Fault::RegionDestroyed { region })
        };
        for action in &plan.operator {
            assert!(!is_destroyed(1 - action.seal), "seed {seed}: {:?}", plan.operator);
            seals_of_dark += u32::from(!is_destroyed(action.seal));
        }
    }
    assert!(seals_of_dark > 0);
}

#[test]
fn a_provider_misbehaves_within_its_scenario_and_not_in_every_seed() {
    let scenario = shipped("region/payouts");
    let mut bounds = scenario.provider.as_ref().expect("it has one").worst();
    let mut seen = [(0, 0); 5];
    for seed in 0..200 {
        let mut provider = draw(&scenario, seed).provider;
        for (((key, percent), (_, most)), (never, ever)) in
            provider.kinds().into_iter().zip(bounds.kinds()).zip(&mut seen)
        {
            assert!(percent <= most, "{key} in seed {seed}");
            *(if *percent == 0 { never } else { ever }) += 1;
        }
    }
    assert!(seen.iter().all(|(never, ever)| *never > 50 && *ever > 50), "{seen:?}");
    let mut plan = draw(&scenario, 0);
    plan.provider.lied_percent = 101;
    let error = PlanError::Service { service: "provider", key: "lied_percent", found: 101 };
    assert_eq!(check(&plan, &scenario.cluster), Err(error));
}

#[test]
fn three_regions_are_cut_into_rings_and_bridges() {
    let shapes: BTreeSet<Vec<(u8, u8)>> =
        (0..64).map(|seed| super::region_links(&mut Stream::new(seed, Purpose::Net), 3)).collect();
    assert!(shapes.contains(&vec![(0, 1), (1, 2), (2, 0)]), "a ring");
    assert!(shapes.contains(&vec![(0, 2), (2, 0)]), "a bridge over region 1");
    assert!(shapes.contains(&vec![(1, 0), (0, 1), (1, 2), (2, 1)]), "one region from all others");
    assert!(shapes.iter().any(|shape| shape.len() == 1), "one direction");
}

#[test]
fn overlapping_faults_are_legal() {
    let mut plan = plan_of(0, 1_000, Fault::PowerCut { node: NodeNumber::at(0) });
    plan.faults.extend(plan_of(500, 1_000, Fault::PowerCut { node: NodeNumber::at(0) }).faults);
    assert_eq!(check(&plan, &THREE), Ok(()));
}
