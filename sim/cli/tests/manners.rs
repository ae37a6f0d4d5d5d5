//! Manners: a sweep that was killed goes on as if nothing had been, two sweeps do not share a
//! directory, a wrong name is met with the right one, and nobody is coloured against their will.

mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tool::{billsim, code, command};

/// Seeds of the sweep that is interrupted.
const SEEDS: &str = "0..60";

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A sweep with a planned second run of every tenth seed, and some that fail.
fn sweep(directory: &Path, out: &Path, more: &[&str]) -> Command {
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let text = text.replace("safety_s = 60", "safety_s = 10");
    let scenario = directory.join("short.toml");
    fs::write(&scenario, text.replace("settle_limit_s = 30", "settle_limit_s = 1")).unwrap();
    let mut sweep = command(&["sweep", scenario.to_str().unwrap(), "--seeds", SEEDS]);
    sweep.args(["--jobs", "1", "--check-determinism", "10%", "--without-regressions"]);
    sweep.args(["--show-progress", "none", "--out", out.to_str().unwrap()]).args(more);
    sweep.stdout(Stdio::null()).stderr(Stdio::piped());
    sweep
}

fn lines(out: &Path) -> Vec<String> {
    let text = fs::read_to_string(out.join("outcomes.jsonl")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_for(child: &mut Child, out: &Path, seeds: usize) {
    for _ in 0..1_200 {
        if lines(out).len() >= seeds {
            return;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        sleep(Duration::from_millis(50));
    }
    panic!("no seed ended within a minute");
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Everything of a run directory that must not depend on interruptions.
fn lasting(out: &Path) -> Vec<String> {
    let mut outcomes = lines(out);
    outcomes.sort();
    let files = ["junit.xml", "latency"].map(|name| out.join(name));
    let mut latency: Vec<PathBuf> =
        fs::read_dir(&files[1]).unwrap().map(|entry| entry.unwrap().path()).collect();
    latency.sort();
    outcomes.extend(latency.iter().map(|file| format!("{:?}", fs::read(file).unwrap())));
    let junit = fs::read_to_string(&files[0]).unwrap();
    outcomes.push(junit.replace(&out.display().to_string(), "RUN"));
    outcomes
}

#[test]
fn a_sweep_that_was_stopped_and_killed_comes_to_the_same_in_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, broken) = (directory.path().join("whole"), directory.path().join("broken"));
    let at_once = sweep(directory.path(), &whole, &[]).output().unwrap();
    assert_eq!(code(&at_once), 11, "{}", stderr(&at_once));
    let mut child = sweep(directory.path(), &broken, &[]).spawn().unwrap();
    wait_for(&mut child, &broken, 3);
    signal(&child, "-TERM");
    let stopped = child.wait_with_output().unwrap();
    assert!([11, 20].contains(&code(&stopped)), "{}", stderr(&stopped));
    assert!(stderr(&stopped).contains("--resume"), "{}", stderr(&stopped));
    let done = lines(&broken).len();
    assert!(done < 60, "there is something left");
    let mut child = sweep(directory.path(), &broken, &["--resume"]).spawn().unwrap();
    wait_for(&mut child, &broken, done + 2);
    // What was written behind the last checkpoint runs again.
    signal(&child, "-KILL");
    child.wait().unwrap();
    let last = sweep(directory.path(), &broken, &["--resume"]).output().unwrap();
    assert_eq!(code(&last), 11, "{}", stderr(&last));
    assert_eq!(lasting(&broken), lasting(&whole));
    let other = sweep(directory.path(), &broken, &["--resume", "--seeds", "0..61"]).output();
    let other = other.unwrap();
    assert_eq!(code(&other), 2, "an option given twice, or other seeds, are not this run");
}

#[test]
fn two_sweeps_cannot_share_a_directory_and_one_tells_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let mut child = sweep(directory.path(), &out, &[]).spawn().unwrap();
    wait_for(&mut child, &out, 1);
    let second = sweep(directory.path(), &out, &["--resume"]).output().unwrap();
    assert_eq!(code(&second), 2);
    assert!(stderr(&second).contains("another sweep writes to it"), "{}", stderr(&second));
    signal(&child, "-USR1");
    sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let stopped = child.wait_with_output().unwrap();
    assert!(stderr(&stopped).contains("/60 seeds in "), "{}", stderr(&stopped));
}

#[test]
fn seeds_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seeds.txt");
    fs::write(&file, "# two seeds\n7\n\nsmoke/crash 3 # and one of another\n").unwrap();
    let file = file.to_str().unwrap();
    let out = directory.path().join("run");
    let arguments = ["sweep", "smoke/steady", "--seeds-from", file, "--without-regressions"];
    let more = ["--check-determinism", "0%", "--out", out.to_str().unwrap()];
    let output = billsim(&[&arguments[..], &more].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let outcomes = lines(&out);
    assert_eq!(outcomes.len(), 2);
    for wanted in [r#""scenario":"smoke/steady","seed":7"#, r#""scenario":"smoke/crash","seed":3"#]
    {
        assert!(outcomes.iter().any(|line| line.contains(wanted)), "{wanted}");
    }
    for (text, why) in [("seven\n", "line 1: SEED"), ("#\n", "lists no seed")] {
        fs::write(file, text).unwrap();
        let output = billsim(&arguments);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn a_wrong_name_is_met_with_the_right_one() {
    for (arguments, right) in [
        (vec!["run", "smoke/stedy"], "smoke/steady"),
        (vec!["sweep", "--profile", "smok"], "smoke"),
        (vec!["swep"], "sweep"),
        (vec!["replay", "scenarios/regressions/refused-foward.json"], "refused-forward.json"),
        (vec!["replay", "Cargo.tml"], "Cargo.toml"),
    ] {
        let output = billsim(&arguments);
        assert_eq!(code(&output), 2);
        let told = stderr(&output);
        assert!(told.contains(&format!("{right}'")), "{told}");
    }
}

#[test]
fn each_value_says_where_it_came_from() {
    let shown = |arguments: &[&str]| {
        let output = billsim(&[&["sweep", "--show-origin"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect::<Vec<_>>()
    };
    let has = |lines: &[String], line: &str| {
        assert!(lines.iter().any(|known| known == line), "{line}: {lines:#?}");
    };
    let profile = include_str!("../../../scenarios/profiles.toml");
    let crash = profile.lines().position(|line| line.contains("\"smoke/crash\"")).unwrap() + 1;
    let of_profile = format!("scenarios/profiles.toml:{crash}");
    let whole = shown(&["--jobs", "2"]);
    has(&whole, &format!("smoke/crash seeds 0..40 {of_profile}"));
    has(&whole, "--jobs 2 command line");
    has(&whole, "--profile smoke default");
    has(&whole, "scenarios/regressions, first scenarios/regressions");
    let named = shown(&["smoke/crash", "region/dark", "--without-regressions"]);
    has(&named, "smoke/crash command line");
    has(&named, &format!("smoke/crash seeds 0..40 {of_profile}"));
    has(&named, "region/dark seeds 0..100 default");
    has(&named, "--without-regressions command line");
    has(&shown(&["smoke/crash", "--seeds", "3..4"]), "smoke/crash seeds 3..4 command line");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let run = ["run", "smoke/steady", "--seed", "1"];
    let always = billsim(&[&run[..], &["--color", "always"]].concat());
    assert!(String::from_utf8_lossy(&always.stdout).contains("\u{1b}[1;32mHELD"));
    let plain = billsim(&run);
    assert!(!plain.stdout.contains(&0x1b), "nobody looks at a pipe");
    let help = billsim(&["--color=always", "--help"]);
    assert!(help.stdout.contains(&0x1b));
}

#[test]
fn shells_and_man_know_every_command() {
    let script = billsim(&["completions", "bash"]);
    assert_eq!(code(&script), 0);
    let script = String::from_utf8_lossy(&script.stdout).into_owned();
    assert!(script.contains("--check-determinism") && script.contains("explain"));
    let directory = tempfile::tempdir().unwrap();
    let pages = billsim(&["man", directory.path().to_str().unwrap()]);
    assert_eq!(code(&pages), 0, "{}", stderr(&pages));
    for page in ["billsim.1", "billsim-sweep.1", "billsim-replay.1"] {
        assert!(directory.path().join(page).is_file(), "{page}");
    }
}
