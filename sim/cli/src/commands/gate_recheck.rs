//! `billsim gate --recheck`: whether evidence is what the gate wrote, and whether seeds that it
//! names still give the traces that it names.

use super::gate;
use crate::context::{jobs, say};
use crate::corpus::{Corpus, Loaded};
use crate::identity;
use crate::tool_error::ToolError;
use billsim_engine::Job;
use billsim_engine::sweep::{Settings, sweep};
use billsim_gate::{Evidence, SeedTrace};
use billsim_record::ExitCode;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const WALL_LIMIT: Duration = Duration::from_secs(120);

pub(super) fn recheck(path: &PathBuf, percent: u8) -> Result<ExitCode, ToolError> {
    let evidence = gate::read(path)?;
    say(&format!("the {} digests of {} are right\n", evidence.chain.len(), path.display()));
    let binary = identity::binary_hash()?;
    if binary != evidence.manifest.binary_hash {
        let (ran, commit) = (&evidence.manifest.binary_hash, &evidence.manifest.commit);
        return Err(ToolError::cannot_judge(format!(
            "this binary is {binary}, the run was of {ran} (commit {}): build that one to run its \
             seeds again",
            commit.as_deref().unwrap_or("unknown")
        )));
    }
    let scenarios = scenarios(&evidence)?;
    let sample = sample(&evidence, percent);
    let work = sample
        .iter()
        .map(|(scenario, trace)| Job::new(Arc::clone(&scenarios[*scenario].scenario), trace.seed));
    let settings = Settings { jobs: jobs(0), time_limit: WALL_LIMIT };
    let mut differ = Vec::new();
    let on_result = |result: billsim_engine::RunResult| {
        let outcome = &result.outcome;
        let named = evidence.seeds.get(&outcome.scenario).into_iter().flatten();
        let mut named = named.filter(|trace| trace.seed == outcome.seed);
        if !named.any(|trace| trace.trace_hash == outcome.trace_hash) {
            differ.push(format!("{} seed {}", outcome.scenario, outcome.seed));
        }
    };
    sweep(work, settings, &AtomicBool::new(false), on_result, || {});
    if differ.is_empty() {
        say(&format!("{} seeds run again: the traces that it names\n", sample.len()));
        return Ok(ExitCode::Held);
    }
    let words = format!("{}: another trace in {}", path.display(), differ.join(", "));
    Err(ToolError::nondeterminism(words))
}

/// The scenarios, which must be those that were run.
fn scenarios(evidence: &Evidence) -> Result<BTreeMap<&str, Loaded>, ToolError> {
    let corpus = Corpus::find()?;
    let mut scenarios = BTreeMap::new();
    for name in evidence.seeds.keys() {
        let loaded = corpus.scenario(name)?;
        let known = evidence.manifest.scenario_hashes.get(name);
        if known != Some(&identity::hash(loaded.text.as_bytes())) {
            let words = format!("scenario {name} is another one than when the run was made");
            return Err(ToolError::cannot_judge(words));
        }
        scenarios.insert(name.as_str(), loaded);
    }
    Ok(scenarios)
}

/// Every so many seeds of each scenario, from the first; the digest of the evidence says with
/// which one it begins, so that nobody can know before which will be run again.
fn sample(evidence: &Evidence, percent: u8) -> Vec<(&str, &SeedTrace)> {
    let first = u64::from_str_radix(evidence.digest().get(..8).unwrap_or("0"), 16).unwrap_or(0);
    let mut sample = Vec::new();
    for (scenario, traces) in &evidence.seeds {
        let count = traces.len().max(1);
        let step = (100 / usize::from(percent.max(1))).clamp(1, count);
        let start = first as usize % step;
        sample.extend(
            traces.iter().skip(start).step_by(step).map(|trace| (scenario.as_str(), trace)),
        );
    }
    sample
}
