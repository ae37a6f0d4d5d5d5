//! The testbed is given a bug that makes the same seed another run each time: the check of
//! determinism must see it, void every verdict, and show where the runs part. Needs a build with
//! planted bugs:
//!
//! `cargo test --release --target-dir target/canary --package billsim --features canaries
//! --test self_test`
#![cfg(feature = "canaries")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sweep(canary: Option<&str>, out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_billsim"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(["sweep", "smoke/steady", "--seeds", "0..3", "--check-determinism", "100%"]);
    command.args(["--without-regressions", "--show-progress", "none", "--out"]).arg(out);
    if let Some(name) = canary {
        command.args(["--canary", name]);
    }
    command.output().expect("the binary runs")
}

#[test]
fn a_testbed_that_is_not_deterministic_is_found_out_and_the_first_difference_is_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let honest = sweep(None, &directory.path().join("honest"));
    assert_eq!(honest.status.code(), Some(0), "{}", String::from_utf8_lossy(&honest.stderr));
    let out = directory.path().join("planted");
    let planted = sweep(Some("process-wide-counter"), &out);
    let told = String::from_utf8_lossy(&planted.stderr).into_owned();
    assert_eq!(planted.status.code(), Some(12), "{told}");
    let screen = String::from_utf8_lossy(&planted.stdout);
    assert!(screen.contains("the same seed gave trace "), "{screen}");
    let kept = fs::read_to_string(out.join("failures/nondeterminism/divergence.txt")).unwrap();
    assert!(told.contains(kept.trim_end()), "{told}");
    let (head, events) = kept.split_once(": the first ").expect("both runs have events");
    assert!(head.starts_with("smoke/steady, seed ") && head.contains(" -, trace "), "{head}");
    for side in ["\n  - ", "\n  + "] {
        assert!(events.contains(side), "both sides are shown: {kept}");
    }
}

/// A bank that often refuses, and one power cut for all just before the load ends: whatever a node
/// had wrong in memory is mended by then.
const LAST_REPAIR: &str = r#"
about = "Everything starts anew just before the load ends"
require = ["power-cut-all"]

[phases]
safety_s = 20
settle_limit_s = 30

[cluster]
regions = 1
nodes_per_region = 3

[load]
clients = 32
transactions_per_s = [22, 26]
accounts = 20

[load.mix]
payment = 40
open_account = 3
refund = 24

[provider]
slow_percent = 0
refused_percent = 40
lost_percent = 0
answer_lost_percent = 0
lied_percent = 0

[faults.power-cut-all]
percent = 100
at_ms = [19000, 19500]
duration_ms = [100, 300]
"#;

#[test]
fn what_a_restart_repairs_is_found_without_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let scenario = directory.path().join("last-repair.toml");
    fs::write(&scenario, LAST_REPAIR).expect("the scenario is written");
    let run = |canary: Option<&str>, command: &str, rest: &[&str]| {
        let out = directory.path().join(format!("{command}-{}", canary.is_some()));
        let mut billsim = Command::new(env!("CARGO_BIN_EXE_billsim"));
        billsim.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        billsim.arg(command).arg(&scenario).args(["--seeds", "0..4", "--out"]).arg(&out);
        billsim.args(rest);
        if let Some(name) = canary {
            billsim.args(["--canary", name]);
        }
        let output = billsim.output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), told)
    };
    let quiet = ["--without-regressions", "--show-progress", "none"];
    let planted = Some("failed-payout-given-up");
    let (code, _, told) = run(planted, "sweep", &quiet);
    assert_eq!(code, Some(0), "a sweep does not see it: {told}");
    let (code, screen, told) = run(None, "unmask", &[]);
    assert_eq!(code, Some(0), "nothing is masked without the bug: {told}");
    assert!(screen.contains("4 seeds held; 4 more runs without what repairs, 0"), "{screen}");
    let (code, screen, told) = run(planted, "unmask", &[]);
    assert_eq!(code, Some(10), "{screen}{told}");
    assert!(screen.contains("4 seeds held; 4 more runs without what repairs, "), "{screen}");
    assert!(screen.contains("\n  A5   "), "{screen}");
}
