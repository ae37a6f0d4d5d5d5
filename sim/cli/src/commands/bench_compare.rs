//! `billsim bench --compare REV`: this binary and that of another revision, measured in turns on
//! the same machine. Single figures of two runs say more of the machine than of the code; ratios
//! within a round do not.

use super::bench::Figures;
use crate::arguments::{Bench, Format};
use crate::context::{say, warn};
use crate::interrupt;
use crate::machine::build::{self, Built, create};
use crate::machine::child::{self, Ended};
use crate::machine::git::{self, Worktree};
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A seed has a limit of its own.
const NO_LIMIT: Duration = Duration::MAX;
/// Work per simulated second that differs by less is the same work.
const SAME_WORK: f64 = 0.005;

/// The figures of both in a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Round {
    ours: Figures,
    theirs: Figures,
}

/// Least, median and most of a ratio over the rounds; above 1, this binary is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Ratio {
    least: f64,
    median: f64,
    most: f64,
}

impl Ratio {
    /// Of one per round; there is at least one.
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let middle = ratios.len() / 2;
        let median = match ratios.len() % 2 {
            0 => f64::midpoint(ratios[middle - 1], ratios[middle]),
            _ => ratios[middle],
        };
        Self { least, median, most }
    }
}

/// What a comparison came to.
#[derive(Debug, Serialize)]
struct Comparison {
    scenario: String,
    /// The commit of the other revision.
    commit: String,
    /// Simulated seconds per CPU second.
    speed: Ratio,
    /// Bytes at the peak.
    memory: Ratio,
    /// Acknowledged writes per simulated second, ours over theirs: 1 where both do the same work.
    load: f64,
    rounds: Vec<Round>,
}

impl Comparison {
    fn of(arguments: &Bench, commit: String, rounds: Vec<Round>) -> Self {
        let over = |ratio: fn(&Round) -> f64| Ratio::of(rounds.iter().map(ratio).collect());
        let load = |figures: &Figures| {
            figures.acknowledged_per_cpu_second / figures.simulated_seconds_per_cpu_second
        };
        Self {
            scenario: arguments.scenario.clone(),
            commit,
            speed: over(|round| {
                let speed = |figures: &Figures| figures.simulated_seconds_per_cpu_second;
                speed(&round.ours) / speed(&round.theirs)
            }),
            memory: over(|round| {
                round.theirs.peak_rss_bytes as f64 / round.ours.peak_rss_bytes as f64
            }),
            load: load(&rounds[0].ours) / load(&rounds[0].theirs),
            rounds,
        }
    }
}

pub(super) fn compare(arguments: &Bench, revision: &str) -> Result<ExitCode, ToolError> {
    let stop = interrupt::watch()?;
    let root = PathBuf::from(git::said(Path::new("."), &["rev-parse", "--show-toplevel"])?);
    let commit = git::commit(&root, revision)?;
    let build_dir = arguments.build_dir.clone().unwrap_or_else(|| root.join("target/compare"));
    let build_dir = std::path::absolute(build_dir).map_err(ToolError::tool)?;
    let scratch = std::env::temp_dir().join(format!("billsim-compare-{}", std::process::id()));
    let tree = Worktree::add(&root, &scratch, &commit)?;
    warn(&format!("bench: builds {revision} in {}", build_dir.display()));
    let log = build_dir.join("build.txt");
    let theirs = match build::release(tree.path(), &build_dir, &log, arguments.build_limit, &stop)?
    {
        Built::Stopped => return Ok(interrupted()),
        Built::Failed(why) => return Err(ToolError::usage(format!("{revision}: {why}"))),
        Built::Binary(binary) => binary,
    };
    let ours = std::env::current_exe().map_err(ToolError::tool)?;
    let here = std::env::current_dir().map_err(ToolError::tool)?;
    let figures = build_dir.join("figures.json");
    let measure =
        |binary: &Path, directory: &Path| measure(arguments, binary, directory, &figures, &stop);
    let mut rounds = Vec::new();
    for round in 1..=arguments.rounds {
        // In turns: what gets slower while this goes on gets so for both.
        let ours_first = round % 2 == 1;
        let sides: [(&Path, &Path); 2] = [(&ours, &here), (&theirs, tree.path())];
        let order = if ours_first { [0, 1] } else { [1, 0] };
        let mut measured = [None, None];
        for side in order {
            let (binary, directory) = sides[side];
            let Some((found, code)) = measure(binary, directory)? else {
                return Ok(interrupted());
            };
            if code != ExitCode::Held {
                let whose = if side == 0 { "ours" } else { revision };
                warn(&format!("bench: a seed fails ({whose}): run it to see which"));
                return Ok(code);
            }
            measured[side] = Some(found);
        }
        let [Some(ours), Some(theirs)] = measured else { unreachable!("both were measured") };
        warn(&format!(
            "round {round} of {}: {:.0} and {:.0} simulated seconds per CPU second",
            arguments.rounds,
            ours.simulated_seconds_per_cpu_second,
            theirs.simulated_seconds_per_cpu_second
        ));
        rounds.push(Round { ours, theirs });
    }
    show(arguments, revision, &Comparison::of(arguments, commit, rounds))?;
    Ok(ExitCode::Held)
}

