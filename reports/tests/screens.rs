//! What people see, as snapshots; and that a tally does not depend on order.

mod fixture;

use billsim_record::{ExitCode, Failure, Outage, Outcome, Verdict};
use billsim_reports::epilogue::{LINES_MAX, Place, epilogue};
use billsim_reports::region_loss::outages;
use billsim_reports::summary::{Circumstances, summary};
use billsim_reports::tally::{Gap, cause_of};
use billsim_reports::{Tally, outcomes};
use fixture::held;
use std::collections::BTreeMap;

fn broken(scenario: &str, seed: u64, oracle: &str, verdict: Verdict) -> Outcome {
    let failure = Failure {
        oracle: oracle.to_owned(),
        promise: "an answer leaves only after its entry is durable on two of three disks"
            .to_owned(),
        detail: "node 0 acknowledged entry 411 of region 0 while it was durable on 1 of 3 disks: \
                 node 0 ends at 411, node 1 at 410, node 2 at 398"
            .to_owned(),
        transaction: Some(
            "payment 0f3a of 12.50 on account 7, acknowledged at 12.345 s".to_owned(),
        ),
        last_fault: Some("power-cut of node 1 at 12.301 s".to_owned()),
        at_ns: 12_345_678_901,
        event: 123_456,
        fingerprint: "00c0ffee00c0ffee".to_owned(),
        further: 2,
    };
    Outcome { verdict, failure: Some(failure), ..held(scenario, seed) }
}

fn tally_of(outcomes: &[Outcome]) -> Tally {
    let mut tally = Tally::knowing(["D1", "D10"], ["leader-elected", "sync-failed"]);
    outcomes.iter().for_each(|outcome| tally.add(outcome));
    tally
}

fn circumstances<'a>(promises: &'a BTreeMap<&'a str, &'a str>) -> Circumstances<'a> {
    Circumstances {
        promises,
        wall_seconds: 0.5,
        asked: Some(4),
        ended_early: None,
        coverage_required: false,
    }
}

#[test]
fn a_green_sweep_says_what_it_is_worth() {
    let promises = [("D1", "an answer leaves only after its entry is durable as its grade says")];
    let tally = tally_of(&[held("smoke/crash", 0), held("smoke/crash", 1), held("smoke/clock", 0)]);
    insta::assert_snapshot!(summary(&tally, circumstances(&promises.into())));
}

#[test]
fn a_green_run_says_what_it_did() {
    let mut outcome = held("smoke/crash", 7);
    outcome.comparisons.clear();
    let text = summary(&tally_of(&[outcome]), circumstances(&BTreeMap::new()));
    insta::assert_snapshot!(text);
}

#[test]
fn four_seeds_are_the_first_that_bound_a_failure_rate() {
    let text = |seeds| {
        let outcomes: Vec<_> = (0..seeds).map(|seed| held("smoke/crash", seed)).collect();
        summary(&tally_of(&outcomes), circumstances(&BTreeMap::new()))
    };
    assert!(text(3).ends_with("HELD: no failure in 3 seeds\n"), "{}", text(3));
    assert!(text(4).ends_with("4 seeds: failure rate < 3/4 (75.00 %) at 95 %\n"), "{}", text(4));
}

#[test]
fn a_verdict_says_how_clients_found_another_region() {
    let outage = |behind_edge| Outage {
        region: 0,
        kind: "region-dark".to_owned(),
        at_ms: 21_921,
        behind_edge,
        clients: 31,
        recovered: 30,
        rto_ms: Some([2_028, 10_895, 10_895]),
        loss: None,
    };
    insta::assert_snapshot!(outages(&[outage(false), outage(true)]));
}

#[test]
fn a_sweep_that_was_stopped_says_so() {
    let tally = tally_of(&[held("smoke/crash", 0)]);
    let promises = BTreeMap::new();
    let circumstances =
        Circumstances { ended_early: Some("interrupted"), ..circumstances(&promises) };
    let text = summary(&tally, circumstances);
    assert!(text.contains("INCOMPLETE: interrupted after 1 seed of 4\n"), "{text}");
}

