//! One step of a bisection: builds the tree of a revision and replays a plan with it. A revision
//! that proves nothing is skipped rather than called good or bad.

use crate::arguments::Bisect;
use crate::bundle::Bundle;
use crate::comparison::{Comparison, Seen};
use crate::context::warn;
use crate::machine::build::{self, Built, create};
use crate::machine::child::{self, Ended};
use crate::machine::git;
use crate::tool_error::ToolError;
use crate::wall_clock;
use billsim_record::document;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What every step writes a line to, in the directory of the bisection.
pub(super) const JUDGED: &str = "judged.jsonl";

/// What a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    /// It holds.
    Good,
    /// It fails so.
    Bad,
    /// It proves nothing.
    Skipped,
}

/// A revision that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Judged {
    /// The commit.
    pub(super) commit: String,
    /// Its first line.
    pub(super) subject: String,
    /// What it is.
    pub(super) call: Call,
    /// Why.
    pub(super) why: String,
}

/// What is asked of each revision.
#[derive(Debug)]
pub(super) struct Question {
    /// The plan; its scenario lies beside it, what it came to does not.
    pub(super) plan: PathBuf,
    /// What it came to when it failed.
    pub(super) reference: Option<Seen>,
    /// Whether every failure counts.
    pub(super) is_any_failure_bad: bool,
    /// Where builds go.
    pub(super) build_dir: PathBuf,
    /// For a build.
    pub(super) build_limit: Duration,
    /// For a replay.
    pub(super) replay_limit: Duration,
}

impl Question {
    /// As the command line asks, with the plan in a directory of its own.
    pub(super) fn prepare(arguments: &Bisect, place: &Path) -> Result<Self, ToolError> {
        let bundle = Bundle::look(&arguments.path)?;
        let stored = bundle.stored.as_ref();
        if let Some(name) = stored.and_then(|stored| stored.canary.as_ref()) {
            return Err(ToolError::usage(format!(
                "this failure needs the planted bug {name}: no commit began with that"
            )));
        }
        if stored.is_some_and(|stored| stored.failure.is_none()) {
            let shown = arguments.path.display();
            return Err(ToolError::usage(format!("{shown}: it held when it was stored")));
        }
        fs::create_dir_all(place).map_err(|error| ToolError::write(place, &error))?;
        let plan = place.join("plan.json");
        for (file, text) in [
            (plan.clone(), document::pretty(&bundle.plan)),
            (place.join("scenario.toml"), bundle.loaded.text),
        ] {
            fs::write(&file, text).map_err(|error| ToolError::write(&file, &error))?;
        }
        let reference = match &arguments.reference {
            Some(file) => Some(read_reference(file)?),
            None => stored.map(Seen::of),
        };
        let root = git::said(Path::new("."), &["rev-parse", "--show-toplevel"])?;
        let build_dir = arguments.build_dir.clone();
        let build_dir = build_dir.unwrap_or_else(|| Path::new(&root).join("target/bisect"));
        let build_dir = std::path::absolute(build_dir).map_err(ToolError::tool)?;
        Ok(Self {
            plan,
            reference,
            is_any_failure_bad: arguments.any_failure,
            build_dir,
            build_limit: arguments.build_limit,
            replay_limit: arguments.seed_limit,
        })
    }

    /// Judges the tree in a directory; returns what its replay came to as well. `None`: somebody
    /// wants this to end.
    pub(super) fn judge(
        &self,
        tree: &Path,
        stop: &AtomicBool,
    ) -> Result<Option<(Judged, Option<Seen>)>, ToolError> {
        let commit = git::said(tree, &["rev-parse", "HEAD"])?;
        let subject = git::said(tree, &["log", "-1", "--format=%s"])?;
        let started = wall_clock::now();
        let answer = self.answer(tree, &commit, stop)?;
        let Some((call, why, seen)) = answer else { return Ok(None) };
        let word = match call {
            Call::Good => "good",
            Call::Bad => "BAD",
            Call::Skipped => "skipped",
        };
        let (short, seconds) = (short(&commit), started.elapsed().as_secs());
        warn(&format!("bisect: {short} {word} ({seconds} s): {why}"));
        Ok(Some((Judged { commit, subject, call, why }, seen)))
    }

    fn answer(
        &self,
        tree: &Path,
        commit: &str,
        stop: &AtomicBool,
    ) -> Result<Option<(Call, String, Option<Seen>)>, ToolError> {
        let log = self.build_dir.join("logs").join(format!("{}.txt", short(commit)));
        let skipped = |why: String| Ok(Some((Call::Skipped, why, None)));
        let built = build::release(tree, &self.build_dir, &log, self.build_limit, stop)?;
        let binary = match built {
            Built::Stopped => return Ok(None),
            Built::Failed(why) => return skipped(why),
            Built::Binary(binary) => binary,
        };
        let result = log.with_extension("json");
        let mut replay = Command::new(binary);
        replay.current_dir(tree).arg("replay").arg(&self.plan).args(["--format", "json"]);
        replay.stdin(Stdio::null()).stdout(create(&result)?).stderr(create(&log)?);
        let status = match child::run(&mut replay, self.replay_limit, stop)? {
            Ended::Stopped => return Ok(None),
            Ended::TooLate => return skipped("its replay takes too long".to_owned()),
            Ended::Itself(status) => status,
        };
        let text = fs::read_to_string(&result).unwrap_or_default();
        let Ok(seen) = serde_json::from_str::<Seen>(&text) else {
            let words = fs::read_to_string(&log).unwrap_or_default();
            let last = words.lines().last().unwrap_or("it said nothing");
            return skipped(format!("no verdict, {status}: {last}"));
        };
        let (call, why) = self.call(&seen);
        Ok(Some((call, why, Some(seen))))
    }

    fn call(&self, seen: &Seen) -> (Call, String) {
        let is_failed = ["safety", "liveness"].contains(&seen.verdict.as_str());
        let broken = seen.failure.as_ref();
        let told = broken.map_or_else(|| seen.verdict.clone(), ToString::to_string);
        match &self.reference {
            _ if is_failed && self.is_any_failure_bad => (Call::Bad, told),
            None if is_failed => (Call::Bad, told),
            None if seen.verdict == "held" => (Call::Good, "held".to_owned()),
            None => (Call::Skipped, format!("its verdict is {}", seen.verdict)),
            Some(reference) => {
                let comparison = Comparison::of(reference, seen);
                let call = match comparison {
                    Comparison::StillFails(_) => Call::Bad,
                    Comparison::Fixed if seen.verdict == "held" => Call::Good,
                    _ => Call::Skipped,
                };
                (call, comparison.to_string())
            }
        }
    }
}

/// Writes a line about a revision for the bisection that asked.
pub(super) fn note(judged: &Judged, file: &Path) -> Result<(), ToolError> {
    let failed = |error: std::io::Error| ToolError::write(file, &error);
    let mut notes = OpenOptions::new().create(true).append(true).open(file).map_err(failed)?;
    let line = serde_json::to_string(judged).map_err(ToolError::tool)?;
    notes.write_all(format!("{line}\n").as_bytes()).map_err(failed)
}

/// The first digits of a commit, as people say them.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn read_reference(file: &Path) -> Result<Seen, ToolError> {
    let text = fs::read_to_string(file).map_err(|error| ToolError::read(file, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| ToolError::usage(format!("{}: {error}", file.display())))
}
