//! A run directory read back, and the reports that are made of it. A sweep writes its reports by
//! the same way as `billsim report`, so that both are the same files.

use crate::context::invocation;
use crate::tool_error::ToolError;
use billsim_record::conclusion::CONCLUSION_FORMAT;
use billsim_record::event::EventsHead;
use billsim_record::{Checkpoint, Conclusion, Document, Manifest, Outcome, RunEvents, document};
use billsim_reports::junit::junit;
use billsim_reports::markdown::markdown;
use billsim_reports::percentiles::percentiles;
use billsim_reports::prometheus::prometheus;
use billsim_reports::report::report;
use billsim_reports::{Baseline, Latency, Run, Stored, Tally};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What is kept of the earlier run that this one is compared with.
const AGAINST: &str = "against.json";

/// A run directory, read.
#[derive(Debug)]
pub(crate) struct StoredRun {
    path: PathBuf,
    manifest: Manifest,
    conclusion: Conclusion,
    tally: Tally,
    latency: Vec<(String, Histogram<u64>)>,
    stored: BTreeMap<String, Stored>,
    against: Option<Baseline>,
}

impl StoredRun {
    /// Reads a run directory.
    ///
    /// # Errors
    /// A directory that holds no run, or one of another release.
    pub(crate) fn open(path: &Path) -> Result<Self, ToolError> {
        let manifest: Manifest = read(&path.join("manifest.json"))?;
        let file = path.join("conclusion.json");
        let conclusion = if file.is_file() { read(&file)? } else { of_killed(&manifest) };
        let mut tally = Tally::knowing(
            conclusion.promises.keys().map(String::as_str),
            conclusion.marks.iter().map(String::as_str),
        );
        conclusion.required.iter().for_each(|kind| tally.require(kind));
        manifest.waivers.iter().for_each(|waiver| tally.waive(waiver));
        let mut runs = 0_u64;
        each_outcome(&path.join("outcomes.jsonl"), |outcome| {
            runs += 1;
            tally.add(outcome);
        })?;
        check_whole(path, &conclusion, runs)?;
        let mut latency = Vec::new();
        for scenario in tally.scenarios.keys() {
            if let Some(histogram) = histogram(path, scenario)? {
                latency.push((scenario.clone(), histogram));
            }
        }
        let causes = tally.causes.keys().filter_map(|cause| {
            let directory = path.join("failures").join(cause);
            directory.is_dir().then(|| (cause.clone(), stored_in(&directory)))
        });
        let stored = causes.collect();
        let file = path.join(AGAINST);
        let against = if file.is_file() { Some(read(&file)?) } else { None };
        let path = path.to_path_buf();
        Ok(Self { path, manifest, conclusion, tally, latency, stored, against })
    }

    /// Compares it with an earlier run from now on.
    pub(crate) fn compare(path: &Path, earlier: &Path) -> Result<(), ToolError> {
        let baseline = Self::open(earlier)?.with(Baseline::of);
        let file = path.join(AGAINST);
        let text = document::pretty(&baseline);
        fs::write(&file, text).map_err(|error| ToolError::write(&file, &error))
    }

    /// What was asked for, of which code.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How it ended.
    pub(crate) fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// What it came to.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Shows every outcome, in the order in which they were stored.
    pub(crate) fn each_outcome(&self, see: impl FnMut(&Outcome)) -> Result<(), ToolError> {
        each_outcome(&self.path.join("outcomes.jsonl"), see)
    }

    /// Directories of failures.
    pub(crate) fn failures(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.stored.keys().map(|cause| self.path.join("failures").join(cause))
    }

    /// Latency of acknowledged writes per scenario.
    pub(crate) fn latency(&self) -> &[(String, Histogram<u64>)] {
        &self.latency
    }

