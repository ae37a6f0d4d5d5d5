//! The command line as people and schedulers meet it: what it says, how it ends, what it leaves.

mod tool;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tool::{billsim, code, command};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A scenario file that is like the smallest one, but for one line.
fn scenario_with(directory: &Path, line: &str) -> String {
    let text = include_str!("../../../scenarios/smoke/steady.toml");
    let path = directory.join("edited.toml");
    fs::write(&path, format!("{line}\n{text}")).expect("a temporary directory is writable");
    path.display().to_string()
}

#[test]
fn wrong_input_is_told_what_where_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage.json");
    fs::write(&garbage, "{").unwrap();
    let other_format = directory.path().join("old.json");
    fs::write(&other_format, r#"{"format":99,"scenario":"x","seed":1,"faults":[]}"#).unwrap();
    let edited = scenario_with(directory.path(), "abuot = \"a typing error\"");
    let steady = directory.path().join("steady.json");
    let plan = r#"{"format":1,"scenario":"smoke/steady","seed":1,"load":{"only":[]},"faults":[]}"#;
    fs::write(&steady, plan).unwrap();
    let typing_error = directory.path().join("typing-error.json");
    fs::write(&typing_error, plan.replace("only", "onyl")).unwrap();
    let a_run = directory.path().join("run");
    fs::create_dir_all(a_run.join("failures/D1-00c0ffee00c0ffee")).unwrap();
    // A gzip that was cut off behind its header.
    let packed = directory.path().join("sent-by-mail");
    fs::write(&packed, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).unwrap();
    let packed = packed.display().to_string();
    let cases: Vec<(&str, Vec<&str>)> = vec![
        ("unknown scenario", vec!["run", "smoke/nothing"]),
        ("unknown key", vec!["run", &edited]),
        ("unknown profile", vec!["sweep", "--profile", "nothing"]),
        ("empty range", vec!["sweep", "--seeds", "5..5"]),
        ("no range", vec!["bench", "--seeds", "5"]),
        ("no such revision", vec!["bench", "--compare", "no-such-revision"]),
        ("rounds of one", vec!["bench", "--rounds", "3"]),
        ("nearly a scenario", vec!["run", "smoke/stedy"]),
        ("missing plan", vec!["replay", "no/such/plan.json"]),
        ("no failure at all", vec!["show", "scenarios"]),
        ("a run instead of a failure", vec!["replay", a_run.to_str().unwrap()]),
        ("a packed failure instead of a plan", vec!["corpus", "add", &packed, "--name", "x"]),
        ("a packed failure by another name", vec!["replay", &packed]),
        ("garbage plan", vec!["replay", garbage.to_str().unwrap()]),
        ("plan of another format", vec!["replay", other_format.to_str().unwrap()]),
        ("canary without canaries", vec!["--canary", "ack-before-sync", "run", "smoke/steady"]),
        ("shrinking what holds", vec!["shrink", steady.to_str().unwrap()]),
        ("no name", vec!["corpus", "add", steady.to_str().unwrap(), "--name", "../up"]),
        ("unknown key of a load", vec!["replay", typing_error.to_str().unwrap()]),
        ("bad log filter", vec!["run", "smoke/steady", "--log", "a=b=c"]),
    ];
    let mut text = String::new();
    for (name, arguments) in cases {
        let output = billsim(&arguments);
        assert_eq!(code(&output), 2, "{name}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{name} prints its error on stderr only");
        text.push_str(&format!("== {name}\n{}\n", stderr(&output)));
    }
    // The number of scenarios grows: that it is told is enough.
    let lines = text.split('\n').map(|line| match line.split_once(" names all ") {
        Some((said, count)) => {
            let perhaps = count.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{said} names all SCENARIOS{perhaps}")
        }
        None => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let place = directory.path().display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let text = text.replace(&place, "DIRECTORY").replace(&root.display().to_string(), "ROOT");
    insta::assert_snapshot!(text);
}

#[test]
fn one_seed_is_one_document_and_the_same_in_another_process() {
    let arguments = ["run", "smoke/everything", "--seed", "11", "--format", "json"];
    let (first, second) = (billsim(&arguments), billsim(&arguments));
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    assert_eq!(first.stdout, second.stdout, "same seed, other process");
    let outcome: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    for key in [
        "verdict",
        "trace_hash",
        "simulated_seconds",
        "acknowledged",
        "delivered_messages",
        "faults",
        "comparisons",
        "marks",
    ] {
        assert!(!outcome[key].is_null(), "{key} is missing");
    }
    assert!(outcome["simulated_seconds"].as_f64().unwrap() >= 60.0);
    assert!(outcome["acknowledged"].as_u64().unwrap() >= 1_000);
}

#[test]
fn a_sweep_leaves_a_directory_that_tells_what_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let out = out.to_str().unwrap();
    let arguments =
        ["sweep", "smoke/crash", "--seeds", "0..4", "--without-regressions", "--out", out];
    let output = billsim(&arguments);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(format!("{out}/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["plan"][0]["seeds_to"], 4);
    let outcomes = fs::read_to_string(format!("{out}/outcomes.jsonl")).unwrap();
    assert_eq!(outcomes.lines().count(), 4);
    assert!(Path::new(&format!("{out}/latency/smoke-crash.hdr")).is_file());
    assert!(Path::new(&format!("{out}/summary.txt")).is_file());
    let names =
        ["report.html", "summary.md", "junit.xml", "metrics.prom", "latency/smoke-crash.txt"];
    let reports = || names.map(|name| fs::read_to_string(format!("{out}/{name}")).unwrap());
    let written = reports();
    names.iter().for_each(|name| fs::remove_file(format!("{out}/{name}")).unwrap());
    let made = billsim(&["report", out]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert_eq!(reports(), written, "made again of what is stored");
    let again = billsim(&arguments);
    assert_eq!(code(&again), 2, "a directory holds one run");
    assert!(stderr(&again).contains("already holds a run"), "{}", stderr(&again));
}

/// A run that must fail: faults until the end, and a second to recover from all of them.
fn hopeless(directory: &Path) -> PathBuf {
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let hopeless = text.replace("settle_limit_s = 30", "settle_limit_s = 1");
    assert_ne!(text, hopeless);
    let file = directory.join("hopeless.toml");
    fs::write(&file, hopeless).unwrap();
    file
}

#[test]
fn a_run_that_fails_leaves_its_story() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = hopeless(directory.path());
    let out = directory.path().join("failure");
    let [scenario, out] = [&scenario, &out].map(|path| path.to_str().unwrap());
    let output = billsim(&["run", scenario, "--seed", "3", "--out", out]);
    assert_eq!(code(&output), 11, "{}", stderr(&output));
    let screen = String::from_utf8(output.stdout).unwrap();
    let last = screen.split("\nLIVENESS").last().unwrap();
    assert!(last.lines().count() <= 24, "{last}");
    assert!(last.contains(&format!("replay {out}")), "{last}");
    assert!(last.contains(&format!("{out}/timeline.html")), "{last}");
    let read = |name: &str| fs::read_to_string(format!("{out}/{name}")).unwrap();
    let outcome: serde_json::Value = serde_json::from_str(&read("outcome.json")).unwrap();
    let events: Vec<serde_json::Value> =
        read("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["trace_hash"], outcome["trace_hash"], "told, it is the same run");
    let violation = events.iter().find(|event| event["kind"] == "violation").unwrap();
    assert_eq!(violation["event"], outcome["failure"]["event"]);
    let pages = ["timeline.html", "trace.json"];
    let written = pages.map(read);
    let made = billsim(&["report", out]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert_eq!(pages.map(read), written, "made again of what is stored");
}

#[test]
fn a_packed_failure_is_all_that_another_machine_needs() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("failure");
    let scenario = hopeless(directory.path());
    let run = ["run", scenario.to_str().unwrap(), "--seed", "3", "--out", out.to_str().unwrap()];
    assert_eq!(code(&billsim(&run)), 11);
    let packed = directory.path().join("sent.simfail");
    fs::copy(out.join("failure.simfail"), &packed).unwrap();
    fs::remove_dir_all(&out).unwrap();
    fs::remove_file(&scenario).unwrap();
    let packed = packed.to_str().unwrap();
    // Nothing but that file: not even the source tree.
    let alone = |arguments: &[&str]| {
        command(arguments).current_dir(directory.path()).output().expect("the binary runs")
    };
    let replayed = alone(&["replay", packed, "--twice"]);
    assert_eq!(code(&replayed), 11, "{}", stderr(&replayed));
    for words in ["twice the same", "exact, same binary"] {
        assert!(stderr(&replayed).contains(words), "{}", stderr(&replayed));
    }
    let shown = alone(&["show", packed]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    assert!(text.contains("LIVENESS") && text.contains("BREAKS"), "{text}");
    let same = alone(&["diff", packed, packed]);
    assert!(String::from_utf8_lossy(&same.stdout).ends_with("the same events at the same times\n"));
    let at = alone(&["replay", packed, "--at", "2.5s"]);
    let text = String::from_utf8_lossy(&at.stdout).into_owned();
    assert_eq!(code(&at), 0, "{}", stderr(&at));
    assert!(text.contains("at 2.500 s") && text.contains("node 3: "), "{text}");
    let until = alone(&["replay", packed, "--until", "2500ms", "--format", "json"]);
    assert_eq!(code(&until), 20, "it neither failed nor came to its end");
    let outcome: serde_json::Value = serde_json::from_slice(&until.stdout).unwrap();
    assert_eq!(outcome["simulated_seconds"], 2.5);
    // A minute is enough to recover.
    let varied = alone(&["replay", packed, "--vary", "phases.settle_limit_s=60"]);
    assert_eq!(code(&varied), 0, "{}", stderr(&varied));
    assert!(stderr(&varied).contains("FIXED"), "{}", stderr(&varied));
    let wrong = alone(&["replay", packed, "--vary", "phases.settle_limit=60"]);
    assert_eq!(code(&wrong), 2);
    assert!(stderr(&wrong).contains("settle_limit_s"), "{}", stderr(&wrong));
}

#[test]
fn a_transaction_is_followed_and_a_broken_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("failure");
    let scenario = hopeless(directory.path());
    let run = ["run", scenario.to_str().unwrap(), "--seed", "3", "--out", out.to_str().unwrap()];
    assert_eq!(code(&billsim(&run)), 11);
    let events = fs::read_to_string(out.join("events.jsonl")).unwrap();
    let head: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    let op_id = head["transaction"].as_str().expect("it is about one");
    let out = out.to_str().unwrap();
    let followed = billsim(&["show", out, "--transaction", op_id]);
    let text = String::from_utf8_lossy(&followed.stdout).into_owned();
    assert_eq!(code(&followed), 0, "{}", stderr(&followed));
    assert!(text.contains("synced on node") && text.contains("asks"), "{text}");
    let foreign = "00000000-0000-0000-0000-000000000001";
    let foreign = billsim(&["show", out, "--transaction", foreign]);
    assert_eq!(code(&foreign), 2);
    assert!(stderr(&foreign).contains("no client of this run"), "{}", stderr(&foreign));
    let torn = directory.path().join("torn.simfail");
    let whole = fs::read(Path::new(out).join("failure.simfail")).unwrap();
    fs::write(&torn, &whole[..whole.len() / 2]).unwrap();
    let read = billsim(&["show", torn.to_str().unwrap()]);
    assert_eq!(code(&read), 2);
    assert!(stderr(&read).contains("was cut off"), "{}", stderr(&read));
    // Through a pipe, whole or cut off, it is known by what it is.
    for (length, expected) in [(whole.len(), 11), (whole.len() / 2, 2)] {
        let mut pipe = command(&["replay", "/dev/stdin"]);
        let pipe = pipe.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = pipe.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&whole[..length]).unwrap();
        let read = child.wait_with_output().unwrap();
        assert_eq!(code(&read), expected, "{}", stderr(&read));
        assert_eq!(expected == 2, stderr(&read).contains("was cut off"), "{}", stderr(&read));
    }
}

#[test]
fn what_is_left_of_a_run_is_not_called_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("1");
    let shown = out.to_str().unwrap();
    let sweep = ["sweep", "smoke/steady", "--seeds", "0..2", "--without-regressions", "--shard"];
    let run =
        billsim(&[&sweep[..], &["1/1", "--check-determinism", "0%", "--out", shown]].concat());
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let outcomes = out.join("outcomes.jsonl");
    let whole = fs::read(&outcomes).unwrap();
    fs::write(&outcomes, &whole[..whole.len() - 100]).unwrap();
    let merged = directory.path().join("merged");
    let merge = ["merge", "--out", merged.to_str().unwrap(), shown];
    for arguments in [&["report", shown][..], &["gate", shown], &merge] {
        let output = billsim(arguments);
        assert_eq!(code(&output), 2, "{arguments:?} {}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains("outcomes.jsonl: 1 of the 2 outcomes"), "{told}");
    }
    assert!(!merged.exists(), "nothing was merged");
    fs::remove_file(out.join("conclusion.json")).unwrap();
    let report = billsim(&["report", shown]);
    assert_eq!(code(&report), 2, "its checkpoint knows better");
    assert!(stderr(&report).contains("something was taken from it"), "{}", stderr(&report));
}

#[test]
fn an_explanation_names_the_faults_that_it_takes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.json");
    fs::copy(hopeless(directory.path()), directory.path().join("scenario.toml")).unwrap();
    // A tenth of a second matters to nobody.
    let text = r#"{"format":1,"scenario":"smoke/everything","seed":3,"load":{"until_ms":4000},
        "faults":[{"at_ms":1000,"for_ms":100,"fault":{"kind":"pause","node":1}}]}"#;
    fs::write(&file, text).unwrap();
    let held = billsim(&["explain", file.to_str().unwrap()]);
    assert_eq!(code(&held), 2, "{}", String::from_utf8_lossy(&held.stdout));
    assert!(stderr(&held).contains("there is nothing to explain"), "{}", stderr(&held));
    let out = directory.path().join("failure");
    let scenario = hopeless(directory.path());
    let run = ["run", scenario.to_str().unwrap(), "--seed", "3", "--out", out.to_str().unwrap()];
    assert_eq!(code(&billsim(&run)), 11);
    let output = billsim(&["explain", out.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["lines"].as_array().unwrap().len(), 3);
    let needs = told["needs"].as_array().unwrap();
    assert!(needs.len() < told["parts"].as_u64().unwrap() as usize / 2, "{told}");
    assert!(needs.iter().all(|need| need[1] != "fails the same"), "{told}");
    let page = || fs::read_to_string(out.join("timeline.html")).unwrap();
    assert!(!page().contains("What it takes"), "nobody knows yet");
    let shrunk = billsim(&["shrink", out.to_str().unwrap(), "--show-progress", "none"]);
    assert_eq!(code(&shrunk), 0, "{}", stderr(&shrunk));
    let words = fs::read_to_string(out.join("explanation.txt")).unwrap();
    let takes = words.lines().last().unwrap();
    assert!(page().contains("What it takes") && page().contains(takes), "{takes}");
    assert!(page().contains("corpus add") && !page().contains("smallest plan that it takes"));
}

#[test]
fn a_directory_without_a_run_has_no_reports() {
    let directory = tempfile::tempdir().unwrap();
    let output = billsim(&["report", directory.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("neither a run"), "{}", stderr(&output));
}

#[test]
fn what_once_failed_runs_first() {
    let one_by_one = ["--jobs", "1", "--format", "json"];
    let sweep = ["sweep", "smoke/steady", "--seeds", "9..10"];
    let output = billsim(&[&sweep[..], &one_by_one].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let outcomes: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, regressions) = outcomes.split_last().unwrap();
    assert_eq!((last["scenario"].as_str(), last["seed"].as_u64()), (Some("smoke/steady"), Some(9)));
    let files = fs::read_dir("../../scenarios/regressions").unwrap().flatten();
    let plans = files.filter(|file| file.path().extension().is_some_and(|e| e == "json")).count();
    assert!(plans > 0);
    assert_eq!(regressions.len(), plans);
}

#[test]
fn an_interrupted_sweep_is_incomplete_and_usable() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let mut child = command(&["sweep", "smoke/steady", "--seeds", "0..100000", "--jobs", "1"])
        .args(["--out", out.to_str().unwrap(), "--show-progress", "none"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let outcomes = out.join("outcomes.jsonl");
    let lines = || fs::read_to_string(&outcomes).map_or(0, |text| text.lines().count());
    for _ in 0..600 {
        if lines() >= 2 {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(20));
    let text = fs::read_to_string(&outcomes).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() >= 2, "whole lines only");
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn a_stored_plan_replays_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    let run = ["run", "smoke/crash", "--seed", "6", "--format", "json", "--write-plan", plan];
    let drawn = billsim(&run);
    let replayed = billsim(&["replay", plan, "--format", "json"]);
    assert_eq!(code(&replayed), 0, "{}", stderr(&replayed));
    assert_eq!(drawn.stdout, replayed.stdout);
}

#[test]
fn a_plan_can_leave_out_operations_clients_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.json");
    let text = r#"{"format":1,"scenario":"smoke/crash","seed":6,
        "load":{"only":[1,2,3,4,5,6,7,8,9],"clients":2,"until_ms":4000},"faults":[]}"#;
    fs::write(&plan, text).unwrap();
    let replayed = billsim(&["replay", plan.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code(&replayed), 0, "{}", stderr(&replayed));
    let outcome: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    let acknowledged = outcome["acknowledged"].as_u64().unwrap();
    assert!((5..=13).contains(&acknowledged), "9 operations and 4 proofs of life: {acknowledged}");
    assert!(outcome["simulated_seconds"].as_f64().unwrap() < 10.0);
}

/// A source tree with one scenario and no regressions.
fn small_tree(directory: &Path) {
    let scenarios = directory.join("scenarios");
    fs::create_dir_all(scenarios.join("smoke")).unwrap();
    fs::create_dir_all(scenarios.join("regressions")).unwrap();
    let text = include_str!("../../../scenarios/smoke/steady.toml");
    fs::write(scenarios.join("smoke/steady.toml"), text).unwrap();
}

#[test]
fn a_mended_plan_is_filed_once_and_with_its_story() {
    let directory = tempfile::tempdir().unwrap();
    small_tree(directory.path());
    let text = r#"{"format":1,"scenario":"smoke/steady","seed":1,"load":{"until_ms":2000},
        "faults":[]}"#;
    fs::write(directory.path().join("plan.json"), text).unwrap();
    let add = |more: &[&str]| {
        let mut all = vec!["corpus", "add", "plan.json", "--name", "stale-read"];
        all.extend(more);
        command(&all).current_dir(directory.path()).output().expect("the binary runs")
    };
    let held = add(&[]);
    assert_eq!(code(&held), 2);
    assert!(stderr(&held).contains("it holds here"), "{}", stderr(&held));
    let silent = add(&["--fixed"]);
    assert_eq!(code(&silent), 2);
    assert!(stderr(&silent).contains("--about"), "{}", stderr(&silent));
    let filed = add(&["--fixed", "--about", "a read was stale"]);
    assert_eq!(code(&filed), 0, "{}", stderr(&filed));
    let file = directory.path().join("scenarios/regressions/stale-read.json");
    let stored: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(stored["about"], "a read was stale");
    assert_eq!(stored["load"]["until_ms"], 2000);
    let again = add(&["--fixed", "--about", "another"]);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("is there already"), "{}", stderr(&again));
}

#[test]
fn the_gate_is_closed_for_a_part_of_a_profile_and_its_evidence_can_be_checked() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let out = run.to_str().unwrap();
    let sweep = ["sweep", "smoke/steady", "--seeds", "0..3", "--without-regressions"];
    let swept = billsim(&[sweep.as_slice(), &["--out", out]].concat());
    assert_eq!(code(&swept), 0, "{}", stderr(&swept));
    let gated = billsim(&["gate", out]);
    let said = String::from_utf8_lossy(&gated.stdout).into_owned();
    assert_eq!(code(&gated), 13, "oracles that saw nothing are worse than seeds that are missing");
    assert!(said.contains("FAILS  all of the profile was run"), "{said}");
    assert!(said.contains("CLOSED"), "{said}");
    let evidence = run.join("evidence.json");
    let checked = billsim(&["gate", "--recheck", evidence.to_str().unwrap(), "--sample", "50%"]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    let text = fs::read_to_string(&evidence).unwrap();
    fs::write(&evidence, text.replace("\"holds\": false", "\"holds\": true")).unwrap();
    let tampered = billsim(&["gate", "--recheck", evidence.to_str().unwrap()]);
    assert_eq!(code(&tampered), 2);
    assert!(stderr(&tampered).contains("part 'claims' was changed"), "{}", stderr(&tampered));
    let absent = billsim(&["gate", directory.path().to_str().unwrap()]);
    assert!(stderr(&absent).contains("no run of a sweep"), "{}", stderr(&absent));
}
