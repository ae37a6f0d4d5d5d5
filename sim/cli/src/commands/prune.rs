//! `billsim prune`: old run directories go when somebody asks for that, and never anything else.

use crate::arguments::Prune;
use crate::context::say;
use crate::run_directory::{Kind, recognise};
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A directory that may go.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Old {
    /// When its seeds were last written to.
    changed: SystemTime,
    path: PathBuf,
}

pub(crate) fn prune(arguments: &Prune) -> Result<ExitCode, ToolError> {
    let directory = &arguments.directory;
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return Err(ToolError::read(directory, &error)),
    };
    let (mut runs, mut left) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.map_err(|error| ToolError::read(directory, &error))?;
        let path = entry.path();
        // Of the entry itself: a link to a run is not a run.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match if is_directory { recognise(&path) } else { None } {
            None => left.push(format!("{}: it is no run directory", path.display())),
            Some(Kind::Busy) => left.push(format!("{}: it is written to", path.display())),
            Some(Kind::Gated) if !arguments.gated => {
                left.push(format!("{}: a gate has judged it (see --gated)", path.display()));
            }
            Some(Kind::Gated | Kind::Run) => {
                runs.push(Old { changed: changed(&path)?, path });
            }
        }
    }
    runs.sort();
    let old = runs.len().saturating_sub(arguments.keep);
    let mut bytes = 0;
    for run in &runs[..old] {
        let size = size(&run.path)?;
        bytes += size;
        let word = if arguments.dry_run { "would delete" } else { "deleted" };
        if !arguments.dry_run {
            fs::remove_dir_all(&run.path).map_err(|error| ToolError::write(&run.path, &error))?;
        }
        say(&format!("{word} {} ({})\n", run.path.display(), mebibytes(size)));
    }
    left.sort();
    left.iter().for_each(|why| say(&format!("left {why}\n")));
    let (kept, all) = (runs.len() - old, mebibytes(bytes));
    let word = if arguments.dry_run { "would go" } else { "gone" };
    say(&format!("{old} runs {word} ({all}), {kept} kept, {} left alone\n", left.len()));
    Ok(ExitCode::Held)
}

/// When the youngest file of a run was written.
fn changed(path: &Path) -> Result<SystemTime, ToolError> {
    let failed = |error: std::io::Error| ToolError::read(path, &error);
    let mut youngest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(path).map_err(failed)? {
        let known = entry.and_then(|entry| entry.metadata()).map_err(failed)?;
        youngest = youngest.max(known.modified().map_err(failed)?);
    }
    Ok(youngest)
}

fn size(path: &Path) -> Result<u64, ToolError> {
    let failed = |error: std::io::Error| ToolError::read(path, &error);
    let mut bytes = 0;
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let known = entry.metadata().map_err(failed)?;
        bytes += if known.is_dir() { size(&entry.path())? } else { known.len() };
    }
    Ok(bytes)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