    /// Shows it to a report.
    pub(crate) fn with<T>(&self, show: impl FnOnce(&Run<'_>) -> T) -> T {
        let command = invocation(self.manifest.canary.as_deref());
        let directory = self.path.display().to_string();
        let figures = |histogram: &Histogram<u64>| Latency {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        };
        let latency: Vec<(String, Latency)> =
            self.latency.iter().map(|(name, of)| (name.clone(), figures(of))).collect();
        show(&Run {
            manifest: &self.manifest,
            conclusion: &self.conclusion,
            tally: &self.tally,
            latency: &latency,
            stored: &self.stored,
            against: self.against.as_ref(),
            command: &command,
            directory: &directory,
        })
    }

    /// Writes every report; returns their names.
    pub(crate) fn write_reports(&self) -> Result<Vec<String>, ToolError> {
        let mut written = self.with(|run| {
            vec![
                ("report.html".to_owned(), report(run)),
                ("junit.xml".to_owned(), junit(run)),
                ("summary.md".to_owned(), markdown(run)),
                ("metrics.prom".to_owned(), prometheus(run)),
            ]
        });
        for (scenario, histogram) in &self.latency {
            written.push((format!("latency/{}.txt", file_name(scenario)), percentiles(histogram)));
        }
        for (name, text) in &written {
            let file = self.path.join(name);
            fs::write(&file, text).map_err(|error| ToolError::write(&file, &error))?;
        }
        Ok(written.into_iter().map(|(name, _)| name).collect())
    }
}

/// Refuses a run of which outcomes are gone: reports of what is left would say too much.
pub(crate) fn check_whole(path: &Path, said: &Conclusion, runs: u64) -> Result<(), ToolError> {
    let file = path.join("outcomes.jsonl");
    if said.ended_early.is_none() && runs < said.asked {
        return Err(ToolError::usage(format!(
            "{}: {runs} of the {} outcomes with which this run ended: something was taken from \
             it, copy it again",
            file.display(),
            said.asked
        )));
    }
    let noted = path.join("checkpoint.json");
    let noted = if noted.is_file() { read::<Checkpoint>(&noted)?.outcomes_bytes } else { 0 };
    let bytes = fs::metadata(&file).map_err(|error| ToolError::read(&file, &error))?.len();
    if bytes < noted {
        return Err(ToolError::usage(format!(
            "{}: it has {bytes} bytes, and {noted} when this run last noted how far it was: \
             something was taken from it, copy it again",
            file.display()
        )));
    }
    Ok(())
}

/// How a scenario is called in names of files.
pub(crate) fn file_name(scenario: &str) -> String {
    scenario.replace('/', "-")
}

/// A document of a run directory.
pub(crate) fn read<D: Document>(path: &Path) -> Result<D, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    document::read(&text).map_err(|error| ToolError::usage(format!("{}: {error}", path.display())))
}

/// What lies in the directory of a failure; what cannot be read is not there.
fn stored_in(directory: &Path) -> Stored {
    let has_timeline = directory.join("timeline.html").is_file();
    let events = File::open(directory.join("events.jsonl")).ok();
    let head = events.and_then(|file| BufReader::new(file).lines().next()?.ok());
    let head: Option<EventsHead> = head.and_then(|line| serde_json::from_str(&line).ok());
    Stored { has_timeline, told: head.and_then(|head| head.told), takes: takes(directory) }
}

/// What a failure takes: the last line that `shrink` left beside it.
pub(crate) fn takes(directory: &Path) -> Option<String> {
    let words = fs::read_to_string(directory.join("explanation.txt")).ok()?;
    words.lines().last().map(str::to_owned)
}

/// The events of a failure, where it was told.
pub(crate) fn events(directory: &Path) -> Result<Option<RunEvents>, ToolError> {
    let path = directory.join("events.jsonl");
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|error| ToolError::read(&path, &error))?;
    let events = RunEvents::from_lines(&text);
    events.map(Some).map_err(|error| ToolError::usage(format!("{}: {error}", path.display())))
}

/// A run that was killed said nothing at its end: what this binary knows stands in.
fn of_killed(manifest: &Manifest) -> Conclusion {
    let promises = billsim_engine::oracles();
    let all: u64 = manifest.plan.iter().map(|plan| plan.seeds_to - plan.seeds_from).sum();
    Conclusion {
        format: CONCLUSION_FORMAT,
        asked: all.div_ceil(manifest.shard.map_or(1, |shard| shard.of.into())),
        ended_early: Some("it was killed, or still runs".to_owned()),
        is_whole: false,
        coverage_required: false,
        wall_seconds: 0.0,
        promises: promises.map(|(id, words)| (id.to_owned(), words.to_owned())).collect(),
        marks: billsim_engine::marks::catalogue().map(str::to_owned).collect(),
        required: Vec::new(),
    }
}

/// Shows every outcome of a file, line by line: it may be larger than memory. A last line without
/// its newline was torn and is left out.
pub(crate) fn each_outcome(path: &Path, mut show: impl FnMut(&Outcome)) -> Result<(), ToolError> {
    let file = File::open(path).map_err(|error| ToolError::read(path, &error))?;
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        lines.read_line(&mut line).map_err(|error| ToolError::read(path, &error))?;
        if !line.ends_with('\n') {
            return Ok(());
        }
        let outcome: Outcome = document::read(&line).map_err(|error| {
            ToolError::usage(format!("{}, line {number}: {error}", path.display()))
        })?;
        show(&outcome);
    }
}

fn histogram(path: &Path, scenario: &str) -> Result<Option<Histogram<u64>>, ToolError> {
    let file = path.join("latency").join(format!("{}.hdr", file_name(scenario)));
    if !file.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(&file).map_err(|error| ToolError::read(&file, &error))?;
    let histogram = Deserializer::new().deserialize(&mut bytes.as_slice());
    let wrong = |error| ToolError::usage(format!("{}: no histogram: {error}", file.display()));
    histogram.map(Some).map_err(wrong)
}
