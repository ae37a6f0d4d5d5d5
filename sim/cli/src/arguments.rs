//! Commands, their options, and what they mean: the text of `--help`.

mod bench;
mod bisect;
mod crash_points;
#[cfg(test)]
mod engines;
mod failures;
mod gate;
mod guide;
mod mutate;
mod prune;
mod unmask;

pub(crate) use bench::Bench;
use billsim_engine::OpId;
pub(crate) use bisect::Bisect;
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
pub(crate) use crash_points::CrashPoints;
pub(crate) use failures::{Diff, Explain, Merge, Replay, Report, Show, Shrink};
pub(crate) use gate::Gate;
pub(crate) use guide::Guide;
pub(crate) use mutate::Mutate;
pub(crate) use prune::Prune;
use std::path::PathBuf;
pub(crate) use unmask::Unmask;

/// Tests the billing cluster under injected faults, deterministically.
///
/// Exit codes: 0 held, 1 the tool failed, 2 usage, 10 safety violated, 11 liveness violated,
/// 12 nondeterminism, 13 coverage gap, 14 a canary survived, 20 incomplete, 125 this revision
/// cannot be judged.
#[derive(Debug, Parser)]
#[command(name = "billsim", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Plants a bug into the node (only in a build of `cargo canary`); see `canary`.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) canary: Option<String>,
    /// Colours; `auto` leaves them out where NO_COLOR is set or nobody looks.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
}

impl Arguments {
    /// What this process was called with. Colours are decided first: they are about clap's own
    /// words too.
    pub(crate) fn of_process() -> Result<Self, clap::Error> {
        let words: Vec<String> = std::env::args().collect();
        let color = words.iter().enumerate().find_map(|(place, word)| match word.as_str() {
            "--color" => words.get(place + 1).map(String::as_str),
            other => other.strip_prefix("--color="),
        });
        let color = color.and_then(|name| ColorChoice::from_str(name, true).ok());
        let command = Self::command().color(color.unwrap_or_default());
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

/// What to do. What each does is said at its options: `--help` shows all of it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sweep(Sweep),
    Merge(Merge),
    Run(Run),
    Replay(Replay),
    Explain(Explain),
    Show(Show),
    Diff(Diff),
    Bisect(Bisect),
    Shrink(Shrink),
    CrashPoints(CrashPoints),
    Report(Report),
    Gate(Gate),
    Guide(Guide),
    Prune(Prune),
    Corpus(Corpus),
    Bench(Bench),
    Canary(Canary),
    Mutate(Mutate),
    Unmask(Unmask),
    List(List),
    /// Checks that this machine and this tree can run the testbed.
    Doctor,
    Schema(Schema),
    Completions(Completions),
    Man(Man),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Words and tables.
    Human,
    /// One JSON document per line.
    Json,
}

/// How progress is shown, on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowProgress {
    /// A bar on a terminal, a line every 30 s elsewhere.
    Auto,
    /// A bar.
    Bar,
    /// A line every 30 s.
    Counter,
    /// Nothing.
    None,
}

/// A half-open range of seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("'{text}' is no range of seeds: A..B expected, B is not included");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let from: u64 = from.parse().map_err(|_| wrong())?;
    let to: u64 = to.parse().map_err(|_| wrong())?;
    if from >= to {
        return Err(format!("'{text}' holds no seed: A..B needs A < B"));
    }
    Ok(Seeds { from, to })
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("'{text}' is no duration: a number with s, m or h expected, as in 30m");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let seconds = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(std::time::Duration::from_secs).ok_or_else(wrong)
}

/// A simulated time in nanoseconds.
fn simulated(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no simulated time: 12.5s or 900ms expected");
    let (number, unit_ns) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e6),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1e9),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    // A simulation of more than a year is a typing error.
    let is_legal = number.is_finite() && number >= 0.0 && number * unit_ns < 3.2e16;
    if is_legal { Ok((number * unit_ns).round() as u64) } else { Err(wrong()) }
}

fn percent(text: &str) -> Result<u8, String> {
    let wrong = || format!("'{text}' is no share: 0% to 100% expected");
    let number: u8 = text.strip_suffix('%').unwrap_or(text).parse().map_err(|_| wrong())?;
    if number <= 100 { Ok(number) } else { Err(wrong()) }
}

fn kebab(text: &str) -> Result<String, String> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if text.split('-').all(is_word) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is no name: words of a-z and 0-9 with hyphens expected"))
}

