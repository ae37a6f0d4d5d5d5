//! What visiting the crash points of a run came to: how many there are, how many were reached, how
//! many different disks and runs came of them, and what broke.

use crate::commands::crash_points::point;
use crate::context::invocation;
use crate::corpus::Loaded;
use crate::tool_error::ToolError;
use billsim_engine::RunResult;
use billsim_engine::disk::{CrashSeen, StepName};
use billsim_record::{
    ExitCode, Fault, FaultPlan, InRecovery, Moment, NodeNumber, Outcome, Verdict, document,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Violations of one kind whose plans are kept.
const KEPT_MAX: u64 = 20;

/// A run with a crash point.
pub(super) struct Visit<'a> {
    pub(super) node: NodeNumber,
    pub(super) step: u32,
    pub(super) moment: Moment,
    pub(super) again: Option<InRecovery>,
    pub(super) seen: CrashSeen,
    pub(super) outcome: &'a Outcome,
    pub(super) plan: &'a FaultPlan,
}

/// The disk steps of one node.
#[derive(Debug, Serialize)]
struct NodeSteps {
    node: NodeNumber,
    steps: u32,
    /// How many of each kind.
    kinds: BTreeMap<String, u32>,
}

/// Points that broke the same promise the same way.
#[derive(Debug, Serialize)]
struct Broken {
    oracle: String,
    detail: String,
    points: u64,
    /// A command for each of the first.
    replay: Vec<String>,
}

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    format: u32,
    scenario: String,
    seed: u64,
    /// Durable writes of all nodes: W.
    durable_writes: u64,
    nodes: Vec<NodeSteps>,
    /// Crash points: each step, before, amid and after it.
    points: u64,
    /// And in recoveries.
    points_in_recovery: u64,
    visited: u64,
    visited_in_recovery: u64,
    /// Power cuts whose node came back before the run was healed.
    recovered: u64,
    /// Different contents of the disk that the power went from.
    distinct_disks: usize,
    /// Different runs.
    distinct_outcomes: usize,
    held: u64,
    violations: BTreeMap<String, Broken>,
    complete: bool,
    wall_seconds: f64,
    #[serde(skip)]
    verdict: Option<ExitCode>,
    #[serde(skip)]
    disks: BTreeSet<u64>,
    #[serde(skip)]
    outcomes: BTreeSet<String>,
    /// How many steps the recovery from each point took.
    #[serde(skip)]
    recoveries: Vec<(NodeNumber, u32, Moment, u32)>,
    #[serde(skip)]
    directory: PathBuf,
    #[serde(skip)]
    canary: Option<String>,
}

impl Report {
    pub(super) fn new(
        loaded: &Loaded,
        seed: u64,
        directory: PathBuf,
        canary: Option<&str>,
    ) -> Self {
        Self {
            format: 1,
            scenario: loaded.scenario.name.clone(),
            seed,
            durable_writes: 0,
            nodes: Vec::new(),
            points: 0,
            points_in_recovery: 0,
            visited: 0,
            visited_in_recovery: 0,
            recovered: 0,
            distinct_disks: 0,
            distinct_outcomes: 0,
            held: 0,
            violations: BTreeMap::new(),
            complete: false,
            wall_seconds: 0.0,
            verdict: None,
            disks: BTreeSet::new(),
            outcomes: BTreeSet::new(),
            recoveries: Vec::new(),
            directory,
            canary: canary.map(str::to_owned),
        }
    }

    /// The steps of a node that no crash point stopped.
    pub(super) fn numbered(&mut self, node: NodeNumber, names: &[StepName]) {
        let mut kinds = BTreeMap::new();
        for StepName { deed, file } in names {
            *kinds.entry(format!("{deed} {file}")).or_default() += 1;
        }
        self.durable_writes += names.len() as u64;
        self.nodes.push(NodeSteps { node, steps: names.len() as u32, kinds });
        self.nodes.sort_by_key(|of| of.node);
    }

    /// The number of steps of each node.
    pub(super) fn steps(&self) -> impl Iterator<Item = (NodeNumber, u32)> {
        self.nodes.iter().map(|of| (of.node, of.steps))
    }

    /// Every step of every recovery that was seen, at each moment.
    pub(super) fn recovery_points(&self) -> Vec<Fault> {
        let mut recoveries = self.recoveries.clone();
        recoveries.sort_unstable();
        let steps = recoveries.into_iter().flat_map(|(node, step, moment, taken)| {
            (1..=taken).map(move |again| (node, step, moment, again))
        });
        let each = steps.flat_map(|(node, step, moment, again)| {
            Moment::ALL.map(|second| {
                point(node, step, moment, Some(InRecovery { step: again, moment: second }))
            })
        });
        each.collect()
    }

    /// These will be visited.
    pub(super) fn asked(&mut self, points: &[Fault]) {
        let is_second = |fault: &&Fault| matches!(fault, Fault::CrashPoint { again: Some(_), .. });
        let second = points.iter().filter(is_second).count() as u64;
        self.points_in_recovery += second;
        self.points += points.len() as u64 - second;
    }

