//! Many seeds: each on a fresh thread, with a guard on the time that it takes, so that one seed's
//! hang or abortive end is one seed's verdict and takes no other with it. What counts is the CPU
//! time of its thread: a verdict must not depend on what else a machine is busy with.

use crate::panics;
use crate::run::{Job, LoadSeen, RunResult, run};
use crate::world::LATENCY_MAX_US;
use billsim_record::outcome::OUTCOME_FORMAT;
use billsim_record::{Failure, FaultPlan, Outcome, Verdict};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the sweep looks at its guards.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Two looks that lie further apart did not wait in between: the process was stopped.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// A run that was told to end and does not is left behind after this.
const GRACE: Duration = Duration::from_secs(5);
/// A run whose thread waits instead of computing is ended after so many times the limit.
const STUCK_FACTOR: u32 = 20;
/// Stack of a simulating thread in bytes.
const STACK_BYTES: usize = 8 << 20;

/// How a sweep runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Seeds at a time.
    pub jobs: usize,
    /// CPU time after which a seed's run is ended; where the system does not tell it, wall time.
    pub time_limit: Duration,
}

struct Running {
    job: Job,
    handle: JoinHandle<()>,
    /// For how long it was waited, when it was looked at last.
    waited: Duration,
    looked: Instant,
    /// Where the system tells the CPU time of the run's thread, once that has begun.
    thread: Arc<OnceLock<PathBuf>>,
    abandoned: Arc<AtomicBool>,
}

type Message = (u64, Result<Box<RunResult>, String>);

/// Runs jobs until there are no more or `stop` is set; hands over each result as it comes, and
/// the time in between. Returns whether every job ran.
///
/// # Panics
/// When the system refuses a thread.
pub fn sweep(
    jobs: impl IntoIterator<Item = Job>,
    settings: Settings,
    stop: &AtomicBool,
    mut on_result: impl FnMut(RunResult),
    mut on_idle: impl FnMut(),
) -> bool {
    let (sender, receiver) = channel::<Message>();
    let mut jobs = jobs.into_iter().peekable();
    let mut running: BTreeMap<u64, Running> = BTreeMap::new();
    let mut number = 0;
    loop {
        while running.len() < settings.jobs.max(1) && !stop.load(Ordering::Relaxed) {
            let Some(job) = jobs.next() else { break };
            number += 1;
            running.insert(number, start(number, job, sender.clone()));
        }
        if running.is_empty() {
            return jobs.peek().is_none();
        }
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok((number, result)) => {
                // A run that was left behind may still end; nobody waits for it any more.
                if let Some(done) = running.remove(&number) {
                    let job = done.join();
                    on_result(match result {
                        Ok(result) => *result,
                        Err(words) => ended_badly(&job, Verdict::Safety, &words),
                    });
                }
            }
            Err(RecvTimeoutError::Timeout) => on_idle(),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the sweep holds a sender"),
        }
        for job in overdue(&mut running, settings.time_limit) {
            let words = format!("no end after {} s of CPU time", settings.time_limit.as_secs());
            on_result(ended_badly(&job, Verdict::Liveness, &words));
        }
    }
}

/// Runs one job on a fresh thread, without a guard.
///
/// # Errors
/// What the testbed itself panicked with.
///
/// # Panics
/// When the system refuses a thread.
pub fn run_one(job: Job) -> Result<RunResult, String> {
    let (sender, receiver) = channel();
    let running = start(0, job, sender);
    let received = receiver.recv();
    running.join();
    match received {
        Ok((_, result)) => result.map(|result| *result),
        Err(_) => Err("the thread of the run is gone".to_owned()),
    }
}

/// Runs one job as a sweep does, on a fresh thread: a panic of the testbed is a failure of the run.
/// Without a guard against a run that does not end.
///
/// # Panics
/// When the system refuses a thread.
pub fn run_to_its_end(job: &Job) -> RunResult {
    run_one(job.clone()).unwrap_or_else(|words| ended_badly(job, Verdict::Safety, &words))
}

// The one place that starts threads: a run needs one that has not touched a hash map yet.
// Its wall clock is real: guards are about the machine, not about the simulation.
#[allow(clippy::disallowed_methods)]
fn start(number: u64, job: Job, sender: Sender<Message>) -> Running {
    let abandoned = Arc::new(AtomicBool::new(false));
    let thread = Arc::new(OnceLock::new());
    let its = (job.clone(), Arc::clone(&thread), Arc::clone(&abandoned));
    let body = move || {
        let (job, thread, abandoned) = its;
        // Nobody else sets it.
        let _ = schedstat_of_this_thread().map(|path| thread.set(path));
        let result = catch_unwind(AssertUnwindSafe(|| Box::new(run(&job, &abandoned))));
        let result = result.map_err(|payload| panics::describe(payload.as_ref()));
        // Nobody listens when the sweep was interrupted.
        let _ = sender.send((number, result));
    };
    let handle = thread::Builder::new()
        .name(format!("seed {}", job.seed))
        .stack_size(STACK_BYTES)
        .spawn(body)
        .expect("the system gives a thread per job");
    Running { job, handle, waited: Duration::ZERO, looked: Instant::now(), thread, abandoned }
}

