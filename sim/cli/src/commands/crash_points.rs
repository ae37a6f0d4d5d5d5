//! `billsim crash-points`: a run dies at each of its disk steps, and at each step of the recovery
//! that follows, and must hold all the same.

use crate::arguments::{CrashPoints, Format};
use crate::commands::crash_report::{Report, Visit};
use crate::context::{jobs, say};
use crate::corpus::{Corpus, Loaded};
use crate::progress::Progress;
use crate::run_directory::RunDirectory;
use crate::tool_error::ToolError;
use crate::{interrupt, wall_clock};
use billsim_engine::seed::{Purpose, Stream};
use billsim_engine::sweep::{Settings, sweep};
use billsim_engine::{Job, RunResult, plan};
use billsim_record::{
    ExitCode, Fault, FaultPlan, InRecovery, Moment, NodeNumber, PlannedFault, Verdict,
};
use billsim_reports::Tally;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A run that takes longer than this in wall time is stuck.
const WALL_LIMIT: Duration = Duration::from_secs(60);
/// How long a machine is without power, in milliseconds, log-scaled: from less than anybody
/// notices to several elections.
const DOWN_MS: (u64, u64) = (1, 1_500);
/// The stream of those times.
const DOWN_STREAM: u64 = 4_000;

/// Runs what is asked for, and stops where it must.
struct Runner<'a> {
    loaded: &'a Loaded,
    /// The seed's own faults, without crash points.
    plan: FaultPlan,
    canary: Option<&'a str>,
    settings: Settings,
    arguments: &'a CrashPoints,
    interrupted: Arc<AtomicBool>,
    until: Option<Instant>,
}

pub(crate) fn crash_points(
    arguments: &CrashPoints,
    canary: Option<&str>,
) -> Result<ExitCode, ToolError> {
    let loaded = Corpus::find()?.scenario(&arguments.scenario)?;
    let started = wall_clock::now();
    let runner = Runner::new(arguments, &loaded, canary, started)?;
    let directory = arguments.out.clone().unwrap_or_else(RunDirectory::of_one_run);
    let mut report = Report::new(&loaded, arguments.seed, directory, canary);
    let nodes: Vec<NodeNumber> = (0..loaded.scenario.cluster.nodes()).map(NodeNumber::at).collect();
    let unreached = |node: &NodeNumber| point(*node, u32::MAX, Moment::After, None);
    let mut seen = Vec::new();
    let is_whole = runner.run("runs to count in", nodes.iter().map(unreached), |result| {
        seen.push(result);
        Ok(())
    })?;
    for result in seen {
        if result.outcome.verdict != Verdict::Held {
            let (scenario, seed) = (&arguments.scenario, arguments.seed);
            return Err(ToolError::usage(format!(
                "{scenario}, seed {seed}: it fails without any crash point: see `billsim run`"
            )));
        }
        let visit = Visit::of(&result);
        report.numbered(visit.node, &visit.seen.steps);
    }
    let mut is_whole = is_whole && visit(&runner, &mut report, first_points)?;
    if is_whole && !arguments.without_recovery {
        is_whole = visit(&runner, &mut report, |report| report.recovery_points())?;
    }
    report.finish(started.elapsed(), is_whole);
    match arguments.format {
        Format::Json => say(&report.line()?),
        Format::Human => say(&report.words()),
    }
    Ok(report.exit_code())
}

/// Every node, step and moment.
fn first_points(report: &Report) -> Vec<Fault> {
    let steps = report.steps().flat_map(|(node, steps)| (1..=steps).map(move |k| (node, k)));
    steps.flat_map(|(node, k)| Moment::ALL.map(|moment| point(node, k, moment, None))).collect()
}

/// A crash point.
pub(super) fn point(
    node: NodeNumber,
    step: u32,
    moment: Moment,
    again: Option<InRecovery>,
) -> Fault {
    Fault::CrashPoint { node, step, moment, again }
}

/// Visits points; `false`: not all of them were.
fn visit(
    runner: &Runner<'_>,
    report: &mut Report,
    points: impl FnOnce(&Report) -> Vec<Fault>,
) -> Result<bool, ToolError> {
    let points = points(report);
    report.asked(&points);
    runner.run("crash points", points.into_iter(), |result| report.visited(&result))
}

impl<'a> Runner<'a> {
    fn new(
        arguments: &'a CrashPoints,
        loaded: &'a Loaded,
        canary: Option<&'a str>,
        started: Instant,
    ) -> Result<Self, ToolError> {
        let mut plan = plan::draw(&loaded.scenario, arguments.seed);
        plan.faults.retain(|planned| !matches!(planned.fault, Fault::CrashPoint { .. }));
        Ok(Self {
            loaded,
            plan,
            canary,
            settings: Settings { jobs: jobs(arguments.jobs), time_limit: WALL_LIMIT },
            arguments,
            interrupted: interrupt::watch()?,
            until: arguments.budget.map(|budget| started + budget),
        })
    }

    fn job(&self, number: u64, fault: Fault) -> Job {
        let mut plan = self.plan.clone();
        let mut stream = Stream::indexed(plan.seed, Purpose::Process, DOWN_STREAM + number);
        let for_ms = stream.log_uniform(DOWN_MS.0, DOWN_MS.1);
        plan.faults.insert(0, PlannedFault { at_ms: 0, for_ms, fault });
        Job {
            plan: Some(plan),
            canary: self.canary.map(str::to_owned),
            ..Job::new(Arc::clone(&self.loaded.scenario), self.arguments.seed)
        }
    }

    /// Runs the seed with each of these faults. Whether all of them ran.
    fn run(
        &self,
        unit: &'static str,
        faults: impl ExactSizeIterator<Item = Fault>,
        mut take: impl FnMut(RunResult) -> Result<(), ToolError>,
    ) -> Result<bool, ToolError> {
        let progress = Progress::of(self.arguments.show_progress, faults.len() as u64, unit);
        let shown = RefCell::new((progress, Tally::default()));
        let over = AtomicBool::new(false);
        let look = || {
            let (progress, tally) = &mut *shown.borrow_mut();
            progress.update(tally);
            let is_late = self.until.is_some_and(|until| wall_clock::now() >= until);
            if is_late || self.interrupted.load(Ordering::Relaxed) {
                over.store(true, Ordering::Relaxed);
            }
        };
        let mut broken = None;
        let all = (0..).zip(faults).map(|(number, fault)| self.job(number, fault));
        let on_result = |result: RunResult| {
            shown.borrow_mut().1.add(&result.outcome);
            if let Err(error) = take(result) {
                broken = Some(error);
                over.store(true, Ordering::Relaxed);
            }
            look();
        };
        let is_whole = sweep(all, self.settings, &over, on_result, look);
        shown.into_inner().0.finish();
        broken.map_or(Ok(is_whole), Err)
    }
}

impl<'a> Visit<'a> {
    /// What a run with a crash point came to.
    pub(super) fn of(result: &'a RunResult) -> Self {
        let planned = result.plan.faults.iter().find_map(|planned| match planned.fault {
            Fault::CrashPoint { node, step, moment, again } => Some((node, step, moment, again)),
            _ => None,
        });
        let (node, step, moment, again) = planned.expect("every run here has a crash point");
        let seen = result.crash.clone().unwrap_or_default();
        Self { node, step, moment, again, seen, outcome: &result.outcome, plan: &result.plan }
    }
}
