//! A stored failure or plan with what belongs to it: its scenario as it was, what it came to, and
//! which binary said so.
//!
//! It is read from a `.simfail`, from a failure's directory, or from a plan. In a directory
//! `plan.json` belongs to `outcome.json`, and any other `NAME.json` to `NAME-outcome.json`;
//! `scenario.toml` is theirs. A plan without a scenario beside it runs in the scenario of the
//! source tree.

use crate::corpus::{Corpus, Loaded, parse, parse_plan, read_plan};
use crate::identity;
use crate::stored_run;
use crate::tool_error::ToolError;
use billsim_engine::{Job, plan};
use billsim_record::simfail::SIMFAIL_FORMAT;
use billsim_record::{FaultPlan, Outcome, RunEvents, SimFail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a failure is called in its directory when it is to be sent.
pub(crate) const PACKED: &str = "failure.simfail";
/// What every command about a failure takes.
const WANTED: &str =
    "a `.simfail`, a directory under `failures/` of a run, or a fault plan is expected";
/// How every gzip begins (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Failures of a run that an error lists.
const NAMED_MAX: usize = 6;

/// A stored plan, checked.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// The faults and the load.
    pub(crate) plan: FaultPlan,
    /// Where it was read from.
    pub(crate) file: PathBuf,
    /// Its scenario.
    pub(crate) loaded: Loaded,
    /// Whether the scenario lies beside the plan.
    pub(crate) has_scenario: bool,
    /// What it came to when it was stored.
    pub(crate) stored: Option<Outcome>,
    /// The binary and the commit that it was stored by.
    pub(crate) origin: Option<Origin>,
    /// What happened then, where it was told.
    pub(crate) events: Option<RunEvents>,
}

/// Which code stored a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// BLAKE3 of the binary.
    pub(crate) binary_hash: String,
    /// The commit, where it is known.
    pub(crate) commit: Option<String>,
}

impl Bundle {
    /// A `.simfail`, a failure's directory, or a plan; with the planted bug that it needs.
    pub(crate) fn open(path: &Path, canary: Option<&str>) -> Result<Self, ToolError> {
        let bundle = Self::look(path)?;
        plan::check(&bundle.plan, &bundle.loaded.scenario.cluster)
            .map_err(|error| ToolError::usage(format!("{}: {error}", bundle.file.display())))?;
        check_canary(bundle.stored.as_ref(), canary)?;
        Ok(bundle)
    }

    /// The same, only to be looked at: whether it can run is not asked.
    pub(crate) fn look(path: &Path) -> Result<Self, ToolError> {
        if path.is_dir() {
            let file = path.join("plan.json");
            if !file.is_file() {
                return Err(no_failure(path));
            }
            return Self::read(path, file.clone(), read_plan(&file)?);
        }
        let bytes = fs::read(path).map_err(|error| {
            let told = ToolError::read(path, &error);
            if error.kind() == ErrorKind::NotFound { told.expecting(WANTED) } else { told }
        })?;
        let is_packed = path.extension().is_some_and(|ending| ending == "simfail");
        // By another name, or through a pipe, it is known by its first bytes.
        if is_packed || bytes.starts_with(&GZIP_MAGIC) {
            return Self::unpack(path, &bytes);
        }
        Self::read(path, path.to_path_buf(), parse_plan(path, bytes)?)
    }

    /// What belongs to a plan, in a directory of its own or beside it.
    fn read(path: &Path, file: PathBuf, plan: FaultPlan) -> Result<Self, ToolError> {
        let is_directory = path.is_dir();
        let scenario = file.with_file_name("scenario.toml");
        let has_scenario = is_directory || scenario.is_file();
        let loaded = if has_scenario {
            let text = fs::read_to_string(&scenario)
                .map_err(|error| ToolError::read(&scenario, &error))?;
            parse(&plan.scenario, text)?
        } else {
            Corpus::find()?.scenario(&plan.scenario)?
        };
        let outcome = outcome_beside(&file);
        let is_stored = is_directory || (has_scenario && outcome.is_file());
        let stored = if is_stored { Some(stored_run::read(&outcome)?) } else { None };
        let (mut origin, mut events) = (None, None);
        if is_directory {
            events = stored_run::events(path)?;
            let packed = path.join(PACKED);
            if packed.is_file() {
                let bytes = fs::read(&packed).map_err(|error| ToolError::read(&packed, &error))?;
                origin = Self::unpack(&packed, &bytes)?.origin;
            }
        }
        Ok(Self { plan, file, loaded, has_scenario, stored, origin, events })
    }