    /// A run ended.
    pub(super) fn visited(&mut self, result: &RunResult) -> Result<(), ToolError> {
        let visit = Visit::of(result);
        self.disks.extend(&visit.seen.images);
        self.outcomes.insert(visit.outcome.trace_hash.clone());
        self.recovered += u64::from(visit.seen.recovered);
        match visit.again {
            Some(_) => self.visited_in_recovery += u64::from(visit.seen.images.len() == 2),
            None => {
                self.visited += u64::from(visit.seen.images.len() == 1);
                let taken = visit.seen.recovery.len() as u32;
                self.recoveries.push((visit.node, visit.step, visit.moment, taken));
            }
        }
        if visit.outcome.verdict == Verdict::Held {
            self.held += 1;
            return Ok(());
        }
        self.broke(&visit)
    }

    fn broke(&mut self, visit: &Visit<'_>) -> Result<(), ToolError> {
        let code = visit.outcome.verdict.exit_code();
        self.verdict = Some(self.verdict.map_or(code, |known| known.worse(code)));
        let failure = visit.outcome.failure.as_ref();
        let cause = failure.map_or("none", |failure| failure.fingerprint.as_str()).to_owned();
        let broken = self.violations.entry(cause).or_insert_with(|| Broken {
            oracle: failure.map_or_else(String::new, |failure| failure.oracle.clone()),
            detail: failure.map_or_else(String::new, |failure| failure.detail.clone()),
            points: 0,
            replay: Vec::new(),
        });
        broken.points += 1;
        if broken.points > KEPT_MAX {
            return Ok(());
        }
        let Visit { node, step, moment, .. } = visit;
        let mut name = format!("node-{node}-{}-step-{step}", moment.name());
        if let Some(again) = &visit.again {
            let _ = write!(name, "-then-{}-step-{}", again.moment.name(), again.step);
        }
        let file = self.directory.join(name + ".json");
        let kept = fs::create_dir_all(&self.directory)
            .and_then(|()| fs::write(&file, document::pretty(visit.plan)));
        kept.map_err(|error| ToolError::write(&file, &error))?;
        let command = invocation(self.canary.as_deref());
        broken.replay.push(format!("{command} replay {}", file.display()));
        Ok(())
    }

    /// All was run, or time was over.
    pub(super) fn finish(&mut self, elapsed: Duration, is_whole: bool) {
        self.complete = is_whole;
        self.distinct_disks = self.disks.len();
        self.distinct_outcomes = self.outcomes.len();
        self.wall_seconds = elapsed.as_secs_f64();
    }

    fn is_all_visited(&self) -> bool {
        self.points > 0
            && self.visited == self.points
            && self.visited_in_recovery == self.points_in_recovery
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        let code = match () {
            () if !self.complete => ExitCode::Incomplete,
            () if !self.is_all_visited() => ExitCode::Coverage,
            () => ExitCode::Held,
        };
        self.verdict.map_or(code, |broken| broken.worse(code))
    }

    pub(super) fn line(&self) -> Result<String, ToolError> {
        serde_json::to_string(self).map(|line| line + "\n").map_err(ToolError::tool)
    }

    pub(super) fn words(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes everything");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "disk steps of {}, seed {}", self.scenario, self.seed)?;
        for of in &self.nodes {
            writeln!(out, "  node {:<30} {:>9}", of.node, of.steps)?;
            for (kind, count) in &of.kinds {
                writeln!(out, "    {kind:<33} {count:>9}")?;
            }
        }
        let percent = |visited: u64, of: u64| match of {
            0 => String::new(),
            of => format!(" ({} %)", visited * 100 / of),
        };
        writeln!(out, "\n  durable writes (W) {:>26}", self.durable_writes)?;
        for (name, visited, of) in [
            ("crash points visited", self.visited, self.points),
            ("in recoveries visited", self.visited_in_recovery, self.points_in_recovery),
        ] {
            writeln!(out, "  {name:<35} {visited:>9} of {of}{}", percent(visited, of))?;
        }
        writeln!(out, "  nodes that came back {:>24}", self.recovered)?;
        writeln!(out, "  distinct disks after a power cut {:>12}", self.distinct_disks)?;
        writeln!(out, "  distinct outcomes {:>27}", self.distinct_outcomes)?;
        writeln!(out, "  wall seconds {:>32.1}\n", self.wall_seconds)?;
        for broken in self.violations.values() {
            let Broken { oracle, detail, points, replay } = broken;
            writeln!(out, "{oracle} broke at {points} points: {detail}")?;
            replay.iter().try_for_each(|command| writeln!(out, "  {command}"))?;
        }
        let broken: u64 = self.violations.values().map(|broken| broken.points).sum();
        let held = self.held;
        match self.exit_code() {
            ExitCode::Held => writeln!(out, "HELD: at every disk step, {held} runs"),
            ExitCode::Coverage => writeln!(out, "COVERAGE: not every disk step was reached"),
            ExitCode::Incomplete => writeln!(out, "INCOMPLETE: {held} runs held, more are left"),
            _ => writeln!(out, "FAILED: {broken} runs of {}", broken + held),
        }
    }
}
