//! `billsim canary`: every planted bug is caught by ordinary scenarios and seeds, by the oracle
//! that must catch it, and the same seeds are green without it.

use crate::arguments::Canary;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;

/// A build without planted bugs has nothing to show.
#[cfg(not(feature = "canaries"))]
pub(crate) fn canary(_: &Canary) -> Result<ExitCode, ToolError> {
    Err(ToolError::usage("this build holds no planted bugs: run `cargo canary`"))
}

#[cfg(feature = "canaries")]
pub(crate) use planted::canary;

#[cfg(feature = "canaries")]
mod planted {
    use super::{Canary, ExitCode, ToolError};
    use crate::arguments::Format;
    use crate::commands::bench::{cpu_seconds, usage};
    use crate::context::{choices, jobs, say};
    use crate::corpus::{Corpus, read_plan};
    use crate::identity;
    use billsim_engine::sweep::{Settings, sweep};
    use billsim_engine::{Job, Scenario, canaries};
    use billsim_gate::CanaryShown;
    use billsim_record::{FaultPlan, Verdict};
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    const WALL_LIMIT: Duration = Duration::from_secs(60);

    /// What `scenarios/canaries.toml` says of a canary.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Expectation {
        scenario: String,
        oracles: Vec<String>,
        seeds: u64,
        /// Oracles that always see it first and are passed over here.
        #[serde(default)]
        past: Vec<String>,
        /// A kept plan that shows it, instead of seeds: what takes a coincidence that no scenario
        /// draws often.
        #[serde(default)]
        plan: Option<String>,
    }

    /// What is run with the bug, and again without it.
    struct Trial {
        scenario: Arc<Scenario>,
        plan: Option<FaultPlan>,
    }

    impl Trial {
        fn find(corpus: &Corpus, section: &str, of: &Expectation) -> Result<Self, ToolError> {
            let scenario = corpus.scenario(&of.scenario)?.scenario;
            let plan =
                of.plan.as_deref().map(|name| read_plan(&corpus.regression(name))).transpose()?;
            let fits = |plan: &FaultPlan| plan.scenario == of.scenario && of.seeds == 1;
            if plan.as_ref().is_some_and(|plan| !fits(plan)) {
                let words = "a plan is of the section's scenario, and is one seed";
                let file = "scenarios/canaries.toml";
                return Err(ToolError::usage(format!("{file}: {section}: {words}")));
            }
            Ok(Self { scenario, plan })
        }

        /// The run at a place from 0: the seed of that number, or the plan.
        fn job(&self, place: u64) -> Job {
            let seed = self.plan.as_ref().map_or(place, |plan| plan.seed);
            let plan = self.plan.clone();
            Job { plan, ..Job::new(Arc::clone(&self.scenario), seed) }
        }

        fn place(&self, seed: u64) -> u64 {
            if self.plan.is_some() { 0 } else { seed }
        }
    }

    pub(crate) fn canary(arguments: &Canary) -> Result<ExitCode, ToolError> {
        let corpus = Corpus::find()?;
        let mut expectations = expectations(&corpus)?;
        let all: Vec<&str> = canaries::catalogue().map(|(name, _)| name).collect();
        let names: Vec<&str> = match arguments.names.as_slice() {
            [] => all.clone(),
            names => names.iter().map(String::as_str).collect(),
        };
        let mut code = ExitCode::Held;
        let mut all_shown = Vec::new();
        for name in names {
            if !all.contains(&name) {
                let choices = choices(name, &all, "list canaries");
                return Err(ToolError::usage(format!("no canary '{name}'{choices}")));
            }
            if !expectations.contains_key(name) {
                let words = format!("scenarios/canaries.toml says nothing of '{name}'");
                return Err(ToolError::usage(words));
            }
            for (section, expectation) in &mut expectations {
                if name_of(section) == name {
                    let within = arguments.each_within.unwrap_or(u64::MAX);
                    expectation.seeds = expectation.seeds.min(within);
                    let shown = show(&corpus, section, expectation, jobs(arguments.jobs))?;
                    print(&shown, arguments.format)?;
                    code = code.worse(judge(&shown));
                    all_shown.push(shown);
                }
            }
        }
        if arguments.format == Format::Human {
            say(&summary(&all_shown));
        }
        Ok(code)
    }

    /// All of them in a line.
    fn summary(shown: &[CanaryShown]) -> String {
        let caught: Vec<&CanaryShown> = shown.iter().filter(|one| one.caught).collect();
        let mut seeds: Vec<u64> = caught.iter().map(|one| one.after_seeds).collect();
        seeds.sort_unstable();
        let (median, most) = (seeds.get(seeds.len() / 2), seeds.last());
        let cpu_ms: u64 = shown.iter().map(|one| one.cpu_ms).sum();
        format!(
            "{} of {} caught, after {} seeds in the middle and {} at most, {:.1} CPU s in all\n",
            caught.len(),
            shown.len(),
            median.unwrap_or(&0),
            most.unwrap_or(&0),
            cpu_ms as f64 / 1e3
        )
    }

    /// The canary of a section `name` or `name/oracle`.
    fn name_of(section: &str) -> &str {
        section.split_once('/').map_or(section, |(name, _)| name)
    }

    fn judge(shown: &CanaryShown) -> ExitCode {
        match () {
            () if !shown.caught => ExitCode::CanarySurvived,
            () if shown.green_without < shown.after_seeds => ExitCode::Safety,
            () => ExitCode::Held,
        }
    }

    fn expectations(corpus: &Corpus) -> Result<BTreeMap<String, Expectation>, ToolError> {
        let text = corpus.text("canaries.toml")?;
        toml::from_str(&text)
            .map_err(|error| ToolError::usage(format!("scenarios/canaries.toml: {error}")))
    }

    fn show(
        corpus: &Corpus,
        section: &str,
        expectation: &Expectation,
        jobs: usize,
    ) -> Result<CanaryShown, ToolError> {
        let trial = Trial::find(corpus, section, expectation)?;
        let name = name_of(section);
        canaries::select(Some(name));
        let started = cpu_seconds(&usage()?);
        let Seen { right, wrong } = first_red(&trial, name, expectation, jobs);
        let cpu_ms = ((cpu_seconds(&usage()?) - started) * 1e3).round() as u64;
        canaries::select(None);
        let after_seeds = right.as_ref().map_or(expectation.seeds, |(place, _)| place + 1);
        let green_without = green(&trial, after_seeds, jobs);
        Ok(CanaryShown {
            canary: section.to_owned(),
            caught: right.is_some(),
            wrong_oracle: wrong.filter(|_| right.is_none()).map(|(_, oracle)| oracle),
            oracle: right.map(|(_, oracle)| oracle),
            after_seeds,
            allowed_seeds: expectation.seeds,
            cpu_ms,
            green_without,
            commit: identity::commit(),
        })
    }

    /// The first run that an expected oracle caught, and the first that another one did; each with
    /// that oracle.
    #[derive(Default)]
    struct Seen {
        right: Option<(u64, String)>,
        wrong: Option<(u64, String)>,
    }

    /// Runs with the bug until one of the expected oracles catches it.
    fn first_red(trial: &Trial, name: &str, expectation: &Expectation, jobs: usize) -> Seen {
        let stop = AtomicBool::new(false);
        let mut seen = Seen::default();
        let job = |place| Job {
            canary: Some(name.to_owned()),
            past: expectation.past.clone(),
            second: true,
            ..trial.job(place)
        };
        let settings = Settings { jobs, time_limit: WALL_LIMIT };
        let take = |result: billsim_engine::RunResult| {
            let Some(failure) = result.outcome.failure else { return };
            let place = trial.place(result.outcome.seed);
            let is_right = expectation.oracles.contains(&failure.oracle);
            let first = if is_right { &mut seen.right } else { &mut seen.wrong };
            if first.as_ref().is_none_or(|(lowest, _)| place < *lowest) {
                *first = Some((place, failure.oracle));
            }
            // Lower seeds that are still running end before the sweep does.
            stop.fetch_or(is_right, Ordering::Relaxed);
        };
        sweep((0..expectation.seeds).map(job), settings, &stop, take, || {});
        seen
    }

    /// How many of the first runs hold without a planted bug.
    fn green(trial: &Trial, runs: u64, jobs: usize) -> u64 {
        let mut held = 0;
        let job = |place| trial.job(place);
        let settings = Settings { jobs, time_limit: WALL_LIMIT };
        let take = |result: billsim_engine::RunResult| {
            held += u64::from(result.outcome.verdict == Verdict::Held);
        };
        sweep((0..runs).map(job), settings, &AtomicBool::new(false), take, || {});
        held
    }

    fn print(shown: &CanaryShown, format: Format) -> Result<(), ToolError> {
        if format == Format::Json {
            let line = serde_json::to_string(shown).map_err(ToolError::tool)?;
            say(&format!("{line}\n"));
            return Ok(());
        }
        let CanaryShown { canary, after_seeds, allowed_seeds, green_without, .. } = shown;
        let cpu = shown.cpu_ms as f64 / 1e3;
        say(&match (&shown.oracle, &shown.wrong_oracle) {
            (Some(oracle), _) => format!(
                "{canary:<36} caught by {oracle:<4} after {after_seeds:>3} seeds (allowed \
                 {allowed_seeds}), {cpu:.2} CPU s; {green_without} of {after_seeds} hold without\n"
            ),
            (None, Some(wrong)) => {
                format!("{canary:<36} SURVIVED {allowed_seeds} seeds: only {wrong} saw something\n")
            }
            (None, None) => format!("{canary:<36} SURVIVED {allowed_seeds} seeds\n"),
        });
        Ok(())
    }
}