#[test]
fn silence_is_no_success_where_coverage_is_required() {
    let tally = tally_of(&[held("smoke/crash", 0)]);
    let promises = BTreeMap::new();
    let circumstances = Circumstances { coverage_required: true, ..circumstances(&promises) };
    let text = summary(&tally, circumstances);
    assert!(text.contains("COVERAGE: oracle D10 compared nothing\n"), "{text}");
    assert!(text.ends_with("but with 2 gaps in what was tested\n"), "{text}");
}

#[test]
fn a_failure_fits_on_one_screen() {
    let tally = tally_of(&[
        broken("smoke/crash", 17, "D1", Verdict::Safety),
        broken("smoke/crash", 9, "D1", Verdict::Safety),
        broken("smoke/clock", 3, "L5", Verdict::Liveness),
    ]);
    let (name, cause) = tally.worst_cause().expect("there is one");
    assert_eq!(name, "D1-00c0ffee00c0ffee");
    assert_eq!((cause.seeds, cause.first.seed), (2, 9));
    let place = Place {
        replay: "target/release/billsim replay runs/0001/failures/D1-00c0ffee00c0ffee",
        shrink: Some("target/release/billsim shrink runs/0001/failures/D1-00c0ffee00c0ffee"),
        directory: Some("runs/0001/failures/D1-00c0ffee00c0ffee"),
        timeline: Some("runs/0001/failures/D1-00c0ffee00c0ffee/timeline.html"),
        told: None,
        others: &["L5-00c0ffee00c0ffee"],
    };
    let text = epilogue(cause, place);
    assert!(text.lines().count() <= LINES_MAX);
    insta::assert_snapshot!(text);
}

#[test]
fn the_longest_failure_still_shows_its_command() {
    let mut outcome = broken("smoke/crash", 17, "D1", Verdict::Safety);
    let long = "word ".repeat(2_000);
    let failure = outcome.failure.as_mut().expect("it failed");
    failure.promise.clone_from(&long);
    failure.detail.clone_from(&long);
    failure.transaction = Some(long.clone());
    failure.last_fault = Some(long.clone());
    outcome.stuck = vec![long.clone(), long];
    let tally = tally_of(&[outcome]);
    let (_, cause) = tally.worst_cause().expect("there is one");
    let place = Place {
        replay: "billsim replay x",
        shrink: Some("billsim shrink x"),
        directory: Some("x"),
        timeline: None,
        told: None,
        others: &["a"; 500],
    };
    let text = epilogue(cause, place);
    assert!(text.lines().count() <= LINES_MAX, "{text}");
    assert!(text.contains("billsim replay x") && text.contains("billsim shrink x"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn order_changes_nothing_and_the_worst_verdict_decides() {
    let mut outcomes = vec![
        held("smoke/crash", 1),
        broken("smoke/crash", 2, "L5", Verdict::Liveness),
        broken("smoke/crash", 3, "D1", Verdict::Safety),
        broken("smoke/clock", 4, "D1", Verdict::Safety),
    ];
    let forwards = tally_of(&outcomes);
    outcomes.reverse();
    assert_eq!(forwards, tally_of(&outcomes));
    assert_eq!(forwards.exit_code(), ExitCode::Safety);
    assert_eq!(forwards.failures(), 3);
    let gaps = [Gap::Oracle("D10".to_owned()), Gap::Fault("slow-disk".to_owned())];
    assert_eq!(forwards.gaps(), gaps);
}

#[test]
fn a_verdict_without_an_oracle_is_its_own_cause() {
    let outcome = Outcome { verdict: Verdict::Liveness, ..held("smoke/crash", 1) };
    assert_eq!(cause_of(&outcome).as_deref(), Some("liveness"));
    assert_eq!(cause_of(&held("smoke/crash", 1)), None);
}

#[test]
fn outcomes_are_read_back_and_a_torn_end_is_left_out() {
    let both = [held("smoke/crash", 0), broken("smoke/crash", 1, "D1", Verdict::Safety)];
    let mut text: String = both.iter().map(outcomes::line).collect();
    text.push_str("{\"format\": 1, \"scen");
    assert_eq!(outcomes::read(&text).expect("whole lines are fine"), both);
    text.push('\n');
    let error = outcomes::read(&text).expect_err("now it is a whole line");
    assert!(error.to_string().starts_with("line 3: the outcome is not valid JSON"), "{error}");
}
