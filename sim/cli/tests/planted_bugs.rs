//! Shrinking what planted bugs break, from a red seed to a plan that a person can read. Needs a
//! build with planted bugs, and a fast one:
//!
//! `cargo test --release --target-dir target/canary --package billsim --features canaries
//! --test planted_bugs -- --test-threads 1`
#![cfg(feature = "canaries")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Seeds that are looked at for a red one that is large enough.
const SEEDS: u64 = 400;
/// The scenario in which most planted bugs are shown.
const EVERYTHING: &str = "smoke/everything";
/// Seeds that are swept at a time.
const WINDOW: u64 = 8;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn billsim(canary: Option<&str>, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_billsim"));
    command.current_dir(directory).args(arguments);
    if let Some(name) = canary {
        command.args(["--canary", name]);
    }
    command.output().expect("the binary runs")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr))
    })
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// Failures' directories of seeds that this oracle finds red after at least 20 planned faults and
/// 500 acknowledged writes; `from` is where there was one when this was written.
fn large_failures(
    canary: &str,
    scenario: &str,
    oracle: &str,
    from: u64,
    runs: &Path,
) -> impl Iterator<Item = PathBuf> {
    let sweep = move |first: u64, last: u64, out: &Path| {
        let (seeds, out) = (format!("{first}..{last}"), out.to_str().unwrap());
        let arguments = ["sweep", scenario, "--seeds", &seeds, "--out", out];
        let quiet =
            ["--without-regressions", "--check-determinism", "0%", "--show-progress", "none"];
        billsim(Some(canary), &root(), &[&arguments[..], &quiet].concat());
        fs::read_to_string(Path::new(out).join("outcomes.jsonl")).expect("the sweep ran")
    };
    let is_large = move |outcome: &Value| {
        let faults = outcome["faults"].as_object().unwrap().values();
        let armed: u64 = faults.map(|tally| tally["armed"].as_u64().unwrap()).sum();
        let acknowledged = outcome["acknowledged"].as_u64().unwrap();
        outcome["failure"]["oracle"] == oracle && armed >= 20 && acknowledged >= 500
    };
    let windows = (from..from + SEEDS).step_by(WINDOW as usize);
    windows.flat_map(move |first| {
        let outcomes = sweep(first, first + WINDOW, &runs.join(format!("from-{first}")));
        let outcomes: Vec<Value> =
            outcomes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let large = outcomes.into_iter().filter(is_large);
        // One at a time: the directory of many seeds keeps one failure of each cause.
        large.map(move |outcome| {
            let seed = outcome["seed"].as_u64().unwrap();
            let out = runs.join(format!("seed-{seed}"));
            sweep(seed, seed + 1, &out);
            let mut found = fs::read_dir(out.join("failures")).unwrap().flatten();
            found.next().expect("one seed, one cause").path()
        })
    })
}

/// A small plan of a large failure, with what `shrink` said of it. Where many faults together
/// make chance fall one way, a seed may need more of them: one in three is allowed to.
fn small_failure(
    canary: &str,
    scenario: &str,
    oracle: &str,
    from: u64,
    runs: &Path,
) -> (PathBuf, Value) {
    let mut larger = Vec::new();
    for failure in large_failures(canary, scenario, oracle, from, runs).take(3) {
        let shown = failure.to_str().unwrap();
        let quiet = ["--show-progress", "none", "--format", "json"];
        let output = billsim(Some(canary), &root(), &[&["shrink", shown][..], &quiet].concat());
        let report = json(&output);
        let sizes = |key: &str| [0, 1].map(|side| report[key][side].as_u64().unwrap());
        let ([faults, fewer_faults], [operations, fewer]) = (sizes("faults"), sizes("operations"));
        assert!(faults >= 20 && operations >= 500, "{report}");
        if code(&output) == 0 && fewer_faults <= 5 && fewer <= 10 {
            return (failure, report);
        }
        larger.push(report);
    }
    panic!("none of {canary} by {oracle} became small: {larger:#?}")
}

/// From a red seed to a small plan, which replays exactly, and alone, and is green without the
/// bug; filed, it is red with the bug and green without. `cause` is what must be named as that.
/// Returns the failure's directory.
fn assert_shrinks(
    (canary, scenario, oracle): (&str, &str, &str),
    from: u64,
    cause: &str,
    runs: &Path,
) -> PathBuf {
    let (failure, report) = small_failure(canary, scenario, oracle, from, runs);
    assert_eq!(report["is_minimal"], true);
    let explanation = fs::read_to_string(failure.join("explanation.txt")).unwrap();
    assert_eq!(explanation.lines().count(), 3, "{explanation}");
    assert!(explanation.contains(&format!("Broken promise {oracle}:")), "{explanation}");
    let takes = explanation.lines().last().unwrap();
    assert!(takes.starts_with("It takes exactly this") && takes.contains(cause), "{explanation}");
    let page = fs::read_to_string(failure.join("timeline.html")).unwrap();
    assert!(page.contains("What it takes") && page.contains(cause), "the page says so, too");
    let small = failure.join("shrunk.json");
    let small = small.to_str().unwrap();
    let replayed = billsim(Some(canary), &root(), &["replay", small, "--format", "json"]);
    assert!([10, 11].contains(&code(&replayed)));
    assert_eq!(json(&replayed)["failure"]["fingerprint"], report["fingerprint"]);
    assert!(String::from_utf8_lossy(&replayed.stderr).contains("replay: exact"));
    let alone = runs.join("alone.json");
    fs::copy(small, &alone).unwrap();
    let alone = alone.to_str().unwrap();
    assert_eq!(code(&billsim(Some(canary), &root(), &["replay", alone])), code(&replayed));
    assert_eq!(code(&billsim(None, &root(), &["replay", alone])), 0, "green without the bug");
    assert_is_filed(canary, scenario, oracle, &failure, runs);
    failure
}