fn interrupted() -> ExitCode {
    warn("bench: interrupted; what was built is kept, the same command begins again");
    ExitCode::Incomplete
}

/// One side of one round, in a process of its own: memory at the peak is that of the process.
fn measure(
    arguments: &Bench,
    binary: &Path,
    directory: &Path,
    figures: &Path,
    stop: &AtomicBool,
) -> Result<Option<(Figures, ExitCode)>, ToolError> {
    let mut bench = Command::new(binary);
    bench.current_dir(directory).args(["bench", &arguments.scenario, "--format", "json"]);
    bench.args(["--seeds", &format!("{}..{}", arguments.seeds.from, arguments.seeds.to)]);
    let errors = figures.with_extension("txt");
    bench.stdin(Stdio::null()).stdout(create(figures)?).stderr(create(&errors)?);
    let status = match child::run(&mut bench, NO_LIMIT, stop)? {
        Ended::Stopped | Ended::TooLate => return Ok(None),
        Ended::Itself(status) => status,
    };
    let text = fs::read_to_string(figures).map_err(|error| ToolError::read(figures, &error))?;
    let code = match status.code() {
        Some(0) => ExitCode::Held,
        Some(11) => ExitCode::Liveness,
        _ => ExitCode::Safety,
    };
    match serde_json::from_str(&text) {
        Ok(found) => Ok(Some((found, code))),
        Err(_) => {
            let words = fs::read_to_string(&errors).unwrap_or_default();
            let last = words.lines().last().unwrap_or("it said nothing");
            Err(ToolError::usage(format!("{}: no figures, {status}: {last}", binary.display())))
        }
    }
}

fn show(arguments: &Bench, revision: &str, comparison: &Comparison) -> Result<(), ToolError> {
    if arguments.format == Format::Json {
        let text = serde_json::to_string(comparison).map_err(ToolError::tool)?;
        say(&format!("{text}\n"));
        return Ok(());
    }
    say(&table(revision, comparison));
    Ok(())
}

fn table(revision: &str, comparison: &Comparison) -> String {
    let commit = comparison.commit.get(..12).unwrap_or(&comparison.commit);
    let mut out = format!(
        "{}: this binary over {revision} ({commit}), {} rounds; above 1 is better\n",
        comparison.scenario,
        comparison.rounds.len()
    );
    out.push_str(&format!("  {:<36}{:>8}{:>8}{:>8}\n", "", "least", "median", "most"));
    for (name, Ratio { least, median, most }) in
        [("speed", comparison.speed), ("memory at the peak", comparison.memory)]
    {
        out.push_str(&format!("  {name:<36}{least:>8.3}{median:>8.3}{most:>8.3}\n"));
    }
    if (comparison.load - 1.0).abs() > SAME_WORK {
        out.push_str(&format!(
            "not the same work: {:.3} times the acknowledged writes per simulated second\n",
            comparison.load
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Ratio;

    #[test]
    fn a_median_is_in_the_middle() {
        let odd = Ratio::of(vec![1.3, 0.9, 1.1]);
        assert_eq!(odd, Ratio { least: 0.9, median: 1.1, most: 1.3 });
        let even = Ratio::of(vec![2.0, 1.0]);
        assert_eq!(even, Ratio { least: 1.0, median: 1.5, most: 2.0 });
    }
}
