//! A panic of the testbed itself is one run's failure, and says where it was.

use billsim_engine::sweep::{run_one, run_to_its_end};
use billsim_engine::{Job, Scenario};
use billsim_record::{Fault, FaultPlan, NodeNumber, PlannedFault, Verdict};
use std::sync::Arc;

/// A plan that nobody checked names a node that there is not.
fn job(slot: u8) -> Job {
    let text = include_str!("../../../scenarios/smoke/crash.toml");
    let scenario = Scenario::parse("smoke/crash", text).expect("it is in the corpus");
    let fault = Fault::Kill { node: NodeNumber::at(slot) };
    let faults = vec![PlannedFault { at_ms: 1_000, for_ms: 1_000, fault }];
    let plan = FaultPlan::new(scenario.name.clone(), 1, faults);
    Job { plan: Some(plan), ..Job::new(Arc::new(scenario), 1) }
}

#[test]
fn a_panic_is_a_failure_with_its_place() {
    let words = run_one(job(200)).expect_err("there is no such node");
    let result = run_to_its_end(&job(200));
    let failure = result.outcome.failure.expect("it did not come to its end");
    assert_eq!((failure.oracle.as_str(), &failure.detail), ("run", &words));
    assert!(words.contains("sim/engine/src/"), "{words}");
    assert_eq!(result.outcome.verdict, Verdict::Safety);
    assert_eq!(run_to_its_end(&job(0)).outcome.failure, None);
}

#[test]
fn the_same_place_is_the_same_cause() {
    let fingerprint = |slot| run_to_its_end(&job(slot)).outcome.failure.map(|it| it.fingerprint);
    // The words differ: they tell the index.
    assert_eq!(fingerprint(200), fingerprint(201));
}
