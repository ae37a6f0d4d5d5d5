//! `billsim bench`: how fast the testbed is at one job. CPU time and peak memory come from
//! getrusage, so that other work on the machine counts less than it would on a clock.

use super::bench_compare::compare;
use crate::arguments::{Bench, Format};
use crate::context::say;
use crate::corpus::Corpus;
use crate::tool_error::ToolError;
use billsim_engine::Job;
use billsim_engine::sweep::run_one;
use billsim_record::ExitCode;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// The figures. Those of another revision are read as well, which may know more of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    scenario: String,
    seeds: u64,
    cpu_seconds: f64,
    pub(super) simulated_seconds_per_cpu_second: f64,
    pub(super) acknowledged_per_cpu_second: f64,
    delivered_messages_per_cpu_second: f64,
    events_per_cpu_second: f64,
    seeds_per_minute: f64,
    pub(super) peak_rss_bytes: u64,
}

pub(super) fn usage() -> Result<Usage, ToolError> {
    getrusage(UsageWho::RUSAGE_SELF).map_err(ToolError::tool)
}

/// CPU time of this process, in seconds.
pub(super) fn cpu_seconds(usage: &Usage) -> f64 {
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

pub(crate) fn bench(arguments: &Bench) -> Result<ExitCode, ToolError> {
    if let Some(revision) = &arguments.compare {
        return compare(arguments, revision);
    }
    let loaded = Corpus::find()?.scenario(&arguments.scenario)?;
    let started = cpu_seconds(&usage()?);
    let (mut simulated, mut acknowledged, mut delivered, mut events) = (0.0, 0, 0, 0);
    let mut code = ExitCode::Held;
    for seed in arguments.seeds.from..arguments.seeds.to {
        let result = run_one(Job::new(loaded.scenario.clone(), seed)).map_err(ToolError::tool)?;
        simulated += result.outcome.simulated_seconds;
        acknowledged += result.outcome.acknowledged;
        delivered += result.outcome.delivered_messages;
        events += result.outcome.events;
        code = code.worse(result.outcome.verdict.exit_code());
    }
    let ended = usage()?;
    let cpu = (cpu_seconds(&ended) - started).max(1e-6);
    let seeds = arguments.seeds.to - arguments.seeds.from;
    let figures = Figures {
        scenario: arguments.scenario.clone(),
        seeds,
        cpu_seconds: cpu,
        simulated_seconds_per_cpu_second: simulated / cpu,
        acknowledged_per_cpu_second: acknowledged as f64 / cpu,
        delivered_messages_per_cpu_second: delivered as f64 / cpu,
        events_per_cpu_second: events as f64 / cpu,
        seeds_per_minute: seeds as f64 * 60.0 / cpu,
        // Linux counts in KiB.
        peak_rss_bytes: u64::try_from(ended.max_rss()).unwrap_or(0) * 1_024,
    };
    match arguments.format {
        Format::Json => {
            let text = serde_json::to_string(&figures).map_err(ToolError::tool)?;
            say(&format!("{text}\n"));
        }
        Format::Human => say(&table(&figures)),
    }
    Ok(code)
}

fn table(figures: &Figures) -> String {
    let rows = [
        ("simulated seconds per CPU second", figures.simulated_seconds_per_cpu_second),
        ("acknowledged per CPU second", figures.acknowledged_per_cpu_second),
        ("delivered messages per CPU second", figures.delivered_messages_per_cpu_second),
        ("events per CPU second", figures.events_per_cpu_second),
        ("seeds per minute", figures.seeds_per_minute),
        ("peak memory in MB", figures.peak_rss_bytes as f64 / 1e6),
    ];
    let mut out = format!(
        "{} seeds of {} in {:.2} CPU seconds, one job\n",
        figures.seeds, figures.scenario, figures.cpu_seconds
    );
    for (name, value) in rows {
        out.push_str(&format!("  {name:<36}{value:>14.0}\n"));
    }
    out
}
