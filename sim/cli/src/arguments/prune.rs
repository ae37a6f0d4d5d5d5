//! Options of `billsim prune`.

use clap::Args;
use std::path::PathBuf;

/// Deletes the oldest run directories, and nothing else.
///
/// What it does not recognise as a run directory by what lies in it is left alone, and so are
/// symbolic links, a run that somebody writes to just now, and a run that a gate has judged
/// (`evidence.json`), unless it is told otherwise.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// The directory that holds run directories.
    #[arg(default_value = "target/runs", value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// So many of the newest stay.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) keep: usize,
    /// Deletes runs that a gate has judged as well.
    #[arg(long)]
    pub(crate) gated: bool,
    /// Says what it would delete, and deletes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
