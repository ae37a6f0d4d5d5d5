//! `billsim crash-points` as people and schedulers meet it.

mod tool;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tool::{billsim, code};

fn json(output: &Output) -> Value {
    let words = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

/// The commit path with fewer operations, and with another line replaced.
fn scenario(directory: &Path, line: &str, by: &str) -> PathBuf {
    let text = include_str!("../../../scenarios/disk/commit-path.toml");
    let fewer = text.replace("operations = 16", "operations = 2");
    let edited = fewer.replace(line, by);
    assert_ne!(text, edited);
    let file = directory.join("edited.toml");
    fs::write(&file, edited).unwrap();
    file
}

#[test]
fn every_disk_step_is_visited_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let file = scenario(directory.path(), "", "");
    let file = file.to_str().unwrap();
    let arguments = ["crash-points", file, "--without-recovery", "--show-progress", "none"];
    let output = billsim(&[&arguments[..], &["--format", "json"]].concat());
    let report = json(&output);
    assert_eq!(code(&output), 0, "{report}");
    let figure = |key: &str| report[key].as_u64().unwrap();
    let writes = figure("durable_writes");
    assert!(writes > 100, "{report}");
    assert_eq!((figure("points"), figure("visited")), (3 * writes, 3 * writes));
    assert_eq!(figure("points_in_recovery"), 0);
    assert!(figure("distinct_disks") > 20 && figure("distinct_outcomes") > 100, "{report}");
    let nodes = report["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|of| of["steps"].as_u64().unwrap()).sum::<u64>(), writes);
    for kind in ["write segment", "sync segment", "sync superblock", "write ledger"] {
        assert!(nodes.iter().all(|of| of["kinds"][kind].as_u64() > Some(0)), "{kind}: {report}");
    }
    let words = billsim(&arguments);
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("(100 %)") && words.contains("HELD: "), "{words}");
}

#[test]
fn a_part_is_incomplete_and_a_seed_that_fails_anyhow_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let part = billsim(&["crash-points", "--budget", "0s", "--format", "json"]);
    assert_eq!(code(&part), 20);
    assert_eq!(json(&part)["complete"], false);
    // No election is over in time.
    let hopeless = scenario(directory.path(), "settle_limit_s = 20", "settle_limit_s = 1");
    let hopeless = fs::read_to_string(hopeless)
        .unwrap()
        .replace("segment_bytes", "tick_ms = [500, 500]\nsegment_bytes");
    let file = directory.path().join("hopeless.toml");
    fs::write(&file, hopeless).unwrap();
    let output = billsim(&["crash-points", file.to_str().unwrap(), "--show-progress", "none"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(code(&output), 2, "{words}");
    assert!(words.contains("fails without any crash point"), "{words}");
}

#[test]
fn a_point_of_a_recovery_replays_from_its_plan() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.json");
    let plan = r#"{"format": 1, "scenario": "disk/commit-path", "seed": 3, "faults": [
        {"at_ms": 0, "for_ms": 40, "fault": {"kind": "crash-point", "node": 2, "step": 90,
         "moment": "amid", "again": {"step": 2, "moment": "before"}}}]}"#;
    fs::write(&file, plan).unwrap();
    let arguments = ["replay", file.to_str().unwrap(), "--format", "json"];
    let output = billsim(&[&arguments[..], &["--twice"]].concat());
    let outcome = json(&output);
    assert_eq!(code(&output), 0, "{outcome}");
    assert_eq!(outcome["faults"]["crash-point"]["fired"], 2, "{outcome}");
    assert_eq!(outcome["marks"]["crash-while-opening"], 1);
    fs::write(&file, plan.replace("\"before\"", "\"later\"")).unwrap();
    assert_eq!(code(&billsim(&arguments)), 2, "no such moment");
}

/// A planted bug that only a node can have that died while it wrote.
#[cfg(feature = "canaries")]
#[test]
fn a_bug_that_takes_a_torn_tail_is_found_with_its_replay() {
    let directory = tempfile::tempdir().unwrap();
    let file = scenario(directory.path(), "", "");
    let out = directory.path().join("violations");
    let arguments = [
        "--canary",
        "append-behind-torn-tail",
        "crash-points",
        file.to_str().unwrap(),
        "--without-recovery",
        "--show-progress",
        "none",
        "--format",
        "json",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = billsim(&arguments);
    let report = json(&output);
    assert_eq!(code(&output), 10, "{report}");
    let violations = report["violations"].as_object().unwrap();
    assert!(!violations.is_empty(), "{report}");
    for broken in violations.values() {
        let command = broken["replay"][0].as_str().unwrap();
        assert!(command.contains("--canary append-behind-torn-tail replay"), "{command}");
        let plan = command.split_whitespace().last().unwrap();
        // Such a plan names its scenario by its path.
        let replayed = billsim(&["--canary", "append-behind-torn-tail", "replay", plan]);
        assert_eq!(code(&replayed), 10, "{}", String::from_utf8_lossy(&replayed.stderr));
    }
}