impl Running {
    /// Waits until the thread of a run that has told its result is gone. One that is started
    /// earlier gets another arena of the allocator, and the process keeps the memory of both.
    fn join(self) -> Job {
        // What it panicked with was caught and told.
        let _ = self.handle.join();
        self.job
    }

    /// For how long it was waited. A process that was stopped for a while, or a machine that slept,
    /// waited for nothing meanwhile.
    #[expect(clippy::disallowed_methods, reason = "guards are about the machine that it runs on")]
    fn wait(&mut self) -> Duration {
        self.waited += self.looked.elapsed().min(LOOK_MAX);
        self.looked = Instant::now();
        self.waited
    }

    /// CPU time of its thread so far; `None` where the system does not tell it.
    fn cpu_time(&self) -> Option<Duration> {
        cpu_time_of(self.thread.get()?)
    }
}

/// The first figure of a thread's `schedstat` is its CPU time in nanoseconds.
fn cpu_time_of(schedstat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Where the system tells the CPU time of this thread.
fn schedstat_of_this_thread() -> Option<PathBuf> {
    let itself = fs::read_link("/proc/thread-self").ok()?;
    Some(Path::new("/proc").join(itself).join("schedstat"))
}

fn overdue(running: &mut BTreeMap<u64, Running>, limit: Duration) -> Vec<Job> {
    let mut left_behind = Vec::new();
    running.retain(|_, run| {
        let waited = run.wait();
        if waited <= limit {
            // No thread has more CPU time than wall time.
            return true;
        }
        let used = run.cpu_time().unwrap_or(waited);
        // One that waits for ever uses none.
        let is_stuck = waited > limit * STUCK_FACTOR;
        if used > limit || is_stuck {
            run.abandoned.store(true, Ordering::Relaxed);
        }
        if used <= limit + GRACE && !is_stuck {
            return true;
        }
        left_behind.push(run.job.clone());
        false
    });
    left_behind
}

/// The result of a run that could not tell its own.
fn ended_badly(job: &Job, verdict: Verdict, words: &str) -> RunResult {
    let scenario = job.scenario.name.clone();
    let cause = panics::place(words).unwrap_or(verdict.name());
    let failure = Failure {
        oracle: "run".to_owned(),
        promise: "a run comes to its end".to_owned(),
        detail: words.to_owned(),
        transaction: None,
        last_fault: None,
        at_ns: 0,
        event: 0,
        fingerprint: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(cause.as_bytes())),
        further: 0,
    };
    let outcome = Outcome {
        format: OUTCOME_FORMAT,
        scenario: scenario.clone(),
        seed: job.seed,
        canary: job.canary.clone(),
        verdict,
        trace_hash: "0000000000000000".to_owned(),
        simulated_seconds: 0.0,
        acknowledged: 0,
        delivered_messages: 0,
        events: 0,
        faults: BTreeMap::new(),
        comparisons: BTreeMap::new(),
        second_checker: BTreeMap::new(),
        marks: BTreeMap::new(),
        write_latency_us: None,
        geo_latency_us: None,
        outages: Vec::new(),
        fates: BTreeMap::new(),
        region_recovery_us: None,
        failure: Some(failure),
        stuck: vec![words.to_owned()],
        excuses: BTreeMap::new(),
    };
    let drawn = || FaultPlan::new(scenario, job.seed, Vec::new());
    let plan = job.plan.clone().unwrap_or_else(drawn);
    let write_latency = Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are legal");
    let (is_planned, load) = (job.plan.is_some(), LoadSeen::default());
    let (arm, told, losses, custody) = (job.arm, None, None, Vec::new());
    let recovery = write_latency.clone();
    RunResult {
        outcome,
        plan,
        write_latency,
        recovery,
        arm,
        is_planned,
        load,
        told,
        about: None,
        losses,
        custody,
        statuses: Vec::new(),
        events: None,
        crash: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{cpu_time_of, schedstat_of_this_thread};
    use std::time::Duration;

    #[test]
    fn a_thread_that_waits_uses_no_time() {
        // Elsewhere the guard is on wall time.
        let Some(path) = schedstat_of_this_thread().filter(|path| path.is_file()) else { return };
        let used = || cpu_time_of(&path).expect("the system told it before");
        let before = used();
        std::thread::sleep(Duration::from_millis(300));
        let waited = used() - before;
        assert!(waited < Duration::from_millis(150), "{waited:?} while it slept");
        let before = used();
        while used() - before < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
    }
}
