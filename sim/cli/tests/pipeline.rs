//! The pipeline canary: a scenario that always fails. If it were told as anything else anywhere
//! between a seed and the gate, no green would mean anything.

mod tool;

use std::fs;
use tool::{billsim, code};

#[test]
fn a_sweep_that_fails_is_red_at_every_end() {
    let directory = tempfile::tempdir().unwrap();
    // Nothing converges within a second of the last fault.
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let text = text.replace("safety_s = 60", "safety_s = 10");
    let scenario = directory.path().join("hopeless.toml");
    fs::write(&scenario, text.replace("settle_limit_s = 30", "settle_limit_s = 1")).unwrap();
    let run = directory.path().join("run");
    let [scenario, out] = [&scenario, &run].map(|path| path.to_str().unwrap());
    let sweep = ["sweep", scenario, "--seeds", "0..12", "--without-regressions"];
    let swept =
        billsim(&[&sweep[..], &["--without-waivers", "--shard", "1/1", "--out", out]].concat());
    let screen = String::from_utf8_lossy(&swept.stdout).into_owned();
    assert_eq!(code(&swept), 11, "{screen}");
    assert!(screen.contains("LIVENESS") && !screen.contains("HELD"), "{screen}");

    let failures = fs::read_dir(run.join("failures")).unwrap().flatten();
    let names = failures.map(|entry| entry.file_name().into_string().unwrap());
    let first = names.min().expect("what failed is kept");
    let oracle = first.split('-').next().unwrap();
    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    for report in ["report.html", "summary.md", "summary.txt", "junit.xml", "metrics.prom"] {
        let text = read(report);
        assert!(text.contains(oracle), "{report} does not name {oracle}: {text}");
    }
    assert!(!read("junit.xml").contains(" failures=\"0\""));

    // Whoever has only what is stored comes to the same end.
    let merged = directory.path().join("merged");
    let merged = merged.to_str().unwrap();
    for (command, expected) in [
        (&["merge", out, "--out", merged][..], 11),
        (&["report", merged], 0),
        (&["gate", merged], 11),
    ] {
        let output = billsim(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), expected, "{command:?}: {said}");
        assert!(command[0] != "gate" || said.contains("CLOSED"), "{said}");
    }
    let replayed = billsim(&["replay", run.join("failures").join(&first).to_str().unwrap()]);
    assert_eq!(code(&replayed), 11, "{}", String::from_utf8_lossy(&replayed.stdout));
}
