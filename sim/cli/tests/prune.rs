//! Old run directories go on request, and nothing else ever does.

mod tool;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tool::{billsim, code};

fn prune(directory: &Path, more: &[&str]) -> String {
    let output = billsim(&[&["prune", directory.to_str().unwrap()], more].concat());
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A sweep's directory whose files are so many hours old.
fn sweep(directory: &Path, name: &str, hours: u64) -> PathBuf {
    let out = directory.join(name);
    let arguments = ["sweep", "smoke/steady", "--seeds", "0..1", "--without-regressions", "--out"];
    let output = billsim(&[&arguments[..], &[out.to_str().unwrap()]].concat());
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    age(&out, hours);
    out
}

fn age(directory: &Path, hours: u64) {
    let now = fs::metadata(directory).unwrap().modified().unwrap();
    let then = now - Duration::from_secs(3_600 * hours);
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let file = File::open(entry.path()).unwrap();
        file.set_modified(then).unwrap();
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_oldest_runs_go_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let runs = parent.path().join("runs");
    let oldest = sweep(&runs, "oldest", 4);
    let gated = sweep(&runs, "gated", 3);
    fs::write(gated.join("evidence.json"), "{}").unwrap();
    age(&gated, 3);
    let busy = sweep(&runs, "busy", 5);
    sweep(&runs, "young", 1);
    sweep(&runs, "youngest", 0);
    let foreign = runs.join("photographs");
    fs::create_dir(&foreign).unwrap();
    // Names alone make no run.
    fs::write(foreign.join("manifest.json"), r#"{"name": "app", "format": 3}"#).unwrap();
    fs::write(foreign.join("outcomes.jsonl"), "").unwrap();
    fs::write(runs.join("notes.txt"), "mine").unwrap();
    let elsewhere = sweep(parent.path(), "elsewhere", 9);
    std::os::unix::fs::symlink(&elsewhere, runs.join("link")).unwrap();
    let lock = File::open(busy.join("lock")).unwrap();
    lock.lock().unwrap();
    let all = names(&runs);

    let told = prune(&runs, &["--keep", "1", "--dry-run"]);
    assert!(told.contains(&format!("would delete {}", oldest.display())), "{told}");
    assert_eq!(names(&runs), all, "a rehearsal deletes nothing");
    let told = prune(&runs, &["--keep", "1"]);
    for (name, why) in [
        ("busy", "it is written to"),
        ("gated", "a gate has judged it"),
        ("photographs", "it is no run directory"),
        ("notes.txt", "it is no run directory"),
        ("link", "it is no run directory"),
    ] {
        let line = format!("left {}: {why}", runs.join(name).display());
        assert!(told.contains(&line), "{line}: {told}");
    }
    assert!(told.contains("2 runs gone") && told.contains("1 kept, 5 left alone"), "{told}");
    assert_eq!(names(&runs), ["busy", "gated", "link", "notes.txt", "photographs", "youngest"]);
    assert!(elsewhere.join("manifest.json").is_file());
    prune(&runs, &["--keep", "1", "--gated"]);
    assert_eq!(names(&runs), ["busy", "link", "notes.txt", "photographs", "youngest"]);
    drop(lock);
    prune(&runs, &["--keep", "0"]);
    assert_eq!(names(&runs), ["link", "notes.txt", "photographs"]);
}
