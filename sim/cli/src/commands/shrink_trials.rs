//! Trials of a shrinking: candidates of a round run at the same time, within the budget; what
//! was learnt is stored now and then, so that an interrupted shrinking goes on.

use crate::arguments::Shrink;
use crate::bundle::Bundle;
use crate::commands::shrink_progress::ShrinkProgress;
use crate::context::jobs;
use crate::tool_error::ToolError;
use crate::wall_clock;
use billsim_engine::RunResult;
use billsim_engine::sweep::{Settings, sweep};
use billsim_record::{FaultPlan, document};
use billsim_shrink::{Memory, Place, Shrunk, Start, Trial, shrink};
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Wall time after which a candidate's run is ended.
const RUN_LIMIT: Duration = Duration::from_secs(30);
/// How often the state is stored.
const STORE_EVERY: Duration = Duration::from_secs(5);

/// Where a failure was seen.
pub(crate) fn place_of(result: &RunResult) -> Place {
    // Rounded up: the phase must not end before the failure.
    let at_ms = (result.outcome.simulated_seconds * 1e3).ceil() as u64;
    Place { at_ms, operations: result.load.drawn }
}

/// What failed.
pub(crate) fn fingerprint(result: &RunResult) -> Option<String> {
    result.outcome.failure.as_ref().map(|failure| failure.fingerprint.clone())
}

/// Whether a run went on behind its safety phase, through what every run ends with.
pub(crate) fn is_late(bundle: &Bundle, result: &RunResult) -> bool {
    let safety_ms = u64::from(bundle.loaded.scenario.phases.safety_s) * 1_000;
    let end_ms = result.plan.load.until_ms.unwrap_or(safety_ms).min(safety_ms);
    result.outcome.simulated_seconds * 1e3 >= end_ms as f64
}

/// How candidates are tried.
pub(crate) struct Trials<'a> {
    arguments: &'a Shrink,
    bundle: &'a Bundle,
    canary: Option<&'a str>,
    /// The failure to keep.
    fingerprint: Option<String>,
    /// Whether it was seen behind the safety phase. One that was not is not to need its end.
    is_late: bool,
    interrupted: &'a AtomicBool,
    state: &'a Path,
    started: Instant,
    stored: Instant,
    runs: u64,
    broken: Option<ToolError>,
}

impl<'a> Trials<'a> {
    pub(crate) fn new(
        arguments: &'a Shrink,
        bundle: &'a Bundle,
        canary: Option<&'a str>,
        before: &RunResult,
        interrupted: &'a AtomicBool,
        state: &'a Path,
    ) -> Self {
        Self {
            arguments,
            bundle,
            canary,
            fingerprint: fingerprint(before),
            is_late: is_late(bundle, before),
            interrupted,
            state,
            started: wall_clock::now(),
            stored: wall_clock::now(),
            runs: 0,
            broken: None,
        }
    }

    /// The whole search; its state is stored at the end too.
    pub(crate) fn shrink(
        &mut self,
        start: Start,
        memory: &mut Memory,
    ) -> Result<Shrunk, ToolError> {
        let mut progress = ShrinkProgress::new(self.arguments.show_progress);
        let mut try_all = |plans: &[FaultPlan], memory: &Memory| self.try_all(plans, memory);
        let shrunk = shrink(start, memory, &mut try_all, &mut |step| progress.update(step));
        progress.finish();
        self.store(memory);
        self.broken.take().map_or(Ok(shrunk), Err)
    }

    fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
            || self.started.elapsed() >= self.arguments.budget
            || self.broken.is_some()
    }

    /// The lowest that fails the same way counts, so none is started behind one that does.
    fn try_all(&mut self, plans: &[FaultPlan], memory: &Memory) -> Vec<Trial> {
        if self.stored.elapsed() >= STORE_EVERY {
            self.store(memory);
            self.stored = wall_clock::now();
        }
        let left = self.arguments.max_runs.map_or(u64::MAX, |max| max.saturating_sub(self.runs));
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(plans.len());
        let settings = Settings { jobs: jobs(self.arguments.jobs), time_limit: RUN_LIMIT };
        let trials = RefCell::new(vec![Trial::NotRun; plans.len()]);
        let stop = AtomicBool::new(self.is_over());
        let look = || {
            if self.is_over() {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let take = |result: RunResult| {
            let trial = self.judge(&result);
            // A round never holds the same plan twice.
            if let Some(number) = plans.iter().position(|plan| *plan == result.plan) {
                trials.borrow_mut()[number] = trial;
            }
            if matches!(trial, Trial::Same(_)) {
                stop.store(true, Ordering::Relaxed);
            }
            look();
        };
        let all = plans[..allowed].iter().map(|plan| self.bundle.job(plan.clone(), self.canary));
        sweep(all, settings, &stop, take, look);
        let trials = trials.into_inner();
        self.runs += trials.iter().filter(|trial| **trial != Trial::NotRun).count() as u64;
        trials
    }

    fn judge(&self, result: &RunResult) -> Trial {
        let is_same = fingerprint(result) == self.fingerprint
            && (self.is_late || !is_late(self.bundle, result));
        if is_same { Trial::Same(place_of(result)) } else { Trial::Other }
    }

    fn store(&mut self, memory: &Memory) {
        let text = document::line(memory);
        // In one step: a state that is half written would be worth nothing.
        let fresh = self.state.with_extension("json.new");
        let stored = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, self.state));
        if let Err(error) = stored {
            self.broken.get_or_insert(ToolError::write(self.state, &error));
        }
    }
}
