//! Faults of whole regions: a destroyed region stays away and takes with it only what its clients
//! were told it could, and the others go on without waiting for what cannot come.

use billsim_engine::sweep::run_one;
use billsim_engine::{Arm, Job, RunResult, Scenario};
use billsim_record::{Fate, Verdict};
use std::sync::Arc;

fn scenario(name: &str) -> Arc<Scenario> {
    let path = format!("{}/../../scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the scenario is shipped");
    Arc::new(Scenario::parse(name, &text).expect("it parses"))
}

fn run(name: &str, seed: u64, arm: Arm) -> RunResult {
    let mut job = Job::new(scenario(name), seed);
    job.arm = arm;
    run_one(job).expect("the testbed does not fail")
}

#[test]
fn a_destroyed_region_takes_only_what_it_may() {
    let mut lost = 0;
    for name in ["region/destroyed-connected", "region/destroyed-partitioned"] {
        for seed in 1..4 {
            let result = run(name, seed, Arm::Central);
            assert_eq!(result.outcome.verdict, Verdict::Held, "{name} {seed}");
            // Finality is excused while nobody seals the lost region, and only then.
            let is_unsealed = result.plan.operator.is_empty();
            assert_eq!(result.outcome.excuses.len(), usize::from(is_unsealed), "{name} {seed}");
            let report = result.losses.expect("a region was destroyed");
            assert_eq!(report.outages.len(), 1);
            assert!(report.transactions.len() > 500);
            assert!(report.transactions.iter().all(|one| one.fate != Fate::LostOutsideItsGrade));
            lost += report.transactions.iter().filter(|one| one.fate == Fate::LostAsGraded).count();
        }
    }
    assert!(lost > 0, "a region that is cut off acknowledges what only it has");
}

#[test]
fn a_lost_transaction_is_followed_to_its_last_copy() {
    let mut job = Job::new(scenario("region/destroyed-partitioned"), 1);
    let plain = run_one(job.clone()).expect("the testbed does not fail");
    let verdict = plain.losses.expect("a region was destroyed");
    let lost = verdict.transactions.iter().find(|one| one.fate == Fate::LostAsGraded);
    let lost = lost.expect("what is acknowledged while cut off is lost");
    job.custody = Some(lost.op_id.parse().expect("an id"));
    let followed = run_one(job).expect("the testbed does not fail");
    assert_eq!(followed.outcome.trace_hash, plain.outcome.trace_hash, "looking changes nothing");
    let trail = followed.custody.join("\n");
    assert!(trail.contains("has it and sends it to node"), "{trail}");
    assert!(trail.contains("synced on node"), "{trail}");
    let last = followed.custody.last().map(String::as_str).unwrap_or_default();
    assert!(last.contains("THE LAST COPY IS GONE: region-destroyed"), "{trail}");
    assert!(plain.custody.is_empty());
}

#[test]
fn a_task_per_node_changes_nothing_when_regions_fall() {
    for name in ["region/destroyed-partitioned", "region/dark"] {
        let [one, other] = [Arm::Central, Arm::Tasks].map(|arm| run(name, 2, arm));
        assert_eq!(one.outcome.trace_hash, other.outcome.trace_hash, "{name}");
    }
}

#[test]
fn a_dark_region_comes_back_with_all_it_had() {
    let result = run("region/dark", 1, Arm::Central);
    assert_eq!(result.outcome.verdict, Verdict::Held);
    assert!(result.outcome.faults["region-dark"].observed > 0);
    assert!(result.losses.is_none() && result.outcome.excuses.is_empty());
}
