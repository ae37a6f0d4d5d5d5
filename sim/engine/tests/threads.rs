//! The threads of a sweep. One test, so that no other starts any in this process.
#![cfg(target_os = "linux")]

use billsim_engine::sweep::{Settings, sweep};
use billsim_engine::{Job, Scenario};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// `PF_EXITING` of the kernel's `sched.h`: set before a thread can be joined, though it is listed
/// for some time still.
const EXITING: u64 = 4;
/// Where its flags stand behind the name in `/proc/self/task/N/stat` (proc(5)).
const FLAGS: usize = 6;

/// Whether a thread simulates, and has not begun to exit.
fn simulates(task: &Path) -> bool {
    // One that is gone since it was listed has no such file.
    let Ok(text) = fs::read_to_string(task.join("stat")) else { return false };
    let (name, rest) = text.rsplit_once(')').expect("the name stands in parentheses");
    let flags = rest.split_whitespace().nth(FLAGS).expect("there are flags");
    let flags: u64 = flags.parse().expect("they are a number");
    name.contains("(seed ") && flags & EXITING == 0
}

/// A thread that lives on beside the next one has an arena of the allocator to itself, and the
/// process keeps the memory of both.
#[test]
fn a_run_is_handed_over_when_its_thread_is_gone() {
    let text = include_str!("../../../scenarios/smoke/crash.toml");
    let mut scenario = Scenario::parse("smoke/crash", text).expect("it is in the corpus");
    scenario.phases.safety_s = 2;
    let scenario = Arc::new(scenario);
    let jobs = (0..400).map(|seed| Job::new(Arc::clone(&scenario), seed));
    let settings = Settings { jobs: 1, time_limit: Duration::from_secs(600) };
    let mut alive = Vec::new();
    let look = |_| {
        let tasks = fs::read_dir("/proc/self/task").expect("this process has threads");
        let tasks = tasks.map(|task| task.expect("they can be listed").path());
        alive.push(tasks.filter(|task| simulates(task)).count());
    };
    assert!(sweep(jobs, settings, &AtomicBool::new(false), look, || {}), "every job ran");
    assert_eq!(alive, [0; 400]);
}
