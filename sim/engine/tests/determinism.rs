//! Same binary, scenario and seed: same trace. Alone, among others, with each node as a task of
//! its own; and one changed byte is seen.

use billsim_engine::sweep::{Settings, run_one, sweep};
use billsim_engine::{Arm, Job, Scenario};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The main scenario, cut short: a test asks for equality, not for coverage.
fn scenario() -> Arc<Scenario> {
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let mut scenario = Scenario::parse("smoke/everything", text).expect("it is in the corpus");
    scenario.phases.safety_s = 10;
    Arc::new(scenario)
}

fn hash(job: Job) -> String {
    let outcome = run_one(job).expect("the testbed does not fail").outcome;
    assert!(outcome.acknowledged > 50, "a run in which nothing happens proves nothing");
    outcome.trace_hash
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in 0..4 {
        let job = Job::new(scenario(), seed);
        assert_eq!(hash(job.clone()), hash(job), "seed {seed}");
    }
}

#[test]
fn other_seeds_are_other_runs() {
    assert_ne!(hash(Job::new(scenario(), 1)), hash(Job::new(scenario(), 2)));
}

#[test]
fn a_task_per_node_changes_nothing() {
    for seed in 0..8 {
        let central = Job::new(scenario(), seed);
        let tasks = Job { arm: Arm::Tasks, ..central.clone() };
        assert_eq!(hash(central), hash(tasks), "seed {seed}");
    }
}

fn hashes(jobs: usize) -> BTreeMap<u64, String> {
    let scenario = scenario();
    let all = (0..6).map(|seed| Job::new(Arc::clone(&scenario), seed));
    let settings = Settings { jobs, time_limit: Duration::from_secs(600) };
    let mut found = BTreeMap::new();
    let take = |result: billsim_engine::RunResult| {
        found.insert(result.outcome.seed, result.outcome.trace_hash);
    };
    assert!(sweep(all, settings, &AtomicBool::new(false), take, || {}), "every job ran");
    found
}

#[test]
fn neither_neighbours_nor_the_number_of_jobs_change_a_run() {
    let (one, three) = (hashes(1), hashes(3));
    assert_eq!(one.len(), 6);
    assert_eq!(one, three);
    assert_eq!(one[&4], hash(Job::new(scenario(), 4)), "alone");
}

#[test]
fn one_changed_byte_of_one_message_changes_the_hash() {
    let job = Job::new(scenario(), 3);
    let altered = Job { altered_frame: Some(500), ..job.clone() };
    assert_ne!(hash(job), hash(altered));
}

#[test]
fn a_stored_plan_gives_the_run_that_the_seed_gave() {
    let drawn = run_one(Job::new(scenario(), 5)).expect("the testbed does not fail");
    let job = Job { plan: Some(drawn.plan.clone()), ..Job::new(scenario(), 5) };
    let stored = run_one(job).expect("the testbed does not fail");
    assert_eq!(stored.outcome, drawn.outcome);
}
