//! The run directory: append-only and self-describing. A line of `outcomes.jsonl` is written as
//! soon as its seed ends, so that an interrupted run is a usable one.

use crate::corpus::Loaded;
use crate::stored_run::{self, file_name};
use crate::tool_error::ToolError;
use crate::wall_clock;
use billsim_engine::RunResult;
use billsim_record::{
    Checkpoint, Conclusion, FaultPlan, LossVerdict, Manifest, Outcome, Shard, document,
};
use billsim_reports::outcomes;
use billsim_reports::region_loss::region_loss;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A directory that a run writes to.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    outcomes: File,
    written: u64,
    /// Held as long as somebody writes here; the system lets go of it when the process ends.
    _lock: File,
}

/// Digits of a commit in the name of a directory.
const COMMIT_DIGITS: usize = 12;

/// A directory as somebody named it: `{shard}` stands for the number of the shard, `{commit}` for
/// the first digits of the commit. Runs of one commit are the same, so that one may go on where
/// another one was interrupted; runs of two commits never share a directory.
pub(crate) fn named(
    path: &Path,
    shard: Option<Shard>,
    commit: Option<&str>,
) -> Result<PathBuf, ToolError> {
    let mut text = path.to_string_lossy().into_owned();
    let wrong = |why| ToolError::usage(format!("{}: {why}", path.display()));
    if text.contains("{shard}") {
        let shard = shard.ok_or_else(|| wrong("which {shard}? --shard does not say"))?;
        text = text.replace("{shard}", &shard.number.to_string());
    }
    if text.contains("{commit}") {
        let commit = commit.ok_or_else(|| {
            wrong(
                "which {commit}? no git work tree is here, and the binary was built without \
                   BILLSIM_COMMIT",
            )
        })?;
        let changed = if commit.ends_with('+') { "+" } else { "" };
        let digits = commit.trim_end_matches('+');
        let digits = digits.get(..COMMIT_DIGITS).unwrap_or(digits);
        text = text.replace("{commit}", &format!("{digits}{changed}"));
    }
    Ok(text.into())
}

