//! A sweep in shards is the sweep: one of them killed and resumed, one run twice, merged in two
//! orders and in two steps.

mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tool::{billsim, code};

const SHARDS: u32 = 5;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

fn sweep(scenario: &Path, out: &Path, more: &[&str]) -> Output {
    let arguments = ["sweep", text(scenario), "smoke/crash", "--seeds", "0..12"];
    let quiet = ["--without-regressions", "--check-determinism", "20%", "--out", text(out)];
    billsim(&[&arguments[..], &quiet, more].concat())
}

fn merge(out: &Path, runs: &[&Path]) -> Output {
    let runs: Vec<&str> = runs.iter().map(|run| text(run)).collect();
    billsim(&[&["merge", "--out", text(out)], runs.as_slice()].concat())
}

/// All of a run that must not depend on how it was split, by name of file.
fn lasting(out: &Path) -> Vec<(String, String)> {
    let read = |name: &str| {
        let text = fs::read_to_string(out.join(name)).unwrap();
        text.replace(&out.display().to_string(), "RUN")
    };
    let mut outcomes: Vec<String> = read("outcomes.jsonl").lines().map(str::to_owned).collect();
    outcomes.sort();
    let metrics = read("metrics.prom");
    let metrics = metrics.lines().filter(|line| !line.starts_with("billsim_wall_seconds "));
    let page = read("report.html");
    let (page, _) = page.split_once("<footer>").unwrap();
    let speed = |line: &&str| !line.contains("as fast as real time");
    let mut files = vec![
        ("outcomes".to_owned(), outcomes.join("\n")),
        ("metrics".to_owned(), metrics.collect::<Vec<_>>().join("\n")),
        ("report".to_owned(), page.lines().filter(speed).collect::<Vec<_>>().join("\n")),
        ("junit".to_owned(), read("junit.xml")),
    ];
    for directory in ["latency", "failures"] {
        let entries = fs::read_dir(out.join(directory)).unwrap().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            let name = entry.strip_prefix(out).unwrap().display().to_string();
            let what = if entry.is_dir() {
                let page = fs::read_to_string(entry.join("timeline.html")).unwrap();
                page.replace(&out.display().to_string(), "RUN")
            } else {
                format!("{:?}", fs::read(&entry).unwrap())
            };
            files.push((name, what));
        }
    }
    files
}

fn assert_same(one: &Path, other: &Path) {
    for ((name, one), (again, other)) in lasting(one).into_iter().zip(lasting(other)) {
        assert_eq!(name, again);
        assert!(one == other, "{name} differs:\n{one}\n\n{other}");
    }
}

/// A short scenario of which some seeds fail.
fn hopeless(directory: &Path) -> PathBuf {
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let text = text.replace("safety_s = 60", "safety_s = 10");
    let file = directory.join("hopeless.toml");
    fs::write(&file, text.replace("settle_limit_s = 30", "settle_limit_s = 1")).unwrap();
    file
}

