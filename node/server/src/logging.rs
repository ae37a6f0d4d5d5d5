//! Logs go to standard error. A panic is logged and ends the process at once: an invariant that
//! does not hold must not be lived with, and the log on disk is always fit to start from.

use clap::ValueEnum;
use std::io::stderr;
use std::panic;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What `--log` says is no filter.
#[derive(Debug, thiserror::Error)]
#[error("--log '{filter}': {detail}; expected is a level (`info`) or `target=level,...`")]
pub(crate) struct FilterError {
    filter: String,
    detail: String,
}

/// Starts logging for the whole process.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), FilterError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|e| FilterError { filter: filter.to_owned(), detail: e.to_string() })?;
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().init(),
    }
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        print(panic);
        tracing::error!(%panic, "an invariant does not hold; the process ends");
        std::process::abort();
    }));
    Ok(())
}