/// Keeps a directory to one sweep at a time.
fn lock(path: &Path) -> Result<File, ToolError> {
    let file = path.join("lock");
    let lock = File::create(&file).map_err(|error| ToolError::write(&file, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(ToolError::usage(format!(
            "{}: another sweep writes to it just now: name another directory with --out",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(ToolError::write(&file, &error)),
    }
}

/// A name that no other run has.
fn fresh_name() -> String {
    format!("{}-{}", wall_clock::since_epoch().as_secs(), std::process::id())
}

fn create(path: &Path, text: &[u8]) -> Result<(), ToolError> {
    fs::write(path, text).map_err(|error| ToolError::write(path, &error))
}

impl RunDirectory {
    /// A new directory with its manifest.
    pub(crate) fn create(asked: Option<&Path>, manifest: &Manifest) -> Result<Self, ToolError> {
        let path =
            asked.map_or_else(|| PathBuf::from("target/runs").join(fresh_name()), Into::into);
        fs::create_dir_all(&path).map_err(|error| ToolError::write(&path, &error))?;
        let lock = lock(&path)?;
        let file = path.join("manifest.json");
        if file.exists() {
            let shown = path.display();
            return Err(ToolError::usage(format!(
                "{shown} already holds a run: go on with it by --resume, or name another \
                 directory with --out"
            )));
        }
        create(&file, document::pretty(manifest).as_bytes())?;
        let file = path.join("outcomes.jsonl");
        let outcomes = OpenOptions::new().create_new(true).append(true).open(&file);
        let outcomes = outcomes.map_err(|error| ToolError::write(&file, &error))?;
        Ok(Self { path, outcomes, written: 0, _lock: lock })
    }

    /// The directory of a run that ended early, with how far it came. What is behind its last
    /// checkpoint is cut off and runs again.
    pub(crate) fn resume(
        path: &Path,
        manifest: &Manifest,
    ) -> Result<(Self, Option<Checkpoint>), ToolError> {
        let stored: Manifest = stored_run::read(&path.join("manifest.json"))?;
        let other_part = (stored.shard != manifest.shard).then_some("the shard");
        if let Some(what) = stored.difference(manifest).or(other_part) {
            return Err(ToolError::usage(format!(
                "{}: {what} is not what it was when this run began: start another one",
                path.display()
            )));
        }
        let lock = lock(path)?;
        let file = path.join("checkpoint.json");
        let checkpoint: Option<Checkpoint> =
            if file.is_file() { Some(stored_run::read(&file)?) } else { None };
        let file = path.join("outcomes.jsonl");
        let failed = |error| ToolError::write(&file, &error);
        let outcomes = OpenOptions::new().append(true).open(&file).map_err(failed)?;
        let written = checkpoint.as_ref().map_or(0, |known| known.outcomes_bytes);
        if outcomes.metadata().map_err(failed)?.len() < written {
            return Err(ToolError::usage(format!(
                "{}: it is shorter than its checkpoint says: something was taken from it",
                file.display()
            )));
        }
        outcomes.set_len(written).map_err(failed)?;
        Ok((Self { path: path.to_path_buf(), outcomes, written, _lock: lock }, checkpoint))
    }

    /// Bytes of outcomes so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes how far it is, in one step. What it counts on is on the disk by then.
    pub(crate) fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), ToolError> {
        let file = self.path.join("checkpoint.json");
        let fresh = file.with_extension("json.new");
        let failed = |error: std::io::Error| ToolError::write(&file, &error);
        self.outcomes.sync_data().map_err(failed)?;
        fs::write(&fresh, document::line(checkpoint)).map_err(failed)?;
        fs::rename(&fresh, &file).map_err(failed)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A seed ended.
    pub(crate) fn append(&mut self, outcome: &Outcome) -> Result<(), ToolError> {
        let line = outcomes::line(outcome);
        let written = self.outcomes.write_all(line.as_bytes());
        written.map_err(|error| ToolError::write(&self.path.join("outcomes.jsonl"), &error))?;
        self.written += line.len() as u64;
        Ok(())
    }

    /// Keeps what a failure needs to be seen again: outcome, plan, scenario.
    pub(crate) fn keep_failure(
        &self,
        cause: &str,
        result: &RunResult,
        scenario: &Loaded,
    ) -> Result<PathBuf, ToolError> {
        let directory = self.path.join("failures").join(cause);
        Self::keep_result(&directory, result, scenario)?;
        Ok(directory)
    }

    /// Keeps what a run needs to be seen again in a directory of its own.
    pub(crate) fn keep_result(
        directory: &Path,
        result: &RunResult,
        scenario: &Loaded,
    ) -> Result<(), ToolError> {
        fs::create_dir_all(directory).map_err(|error| ToolError::write(directory, &error))?;
        create(&directory.join("outcome.json"), document::pretty(&result.outcome).as_bytes())?;
        create(
            &directory.join("plan.json"),
            document::pretty::<FaultPlan>(&result.plan).as_bytes(),
        )?;
        create(&directory.join("scenario.toml"), scenario.text.as_bytes())?;
        match &result.losses {
            Some(verdict) => Self::keep_loss(directory, verdict),
            None => Ok(()),
        }
    }

    /// Writes the verdict over a run in which a region was destroyed, whole, into a directory.
    pub(crate) fn keep_loss(directory: &Path, verdict: &LossVerdict) -> Result<(), ToolError> {
        fs::create_dir_all(directory).map_err(|error| ToolError::write(directory, &error))?;
        create(&directory.join("verdict.json"), document::pretty(verdict).as_bytes())?;
        let text = region_loss(verdict, usize::MAX);
        create(&directory.join("verdict.txt"), text.as_bytes())
    }

    /// A directory for the files of a single run.
    pub(crate) fn of_one_run() -> PathBuf {
        PathBuf::from("target/runs").join(fresh_name())
    }

    /// Writes the latency of acknowledged writes, in simulated microseconds.
    pub(crate) fn write_latency(
        &self,
        scenario: &str,
        histogram: &Histogram<u64>,
    ) -> Result<(), ToolError> {
        let directory = self.path.join("latency");
        fs::create_dir_all(&directory).map_err(|error| ToolError::write(&directory, &error))?;
        let file = directory.join(format!("{}.hdr", file_name(scenario)));
        let mut bytes = Vec::new();
        V2Serializer::new()
            .serialize(histogram, &mut bytes)
            .map_err(|error| ToolError::tool(format!("latency histogram: {error:?}")))?;
        create(&file, &bytes)
    }

    /// Writes how it ended.
    pub(crate) fn write_conclusion(&self, conclusion: &Conclusion) -> Result<(), ToolError> {
        create(&self.path.join("conclusion.json"), document::pretty(conclusion).as_bytes())
    }

    /// Writes the summary.
    pub(crate) fn write_summary(&self, text: &str) -> Result<(), ToolError> {
        create(&self.path.join("summary.txt"), text.as_bytes())
    }
}

/// What a directory is, by what lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sweep, or the run of one seed.
    Run,
    /// A sweep that a gate has judged.
    Gated,
    /// A sweep that somebody writes to just now.
    Busy,
}

/// Recognises a run directory; `None` for every other one. Only the name of a format counts, not
/// its number: directories of other releases are run directories too.
pub(crate) fn recognise(path: &Path) -> Option<Kind> {
    let has = |name: &str| path.join(name).is_file();
    let is_json = |name: &str, key: &str| {
        let text = fs::read_to_string(path.join(name)).unwrap_or_default();
        let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
        read.is_ok_and(|document| document.get("format").is_some() && document.get(key).is_some())
    };
    if has("manifest.json") && has("outcomes.jsonl") && is_json("manifest.json", "binary_hash") {
        let is_busy = File::open(path.join("lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        return Some(match has("evidence.json") {
            _ if is_busy => Kind::Busy,
            true => Kind::Gated,
            false => Kind::Run,
        });
    }
    let is_one = has("plan.json") && has("scenario.toml") && is_json("outcome.json", "trace_hash");
    is_one.then_some(Kind::Run)
}

#[cfg(test)]
mod tests {
    use super::named;
    use billsim_record::Shard;
    use std::path::Path;

    #[test]
    fn a_directory_is_named_after_its_shard_and_commit() {
        let shard = Some(Shard { number: 3, of: 8 });
        let commit = Some("0123456789abcdef0123456789abcdef01234567");
        let of = |path: &str, shard, commit| {
            named(Path::new(path), shard, commit)
                .map(|path| path.display().to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(of("runs/x", None, None).unwrap(), "runs/x");
        assert_eq!(of("/r/{commit}/{shard}", shard, commit).unwrap(), "/r/0123456789ab/3");
        assert_eq!(of("{commit}", None, Some("0123456789abcdef+")).unwrap(), "0123456789ab+");
        assert!(of("{shard}", None, commit).unwrap_err().contains("--shard does not say"));
        assert!(of("{commit}", shard, None).unwrap_err().contains("BILLSIM_COMMIT"));
    }
}
