//! What is written is read back as it was; what another release wrote is refused with a reason.

use billsim_record::document::{line, pretty, read};
use billsim_record::manifest::{MANIFEST_FORMAT, SeedPlan};
use billsim_record::outcome::OUTCOME_FORMAT;
use billsim_record::{
    Failure, Fault, FaultPlan, FaultTally, Manifest, NodeNumber, Outcome, PlannedAction,
    PlannedFault, Verdict,
};
use std::collections::BTreeMap;

fn outcome() -> Outcome {
    let failure = Failure {
        oracle: "D2".to_owned(),
        promise: "an acknowledged payment stays".to_owned(),
        detail: "op 7 is gone".to_owned(),
        transaction: Some("op 7".to_owned()),
        last_fault: None,
        at_ns: 12_000_000_007,
        event: 99,
        fingerprint: "00c0ffee00c0ffee".to_owned(),
        further: 2,
    };
    Outcome {
        format: OUTCOME_FORMAT,
        scenario: "smoke/everything".to_owned(),
        seed: u64::MAX,
        canary: None,
        verdict: Verdict::Safety,
        trace_hash: "0123456789abcdef".to_owned(),
        simulated_seconds: 61.25,
        acknowledged: 1_234,
        delivered_messages: 56_789,
        events: 100_000,
        faults: [("kill".to_owned(), FaultTally { armed: 3, fired: 2, observed: 1 })].into(),
        comparisons: [("D2".to_owned(), 17)].into(),
        second_checker: BTreeMap::new(),
        marks: [("leader-elected".to_owned(), 4)].into(),
        write_latency_us: Some([1, 2, 3, 4]),
        geo_latency_us: Some([1, 2, 3, 4]),
        outages: Vec::new(),
        fates: BTreeMap::new(),
        region_recovery_us: None,
        failure: Some(failure),
        stuck: vec!["node 2 has not folded entry 9".to_owned()],
        excuses: [("finality".to_owned(), 1)].into(),
    }
}

fn plan() -> FaultPlan {
    let faults = [
        Fault::PowerCut { node: NodeNumber::at(0) },
        Fault::PowerCutAll,
        Fault::Loss { from: NodeNumber::at(0), to: NodeNumber::at(2), ppm: 1_000 },
        Fault::ClockOffset { node: NodeNumber::at(1), offset_ms: -250 },
        Fault::RegionDestroyed { region: 1 },
    ];
    let faults = faults.into_iter().map(|fault| PlannedFault { at_ms: 5, for_ms: 0, fault });
    let operator = vec![PlannedAction { at_ms: 9, seal: 1 }];
    FaultPlan { operator, ..FaultPlan::new("smoke/crash".to_owned(), 7, faults.collect()) }
}

fn manifest() -> Manifest {
    Manifest {
        format: MANIFEST_FORMAT,
        argv: vec!["billsim".to_owned(), "sweep".to_owned()],
        commit: None,
        binary_hash: "b".to_owned(),
        lock_hash: "l".to_owned(),
        scenario_hashes: [("smoke/steady".to_owned(), "s".to_owned())].into(),
        plan: vec![SeedPlan { scenario: "smoke/steady".to_owned(), seeds_from: 0, seeds_to: 9 }],
        regressions_hash: "r".to_owned(),
        checked_percent: 2,
        waivers: Vec::new(),
        toolchain: "rustc 1.95.0".to_owned(),
        shard: None,
        canary: Some("ack-before-sync".to_owned()),
    }
}

#[test]
fn documents_survive_a_round_trip() {
    let text = line(&outcome());
    assert_eq!(text.lines().count(), 1);
    assert_eq!(read::<Outcome>(&text).expect("reads back"), outcome());
    assert_eq!(read::<FaultPlan>(&pretty(&plan())).expect("reads back"), plan());
    assert_eq!(read::<Manifest>(&pretty(&manifest())).expect("reads back"), manifest());
}

#[test]
fn the_kind_in_the_file_is_the_kind_in_reports() {
    for planned in plan().faults {
        let json = serde_json::to_value(planned.fault).expect("serialises");
        assert_eq!(json["kind"], planned.fault.kind());
    }
}

#[test]
fn every_verdict_has_its_own_name_and_code() {
    use Verdict::{Coverage, Held, Incomplete, Liveness, Nondeterminism, Safety};
    for verdict in [Held, Safety, Liveness, Nondeterminism, Coverage, Incomplete] {
        let json = serde_json::to_value(verdict).expect("serialises");
        assert_eq!(json, verdict.name());
        assert_eq!(verdict.exit_code() as u8 == 0, verdict == Held);
    }
}

fn error_of(text: &str) -> String {
    read::<FaultPlan>(text).expect_err("must be refused").to_string()
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let other = pretty(&plan()).replace("\"format\": 1", "\"format\": 9");
    assert_eq!(
        error_of(&other),
        "the fault plan has format 9, this release reads format 1: use the release that wrote it"
    );
    assert_eq!(
        error_of("{\"faults\": []}"),
        "the fault plan has no number under `format`, so it was not written by billsim"
    );
    assert!(error_of("plan").starts_with("the fault plan is not valid JSON: "));
    let unknown = pretty(&plan()).replace("\"seed\"", "\"sead\"");
    assert!(error_of(&unknown).contains("unknown field `sead`"), "{}", error_of(&unknown));
}

#[test]
fn a_plan_says_of_its_load_only_what_is_not_as_drawn() {
    let mut plan = plan();
    assert!(!line(&plan).contains("load"), "a plan of the whole load is as it always was");
    plan.load.only = Some([7, 3].into());
    plan.load.until_ms = Some(5_000);
    plan.about = Some("what it once showed".to_owned());
    let text = line(&plan);
    assert!(text.contains(r#""load":{"only":[3,7],"until_ms":5000}"#), "{text}");
    assert_eq!(read::<FaultPlan>(&text).unwrap(), plan);
    let typing_error = text.replace("until_ms", "untill_ms");
    let error = read::<FaultPlan>(&typing_error).unwrap_err().to_string();
    assert!(error.contains("unknown field `untill_ms`"), "{error}");
}
