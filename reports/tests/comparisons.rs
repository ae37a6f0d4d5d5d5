//! Two runs beside each other, and what a failure needs, as people see them.

mod fixture;

use billsim_record::Verdict;
use billsim_reports::diverge::{Parting, divergence, outcomes, parting};
use billsim_reports::explain::{Need, instead, needs};
use fixture::{broken, events, held};

#[test]
fn equal_runs_part_nowhere() {
    assert_eq!(parting(&events(), &events()), Parting::Never);
    assert_eq!(divergence(&events(), &events()), "the same events at the same times\n");
}

#[test]
fn the_first_difference_is_shown_with_what_is_around_it() {
    let mut other = events();
    other.events[14].at_ns += 1_000_000;
    other.events.truncate(18);
    assert_eq!(parting(&events(), &other), Parting::At(14));
    insta::assert_snapshot!(divergence(&events(), &other));
}

#[test]
fn a_run_that_ended_earlier_parts_at_its_end() {
    let mut other = events();
    other.events.truncate(20);
    assert_eq!(parting(&events(), &other), Parting::At(20));
    assert!(divergence(&events(), &other).ends_with("  + (it had ended)\n"));
    // What the trace saw in between counts, though nobody tells of it.
    let mut other = events();
    other.events[3].event += 1;
    assert_eq!(parting(&events(), &other), Parting::At(3));
}

#[test]
fn outcomes_stand_beside_each_other() {
    let mut other = held("smoke/crash", 7);
    other.faults.get_mut("kill").unwrap().fired = 1;
    insta::assert_snapshot!(outcomes(&broken("smoke/crash", 7), &other));
}

#[test]
fn what_a_failure_needs_is_told_with_what_happens_without_it() {
    let failure = broken("smoke/crash", 7).failure.expect("it failed");
    let mut other = broken("smoke/crash", 7);
    other.failure.as_mut().unwrap().fingerprint = "1".repeat(16);
    let need =
        |part: &str, outcome| Need { part: part.to_owned(), without: instead(outcome, &failure) };
    let found = [
        need("power-cut of node 2 at 3000 ms for 1500 ms", &held("smoke/crash", 7)),
        need("loss of link 1 to 3 at 500 ms for 2000 ms", &other),
    ];
    let incomplete =
        billsim_record::Outcome { verdict: Verdict::Incomplete, ..held("smoke/crash", 7) };
    assert_eq!(instead(&incomplete, &failure), "incomplete");
    let texts = [needs(62, &found, true), needs(62, &found[..1], false), needs(3, &[], true)];
    insta::assert_snapshot!(texts.join("\n"));
}