/// Runs many seeds of one or more scenarios and says what held.
///
/// The first Ctrl-C or SIGTERM ends it in order, with exit code 20: `--resume` goes on from there.
/// SIGUSR1 prints on stderr how far it is.
#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// Scenarios: names under `scenarios/`, or paths. Without any, those of the profile.
    pub(crate) scenarios: Vec<String>,
    /// Scenarios and seeds as `scenarios/profiles.toml` names them.
    #[arg(long, default_value = "smoke")]
    pub(crate) profile: String,
    /// Seeds of each scenario, half-open; instead of those of the profile.
    #[arg(long, value_parser = seeds, value_name = "A..B")]
    pub(crate) seeds: Option<Seeds>,
    /// Ends after this wall time, with exit code 20 if seeds are left.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) budget: Option<std::time::Duration>,
    /// Seeds at a time; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Ends after so many failed seeds.
    #[arg(long, value_name = "N")]
    #[arg(num_args = 0..=1, default_missing_value = "1", require_equals = true)]
    pub(crate) fail_fast: Option<u64>,
    /// Runs this share of the seeds again, with each node as a task of its own, and compares. Where
    /// the traces differ the first event that does is shown, and the exit code is 12.
    #[arg(long, value_parser = percent, default_value = "2%", value_name = "SHARE")]
    pub(crate) check_determinism: u8,
    /// CPU time after which a seed's run is ended as a liveness failure; how busy the machine is
    /// with other work does not matter.
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "DURATION")]
    pub(crate) seed_limit: std::time::Duration,
    /// Leaves out what `scenarios/regressions/` keeps; it runs first otherwise.
    #[arg(long)]
    pub(crate) without_regressions: bool,
    /// Seeds of this file instead: a line each, `SEED` for every scenario or `SCENARIO SEED`;
    /// `#` begins a comment.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub(crate) seeds_from: Option<PathBuf>,
    /// Says what would run and where each value comes from: command line, line of a file, default.
    #[arg(long)]
    pub(crate) show_origin: bool,
    /// Known failures that do not count; `ci/waivers.toml` without it, where there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) waivers: Option<PathBuf>,
    /// Lets no known failure pass.
    #[arg(long, conflicts_with = "waivers")]
    pub(crate) without_waivers: bool,
    /// Runs a part only: the i-th seed belongs to shard (i mod N) + 1. `auto`: as Slurm, GitLab,
    /// Buildkite, CircleCI, Cloud Run, AWS Batch, Kubernetes or Nomad say (the last two need
    /// BILLSIM_SHARD_COUNT); exit code 2 rather than a guess.
    #[arg(long, value_parser = crate::shard::parse, value_name = "K/N|auto")]
    pub(crate) shard: Option<crate::shard::ShardOption>,
    /// Directory of the run; must not hold one already. By default under `target/runs/`. `{shard}`
    /// in it stands for the number of the shard, `{commit}` for the first 12 digits of the commit.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Goes on with the run in that directory where it was interrupted or killed; begins it where
    /// there is none yet.
    #[arg(long, requires = "out")]
    pub(crate) resume: bool,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t = ShowProgress::Auto)]
    pub(crate) show_progress: ShowProgress,
    /// `json`: one outcome per line on stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Runs one seed and prints its outcome.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A name under `scenarios/`, or a path.
    pub(crate) scenario: String,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Faults of this file instead of those that the seed draws.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Writes the drawn fault plan to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_plan: Option<PathBuf>,
    /// Follows this transaction: where its bytes were at every moment, and what removed the last
    /// copy.
    #[arg(long, value_name = "OP_ID")]
    pub(crate) custody: Option<OpId>,
    /// Where the files of a failure or of the loss of a region go: `timeline.html`, events, plan;
    /// a new directory under `target/runs` if absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Runs each node as a task of its own; the trace hash must not change.
    #[arg(long)]
    pub(crate) tasks: bool,
    /// Changes the last byte of the delivered frame with this number; the trace hash must change.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) alter_frame: Option<u64>,
    /// Shows the nodes' own logs on stderr, stamped with simulated time, as in `info` or
    /// `billing_core=debug`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// `json`: the outcome as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Files plans under `scenarios/regressions/`, which every sweep runs first.
#[derive(Debug, Args)]
pub(crate) struct Corpus {
    #[command(subcommand)]
    pub(crate) command: CorpusCommand,
}

