//! What a shrunk failure looks like to people.

use billsim_record::{Failure, Fault, FaultPlan, NodeNumber, PlannedAction, PlannedFault};
use billsim_reports::shrunk::{Cause, Size, comparison, explanation};

fn failure() -> Failure {
    Failure {
        oracle: "D9".to_owned(),
        promise: "a restart cuts the torn tail that nobody was told of".to_owned(),
        detail: "node 2: durable to index 9, opened with 8".to_owned(),
        transaction: None,
        last_fault: None,
        at_ns: 1_234_000_000,
        event: 99,
        fingerprint: "00c0ffee00c0ffee".to_owned(),
        further: 0,
    }
}

#[test]
fn the_table_sets_before_beside_after() {
    let before = Size { faults: 42, operations: 1_803, clients: 64, simulated_seconds: 60.012_345 };
    let after = Size { faults: 2, operations: 1, clients: 1, simulated_seconds: 0.5 };
    insta::assert_snapshot!(comparison(before, after));
}

#[test]
fn the_explanation_is_three_lines() {
    let failure = failure();
    let offset = Fault::ClockOffset { node: NodeNumber::at(0), offset_ms: -250 };
    let faults = vec![
        PlannedFault { at_ms: 5, for_ms: 10, fault: offset },
        PlannedFault { at_ms: 7, for_ms: 1, fault: Fault::PowerCut { node: NodeNumber::at(1) } },
    ];
    let mut plan = FaultPlan::new("smoke/crash".to_owned(), 7, faults);
    plan.operator = vec![PlannedAction { at_ms: 9, seal: 1 }];
    let told = "client 4 sent a payment of 42.05 EUR; node 3 acknowledged it at 1.000 s.";
    let mut texts = Vec::new();
    for (only, is_minimal) in [(None, false), (Some([3, 7].into()), true), (Some([].into()), true)]
    {
        plan.load.only = only;
        let (is_late, is_bare) = (!is_minimal, is_minimal);
        let cause = Cause { failure: &failure, told, plan: &plan, is_minimal, is_late, is_bare };
        texts.push(explanation(&cause));
    }
    plan.faults.clear();
    plan.operator.clear();
    let (is_minimal, is_late, is_bare) = (true, false, false);
    let cause = Cause { failure: &failure, told, plan: &plan, is_minimal, is_late, is_bare };
    texts.push(explanation(&cause));
    assert!(texts.iter().all(|text| text.lines().count() == 3));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn an_explanation_names_a_few_of_many_faults() {
    let failure = failure();
    let fault = |at_ms| {
        let fault = Fault::PowerCut { node: NodeNumber::at(0) };
        PlannedFault { at_ms, for_ms: 1, fault }
    };
    let mut plan = FaultPlan::new("smoke/crash".to_owned(), 7, (1..=1_000).map(fault).collect());
    plan.load.only = Some((1..=2_000).collect());
    let (told, is_late, is_bare) = ("nothing", false, false);
    let cause = Cause { failure: &failure, told, plan: &plan, is_minimal: false, is_late, is_bare };
    insta::assert_snapshot!(explanation(&cause));
}
