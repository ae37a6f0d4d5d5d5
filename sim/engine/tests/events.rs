//! A run that is told is the same run: events look on and change nothing; and what they say is
//! in order, whole, and read back as it was written.
#![cfg(madsim)]

use billsim_engine::sweep::run_one;
use billsim_engine::{Job, Scenario};
use billsim_record::{Fault, FaultPlan, Happening, NodeNumber, PlannedFault, RunEvents, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;

const SCENARIO: &str = "../../scenarios/smoke/everything.toml";

fn job(seed: u64) -> Job {
    let text = std::fs::read_to_string(SCENARIO).expect("the scenario is shipped");
    Job::new(Arc::new(Scenario::parse("smoke/everything", &text).expect("it is legal")), seed)
}

#[test]
fn a_run_that_is_told_is_the_same_run() {
    let plain = run_one(job(3)).unwrap();
    let told = run_one(Job { events: true, ..job(3) }).unwrap();
    assert_eq!(plain.outcome, told.outcome);
    assert_eq!(plain.events, None, "nobody asked");
    let events = told.events.expect("asked for");
    assert_eq!(events.head.trace_hash, told.outcome.trace_hash);
    assert_eq!(RunEvents::from_lines(&events.to_lines()).unwrap(), *events);
    assert!(events.events.is_sorted_by_key(|event| event.at_ns));
    let numbers: Vec<u64> = events.events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let armed: u64 = told.outcome.faults.values().map(|tally| tally.armed).sum();
    let count = |wanted: fn(&Happening) -> bool| {
        events.events.iter().filter(|event| wanted(&event.what)).count() as u64
    };
    assert_eq!(count(|what| matches!(what, Happening::FaultBegins { .. })), armed);
    assert!(count(|what| matches!(what, Happening::Leads { .. })) > 0);
    assert_eq!(count(|what| matches!(what, Happening::Phase { .. })), 2);
    assert_eq!(told.outcome.verdict, Verdict::Held);
    assert_eq!(events.first_violation(), None);
}

#[test]
fn every_call_that_returns_was_made_by_the_same_client() {
    let events = run_one(Job { events: true, ..job(4) }).unwrap().events.expect("asked for");
    let mut open = BTreeSet::new();
    let mut returned = 0;
    for event in &events.events {
        match &event.what {
            Happening::Invoke { client, call, .. } => {
                assert!(open.insert((*client, *call)), "call {call} was made before");
            }
            Happening::Return { client, call, .. } => {
                assert!(open.remove(&(*client, *call)), "call {call} of client {client} is open");
                returned += 1;
            }
            _ => {}
        }
    }
    assert!(returned > 100, "{returned} calls");
}

#[test]
fn no_power_cut_comes_after_all_was_healed() {
    let mut fired = 0;
    for seed in 1..=8 {
        let asked = job(seed);
        let ends_ms = u64::from(asked.scenario.phases.safety_s) * 1_000;
        let planned = |for_ms, fault| PlannedFault { at_ms: ends_ms - for_ms, for_ms, fault };
        let [first, second, third] = [0, 1, 2].map(NodeNumber::at);
        let mut faults = vec![planned(2_000, Fault::PowerCutAtWrite { node: first, step: 1 })];
        // A step that begins before the phase ends and takes longer than what is left of it.
        for node in [second, third] {
            faults.push(planned(50, Fault::SlowDisk { node, factor: 5_000 }));
            faults.push(planned(50, Fault::PowerCutAtWrite { node, step: 1 }));
        }
        let plan = FaultPlan::new("smoke/everything".to_owned(), seed, faults);
        let result = run_one(Job { events: true, plan: Some(plan), ..asked }).unwrap();
        fired += result.outcome.faults["power-cut-at-write"].fired;
        let events = result.events.expect("asked for").events;
        let healed = events.iter().find(|event| matches!(event.what, Happening::Phase { .. }));
        let healed_at = healed.expect("every run heals").at_ns;
        let late = |at: u64, what: &Happening| {
            at > healed_at && matches!(what, Happening::NodeDown { .. })
        };
        let late = events.iter().find(|event| late(event.at_ns, &event.what));
        assert_eq!(late, None, "seed {seed}");
    }
    assert!(fired > 0, "none came in time either");
}
