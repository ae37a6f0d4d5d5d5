//! The nodes' own logs on stderr, stamped with simulated time and the node that speaks.

use crate::tool_error::ToolError;
use billsim_engine::speaker;
use std::fmt;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Simulated time and node of the thread that logs.
struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (at, slot) = speaker::now();
        write!(out, "{:>12.6} s", at as f64 / 1e9)?;
        match slot {
            Some(slot) => write!(out, " node {}", slot + 1),
            None => out.write_str(" world "),
        }
    }
}

/// Shows logs that pass a filter.
pub(crate) fn show(filter: &str) -> Result<(), ToolError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        ToolError::usage(format!("'{filter}' is no log filter: {error}; try `info`"))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Simulated)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init()
        .map_err(ToolError::tool)
}
