//! A run that is told is the same run: events look on and change nothing; and what they say is
//! in order, whole, and read back as it was written.
#![cfg(madsim)]

use billsim_engine::sweep::run_one;
use billsim_engine::{Job, Scenario};
use billsim_record::{Happening, RunEvents, Verdict};
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
