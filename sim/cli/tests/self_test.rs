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