/// As a regression, in a tree of its own: every sweep is red with the bug, and green without.
fn assert_is_filed(canary: &str, scenario: &str, oracle: &str, failure: &Path, runs: &Path) {
    let tree = runs.join("tree");
    fs::create_dir_all(tree.join("scenarios/smoke")).unwrap();
    fs::create_dir_all(tree.join("scenarios/regressions")).unwrap();
    let scenario = format!("{scenario}.toml");
    for file in ["profiles.toml", "smoke/steady.toml", &scenario] {
        fs::copy(root().join("scenarios").join(file), tree.join("scenarios").join(file)).unwrap();
    }
    let canary = Some(canary);
    let plan = failure.join("shrunk.json");
    let add = ["corpus", "add", plan.to_str().unwrap(), "--name", "as-it-was"];
    assert_eq!(code(&billsim(None, &tree, &add)), 2, "it holds without the bug");
    let mended = [&add[..], &["--fixed"]].concat();
    assert_eq!(code(&billsim(canary, &tree, &mended)), 2, "it is not mended");
    let filed = billsim(canary, &tree, &add);
    assert_eq!(code(&filed), 0, "{}", String::from_utf8_lossy(&filed.stderr));
    let told = String::from_utf8_lossy(&filed.stdout).into_owned();
    assert!(told.contains(&format!("{oracle}: ")), "{told}");
    assert_eq!(code(&billsim(canary, &tree, &add)), 2, "it is never replaced");
    let sweep = ["sweep", "smoke/steady", "--seeds", "0..1", "--show-progress", "none"];
    assert_eq!(code(&billsim(None, &tree, &sweep)), 0, "green without the bug");
    let red = code(&billsim(canary, &tree, &sweep));
    assert!([10, 11].contains(&red), "the regression runs first, and fails: {red}");
}

#[test]
fn an_order_that_breaks_shrinks() {
    let runs = tempfile::tempdir().unwrap();
    // Where clocks are all that is wrong: among other faults it takes many of them together.
    let bug = ("hlc-not-above-log", "smoke/clock", "O1");
    assert_shrinks(bug, 18, "clock-", runs.path());
}

#[test]
fn a_cluster_that_stands_still_shrinks() {
    let runs = tempfile::tempdir().unwrap();
    let bug = ("deposed-node-never-campaigns", EVERYTHING, "L5");
    // Two nodes are left, and one of them was deposed once.
    assert_shrinks(bug, 6, "the end of every run: a node is lost", runs.path());
}

#[test]
fn a_read_that_forgets_shrinks() {
    let runs = tempfile::tempdir().unwrap();
    let bug = ("session-read-hides-its-gap", EVERYTHING, "R3");
    assert_shrinks(bug, 10, "operations of the load", runs.path());
}

#[test]
fn a_loss_shrinks_step_by_step_to_the_same() {
    let canary = Some("acknowledged-tail-cut");
    let runs = tempfile::tempdir().unwrap();
    let bug = ("acknowledged-tail-cut", EVERYTHING, "D9");
    let failure = assert_shrinks(bug, 6, "power-cut", runs.path());
    let shown = failure.to_str().unwrap();
    let small = fs::read_to_string(failure.join("shrunk.json")).unwrap();
    let explanation = fs::read_to_string(failure.join("explanation.txt")).unwrap();
    assert!(explanation.contains("In what was lost: client"), "{explanation}");

    let out = runs.path().join("in-steps");
    let out = out.to_str().unwrap();
    let steps = ["shrink", shown, "--out", out, "--jobs", "1", "--show-progress", "none"];
    let first = billsim(canary, &root(), &[&steps[..], &["--max-runs", "25"]].concat());
    assert_eq!(code(&first), 20, "25 runs are not enough");
    let second = billsim(canary, &root(), &steps);
    assert_eq!(code(&second), 0);
    assert!(String::from_utf8_lossy(&second.stderr).contains("going on after"));
    assert_eq!(fs::read_to_string(format!("{out}/shrunk.json")).unwrap(), small);
}
