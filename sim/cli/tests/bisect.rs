//! Bisection, with revisions that take no time to build: the scratch repository keeps a script
//! where the sources would be, and `cargo` copies it to where the binary is looked for.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Copies the revision's script; a revision without one does not build.
const CARGO: &str = r#"#!/bin/sh
while [ "$1" != --target-dir ]; do shift; done
mkdir -p "$2/release" && cp billsim.sh "$2/release/billsim" && chmod +x "$2/release/billsim"
"#;
const HELD: &str = r#"echo '{"verdict":"held","failure":null,"faults":{"cut":{"fired":2}}}'"#;
const BROKEN: &str = r#"echo '{"verdict":"safety","failure":
    {"oracle":"D1","fingerprint":"aa"},"faults":{"cut":{"fired":2}}}'; exit 10"#;
const OTHERWISE: &str = r#"echo '{"verdict":"liveness","failure":
    {"oracle":"L5","fingerprint":"bb"},"faults":{"cut":{"fired":2}}}'; exit 11"#;
const UNREACHED: &str = r#"echo '{"verdict":"held","failure":null,"faults":{}}'"#;
const UNKNOWN_PLAN: &str = "echo 'the plan has format 9' >&2; exit 2";

struct Scratch {
    directory: tempfile::TempDir,
    /// Commits in their order.
    commits: Vec<String>,
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let name = ["-c", "user.name=A Person", "-c", "user.email=person@localhost"];
    let output = Command::new("git").current_dir(directory).args(name).args(arguments).output();
    let output = output.expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Scratch {
    /// A repository with a commit per script; an empty one does not build.
    fn new(scripts: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let repository = directory.path().join("repository");
        fs::create_dir(&repository).unwrap();
        git(&repository, &["init", "--quiet", "--initial-branch", "trunk"]);
        let commit = |(place, script): (usize, &&str)| {
            let file = repository.join("billsim.sh");
            let _ = fs::remove_file(&file);
            if !script.is_empty() {
                fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            }
            fs::write(repository.join("number"), place.to_string()).unwrap();
            git(&repository, &["add", "--all"]);
            git(&repository, &["commit", "--quiet", "--message", &format!("Change {place}")]);
            git(&repository, &["rev-parse", "HEAD"])
        };
        let commits = scripts.iter().enumerate().map(commit).collect();
        let cargo = directory.path().join("cargo");
        fs::write(&cargo, CARGO).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let plan = fs::read_to_string(scenarios.join("regressions/refused-forward.json")).unwrap();
        let parsed: Value = serde_json::from_str(&plan).unwrap();
        let scenario = format!("{}.toml", parsed["scenario"].as_str().unwrap());
        fs::write(directory.path().join("plan.json"), &plan).unwrap();
        fs::copy(scenarios.join(scenario), directory.path().join("scenario.toml")).unwrap();
        Self { directory, commits }
    }

    fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    fn bisect(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_billsim"));
        command.current_dir(self.repository()).env("CARGO", self.directory.path().join("cargo"));
        command.arg("bisect").arg(self.directory.path().join("plan.json")).args(more);
        command.arg("--build-dir").arg(self.directory.path().join("builds"));
        command.output().expect("the binary runs")
    }

    /// Between the first and the last commit.
    fn ends(&self, more: &[&str]) -> Output {
        let good = self.commits[0].as_str();
        self.bisect(&[&["--good", good, "--bad", "trunk"], more].concat())
    }

    /// What a person works in is as it was.
    fn assert_untouched(&self) {
        let repository = self.repository();
        assert_eq!(git(&repository, &["status", "--porcelain"]), "");
        assert_eq!(git(&repository, &["symbolic-ref", "HEAD"]), "refs/heads/trunk");
        assert_eq!(git(&repository, &["worktree", "list"]).lines().count(), 1);
        assert_eq!(git(&repository, &["for-each-ref", "refs/bisect"]), "");
    }
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("\n")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

#[test]
fn the_commit_that_planted_a_bug_is_found_past_those_that_cannot_be_judged() {
    let scratch =
        Scratch::new(&[HELD, "", HELD, UNKNOWN_PLAN, HELD, BROKEN, OTHERWISE, BROKEN, BROKEN]);
    let output = scratch.ends(&[]);
    let screen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 0, "{}", words(&output));
    let culprit = &scratch.commits[5][..12];
    assert!(screen.contains(&format!("FIRST BAD: {culprit} Change 5\n")), "{screen}");
    assert!(screen.contains("8 commits after") && screen.contains("D1 aa"), "{screen}");
    assert!(screen.contains("  by A Person, ") && screen.contains("changes billsim.sh"));
    assert!(screen.lines().count() <= 24, "{screen}");
    scratch.assert_untouched();
    let json = scratch.ends(&["--format", "json"]);
    let found: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found["first_bad"][0]["commit"], scratch.commits[5].as_str());
    assert_eq!(found["judged"][0]["call"], "bad", "the bad end is judged first");
}

#[test]
fn where_skipped_revisions_hide_it_nothing_is_claimed() {
    let scratch = Scratch::new(&[HELD, "", UNREACHED, BROKEN]);
    let output = scratch.ends(&[]);
    let screen = words(&output);
    assert_eq!(code(&output), 125, "{screen}");
    assert!(screen.contains("NOT PROVEN: it began with one of 3 commits"), "{screen}");
    assert!(screen.contains("does not build") && screen.contains("SCHEDULE NO LONGER REACHABLE"));
    scratch.assert_untouched();
}

#[test]
fn ends_that_are_not_what_they_were_said_to_be_are_refused() {
    let scratch = Scratch::new(&[BROKEN, HELD, OTHERWISE, BROKEN, HELD]);
    let commit = |place: usize| scratch.commits[place].as_str();
    let cases = [
        (0, 3, 2, "the good end"),
        (1, 4, 2, "the bad end"),
        (2, 3, 125, "FAILS OTHERWISE"),
        (3, 1, 2, "the right way round"),
    ];
    for (good, bad, expected, told) in cases {
        let output = scratch.bisect(&["--good", commit(good), "--bad", commit(bad)]);
        assert_eq!(code(&output), expected, "{}", words(&output));
        assert!(words(&output).contains(told), "{told}: {}", words(&output));
    }
    let unknown = scratch.bisect(&["--good", "v9"]);
    assert!(words(&unknown).contains("'v9' is no commit"), "{}", words(&unknown));
    scratch.assert_untouched();
}

#[test]
fn one_tree_is_judged_as_git_bisect_run_asks() {
    let cases = [(HELD, 0), (BROKEN, 1), (OTHERWISE, 1), (UNKNOWN_PLAN, 125), ("", 125)];
    for (script, expected) in cases {
        let output = Scratch::new(&[script]).bisect(&["--judge"]);
        assert_eq!(code(&output), expected, "{script}: {}", words(&output));
    }
    let slow = Scratch::new(&["sleep 30"]).bisect(&["--judge", "--seed-limit", "1s"]);
    assert_eq!(code(&slow), 125, "{}", words(&slow));
    assert!(words(&slow).contains("its replay takes too long"), "{}", words(&slow));
}