/// What to do with the corpus.
#[derive(Debug, Subcommand)]
pub(crate) enum CorpusCommand {
    /// Files a plan that fails; it runs before every sweep from then on.
    Add(CorpusAdd),
}

/// `billsim corpus add`.
#[derive(Debug, Args)]
pub(crate) struct CorpusAdd {
    /// A fault plan, such as the `shrunk.json` of `shrink`.
    pub(crate) plan: PathBuf,
    /// What broke, as in `receipt-instead-of-conflict`: the name of the new file.
    #[arg(long, value_parser = kebab)]
    pub(crate) name: String,
    /// What it once showed is mended: it must hold instead of fail.
    #[arg(long)]
    pub(crate) fixed: bool,
    /// What it shows, in one line, instead of what the plan or the failure says.
    #[arg(long, value_name = "LINE")]
    pub(crate) about: Option<String>,
}

/// Shows that every planted bug is caught by ordinary scenarios and seeds
///
/// Each must be caught by the oracle that `scenarios/canaries.toml` names, within the seeds that it
/// allows, and the same seeds must hold without the bug. Exit codes: 0 all were, 14 one survived or
/// was seen by another oracle only, 10 seeds fail without a bug.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Canary {
    /// Canaries to show; all of them without any.
    pub(crate) names: Vec<String>,
    /// No canary may take more seeds than this, whatever the list allows it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) each_within: Option<u64>,
    /// Seeds at a time; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// `json`: one document per canary.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Scenarios with what they are for.
    Scenarios,
    /// Profiles with their scenarios and seeds.
    Profiles,
    /// Oracles with the promises that they check.
    Oracles,
    /// `sometimes!` marks of node and engine.
    Marks,
    /// Planted bugs.
    Canaries,
}

/// Lists scenarios, profiles, oracles, fault kinds, marks or canaries.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// What.
    #[arg(value_enum, default_value_t = Listed::Scenarios)]
    pub(crate) what: Listed,
}

/// Prints a published schema.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which document.
    #[arg(value_parser = [
        "scenario", "plan", "outcome", "manifest", "events", "conclusion", "checkpoint", "simfail",
    ])]
    pub(crate) document: String,
}

/// Prints what a shell needs to complete these commands.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Writes a manual page per command.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where `billsim.1` and its siblings go.
    pub(crate) directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::{Arguments, CommandFactory, Seeds, duration, kebab, percent, seeds, simulated};

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_says_what_is_written_and_how_it_ends() {
        let mut command = Arguments::command();
        for (name, words) in [
            ("sweep", "SIGUSR1"),
            ("merge", "Missing shards are named, and the exit code is 20"),
            ("replay", "SCHEDULE is NO LONGER REACHABLE"),
            ("explain", "Exit codes: 0 each was left out in turn"),
            ("shrink", "Exit codes: 0 nothing more can be left out"),
            ("report", "ui.perfetto.dev"),
            ("gate", "Exit code"),
        ] {
            let help = command.find_subcommand_mut(name).expect(name).render_long_help();
            let help = help.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(help.contains(words), "{name}: {help}");
        }
        for each in command.get_subcommands() {
            let about = each.get_about().expect("each says what it does").to_string();
            assert!(!about.ends_with('.') && !about.contains("billsim "), "{about}");
        }
    }

    #[test]
    fn ranges_durations_and_shares_say_what_is_wrong() {
        assert_eq!(seeds("3..7"), Ok(Seeds { from: 3, to: 7 }));
        assert!(seeds("7..3").unwrap_err().contains("holds no seed"));
        assert!(seeds("7").unwrap_err().contains("A..B expected"));
        assert_eq!(duration("30m"), Ok(std::time::Duration::from_secs(1_800)));
        assert!(duration("30").unwrap_err().contains("s, m or h"));
        assert_eq!(simulated("12.5s"), Ok(12_500_000_000));
        assert_eq!(simulated("900ms"), Ok(900_000_000));
        for wrong in ["12", "-1s", "NaNs", "s", "1e30s"] {
            assert!(simulated(wrong).unwrap_err().contains("12.5s or 900ms"), "{wrong}");
        }
        assert_eq!(percent("5%"), Ok(5));
        assert_eq!(kebab("stale-read-2"), Ok("stale-read-2".to_owned()));
        for wrong in ["", "a--b", "../up", "Upper", "two words"] {
            assert!(kebab(wrong).unwrap_err().contains("is no name"));
        }
        assert!(percent("101").unwrap_err().contains("0% to 100%"));
    }
}
