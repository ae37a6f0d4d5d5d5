//! A failure in one file: what goes in comes out, and what is no failure is refused.

use billsim_record::simfail::SIMFAIL_FORMAT;
use billsim_record::{FaultPlan, Outcome, SimFail, document};

fn failure() -> SimFail {
    let outcome = r#"{"format":1,"scenario":"smoke/crash","seed":7,"verdict":"safety",
        "trace_hash":"0000000000000007","simulated_seconds":1.5,"acknowledged":3,
        "delivered_messages":4,"events":5,"faults":{},"comparisons":{},"marks":{},
        "write_latency_us":null,"failure":null,"stuck":[]}"#;
    let outcome: Outcome = document::read(outcome).expect("it has the shape");
    SimFail {
        format: SIMFAIL_FORMAT,
        binary_hash: "b".repeat(64),
        lock_hash: "c".repeat(64),
        commit: None,
        scenario: "about = \"x\"\n".to_owned(),
        plan: FaultPlan::new("smoke/crash".to_owned(), 7, Vec::new()),
        outcome,
        events: String::new(),
    }
}

#[test]
fn what_is_packed_is_unpacked_and_equal_failures_are_equal_files() {
    let packed = failure().pack().unwrap();
    assert_eq!(SimFail::unpack(&packed).unwrap(), failure());
    assert_eq!(packed, failure().pack().unwrap());
}

#[test]
fn what_is_no_failure_is_refused() {
    let packed = failure().pack().unwrap();
    for length in [0, 1, 20, packed.len() - 1] {
        let told = SimFail::unpack(&packed[..length]).unwrap_err().to_string();
        assert!(told.contains("no `.simfail`, or was cut off"), "{length}: {told}");
    }
    let other = SimFail { format: 99, ..failure() }.pack().unwrap();
    let told = SimFail::unpack(&other).unwrap_err().to_string();
    assert!(told.contains("format 99, this release reads format 1"), "{told}");
}