    fn unpack(path: &Path, bytes: &[u8]) -> Result<Self, ToolError> {
        let wrong = |error: &dyn std::fmt::Display| {
            ToolError::usage(format!("{}: {error}", path.display()))
        };
        let packed = SimFail::unpack(bytes).map_err(|error| wrong(&error))?;
        let events = match packed.events.as_str() {
            "" => None,
            lines => Some(RunEvents::from_lines(lines).map_err(|error| wrong(&error))?),
        };
        let origin = Origin { binary_hash: packed.binary_hash, commit: packed.commit };
        Ok(Self {
            loaded: parse(&packed.plan.scenario, packed.scenario)?,
            plan: packed.plan,
            file: path.to_path_buf(),
            has_scenario: false,
            stored: Some(packed.outcome),
            origin: Some(origin),
            events,
        })
    }

    /// A run of one of its plans.
    pub(crate) fn job(&self, plan: FaultPlan, canary: Option<&str>) -> Job {
        let mut job = Job::new(Arc::clone(&self.loaded.scenario), plan.seed);
        job.plan = Some(plan);
        job.canary = canary.map(str::to_owned);
        job
    }
}

/// A directory that holds no failure: perhaps the run of some.
fn no_failure(path: &Path) -> ToolError {
    let shown = path.display();
    let inside = path.join("failures");
    let entries = fs::read_dir(&inside).into_iter().flatten().flatten();
    let mut failures: Vec<String> =
        entries.map(|entry| entry.path().display().to_string()).collect();
    failures.sort();
    let words = match failures.len() {
        0 if path.join("manifest.json").is_file() => "a run that kept no failure".to_owned(),
        0 => format!("no failure (no plan.json): {WANTED}"),
        few if few <= NAMED_MAX => format!("a run: name a failure of it: {}", failures.join(", ")),
        many => format!("a run: name one of the {many} failures in {}", inside.display()),
    };
    ToolError::usage(format!("{shown}: {words}"))
}

/// Packs what a failure's directory holds into one file in it.
pub(crate) fn pack(directory: &Path, events: &RunEvents) -> Result<(), ToolError> {
    let scenario = directory.join("scenario.toml");
    let packed = SimFail {
        format: SIMFAIL_FORMAT,
        binary_hash: identity::binary_hash()?,
        lock_hash: identity::lock_hash(),
        commit: identity::commit(),
        scenario: fs::read_to_string(&scenario)
            .map_err(|error| ToolError::read(&scenario, &error))?,
        plan: read_plan(&directory.join("plan.json"))?,
        outcome: stored_run::read(&directory.join("outcome.json"))?,
        events: events.to_lines(),
    };
    let file = directory.join(PACKED);
    let bytes = packed.pack().map_err(|error| ToolError::write(&file, &error))?;
    fs::write(&file, bytes).map_err(|error| ToolError::write(&file, &error))
}

/// Where the outcome of a plan is stored.
pub(crate) fn outcome_beside(plan: &Path) -> PathBuf {
    match plan.file_stem().and_then(|stem| stem.to_str()) {
        Some("plan") | None => plan.with_file_name("outcome.json"),
        Some(stem) => plan.with_file_name(format!("{stem}-outcome.json")),
    }
}

/// A failure of a planted bug needs that bug.
fn check_canary(stored: Option<&Outcome>, canary: Option<&str>) -> Result<(), ToolError> {
    let Some(stored) = stored else { return Ok(()) };
    if stored.canary.as_deref() == canary {
        return Ok(());
    }
    Err(ToolError::usage(match &stored.canary {
        Some(name) => format!("this failure needs the planted bug: add `--canary {name}`"),
        None => "this failure is of a node without planted bugs: leave out --canary".to_owned(),
    }))
}