#[test]
fn shards_in_any_order_are_the_whole_sweep() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let scenario = hopeless(directory.path());
    let whole = place("whole");
    let worst = code(&sweep(&scenario, &whole, &[]));
    assert_eq!(worst, 11, "some of its seeds fail");
    let outcomes = fs::read_to_string(whole.join("outcomes.jsonl")).unwrap();
    let judged_twice = outcomes.matches(r#""second_checker":{"#).count();
    assert_eq!(judged_twice, 24 / 5 + 1, "the first run of every seed that runs twice is stored");
    let mut runs = Vec::new();
    for number in 1..=SHARDS {
        let (out, shard) = (place(&format!("shard-{number}")), format!("{number}/{SHARDS}"));
        let shard = ["--shard", shard.as_str()];
        if number == 2 {
            // Stopped after its first seed, and taken up again.
            let stopped = sweep(&scenario, &out, &[&shard[..], &["--budget", "0s"]].concat());
            assert!(stderr(&stopped).contains("--resume"), "{}", stderr(&stopped));
            let resumed = sweep(&scenario, &out, &[&shard[..], &["--resume"]].concat());
            assert!([0, 11].contains(&code(&resumed)), "{}", stderr(&resumed));
        } else {
            let output = sweep(&scenario, &out, &shard);
            assert!([0, 11].contains(&code(&output)), "{}", stderr(&output));
        }
        runs.push(out);
    }
    let twice = place("twice");
    sweep(&scenario, &twice, &["--shard", "3/5"]);
    let mut forward: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    forward.push(&twice);
    let merged = place("merged");
    let output = merge(&merged, &forward);
    assert_eq!(code(&output), worst, "{}", stderr(&output));
    assert_same(&merged, &whole);
    let (half, backward) = (place("half"), place("backward"));
    let half_merged = merge(&half, &[&runs[4], &runs[1]]);
    assert!(stderr(&half_merged).contains("of 5 shards these are missing: 1, 3, 4"));
    forward.reverse();
    let stepwise: Vec<&Path> = [half.as_path(), &runs[3], &twice, &runs[0], &runs[2]].into();
    assert_eq!(code(&merge(&backward, &stepwise)), worst);
    assert_same(&backward, &whole);
}

#[test]
fn what_does_not_belong_together_is_refused_and_what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let run = |name: &str, seeds: &str, more: &[&str]| {
        let out = place(name);
        let arguments = ["sweep", "smoke/crash", "--seeds", seeds, "--without-regressions"];
        let output = billsim(&[&arguments[..], &["--out", text(&out)], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        out
    };
    let first = run("first", "0..3", &["--shard", "1/3"]);
    let other = run("other", "0..6", &["--shard", "2/3"]);
    let whole = run("whole", "0..1", &[]);
    let foreign = merge(&place("a"), &[&first, &other]);
    assert_eq!(code(&foreign), 2);
    assert!(stderr(&foreign).contains("which seeds of which scenarios differs"));
    let unsharded = merge(&place("b"), &[&whole]);
    assert_eq!(code(&unsharded), 2);
    assert!(stderr(&unsharded).contains("it is no shard"), "{}", stderr(&unsharded));
    let lonely = merge(&place("c"), &[&first]);
    assert_eq!(code(&lonely), 20);
    assert!(stderr(&lonely).contains("of 3 shards these are missing: 2, 3"), "{}", stderr(&lonely));
    let guessed = billsim(&["sweep", "smoke/crash", "--seeds", "0..3", "--shard", "auto"]);
    assert_eq!(code(&guessed), 2, "nobody says which one this is");
    assert!(stderr(&guessed).contains("give --shard K/N"), "{}", stderr(&guessed));
}

#[test]
fn a_shard_has_its_directory_and_the_same_command_begins_it_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("{shard}");
    let sweep = |more: &[&str]| {
        let arguments = ["sweep", "smoke/steady", "--seeds", "0..4", "--without-regressions"];
        billsim(&[&arguments[..], &["--out", text(&out)], more].concat())
    };
    let nameless = sweep(&[]);
    assert_eq!(code(&nameless), 2);
    assert!(
        stderr(&nameless).contains("which {shard}? --shard does not say"),
        "{}",
        stderr(&nameless)
    );
    for _ in 0..2 {
        let output = sweep(&["--shard", "2/2", "--resume"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    let run = directory.path().join("2");
    assert_eq!(fs::read_to_string(run.join("outcomes.jsonl")).unwrap().lines().count(), 2);

    let earlier = billsim(&["report", text(&run), "--against", text(&run)]);
    assert_eq!(code(&earlier), 0, "{}", stderr(&earlier));
    assert_eq!(code(&billsim(&["report", text(&run)])), 0);
    for file in ["report.html", "summary.md"] {
        let report = fs::read_to_string(run.join(file)).unwrap();
        assert!(report.contains("nothing else differs"), "{file} forgot the earlier run");
    }
}
